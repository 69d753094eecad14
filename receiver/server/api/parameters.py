"""What may stand behind the question mark: how each parameter is read, and how it is told. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from receiver.notation import parse_duration, parse_moment
from receiver.tasks.journal import Kind, Verdict

MOST_EVENTS = 500
"""On one page."""
LONGEST_WAIT = 60.0
"""Seconds that an answer is held back at most: proxies give up on longer ones."""

_NUMBER = re.compile(r"-?[0-9]{1,19}\Z")
_DURATION = r"^(0|([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h|d)){1,8})$"
_MOST_TEXT = 200
_BEYOND = 2**62
MOMENT_SCHEMA = {"type": "string", "anyOf": [{"pattern": _DURATION}, {"format": "date-time"}]}
_KINDS = ("delivery", *get_args(Kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter; ``read`` takes its text and the present time, and raises ValueError with what is expected."""

    name: str
    read: Callable[[str, float], Any]
    schema: Mapping[str, Any]
    help: str
    default: Any = None
    place: Literal["query", "header"] = "query"


class Given(Protocol):
    """Names and their values, as a request has them."""

    def __iter__(self) -> Iterator[str]:
        """The names."""
        ...

    def getall(self, key: str, default: list[str], /) -> list[str]:
        """All values of a name."""
        ...


def read_query(given: Given, parameters: Sequence[Parameter], *, now: float) -> dict[str, Any]:
    """The values of all ``parameters``.

    Raises:
        ValueError: one is unknown, stands twice, or has a value that does not fit; the text names it.
    """
    known = {parameter.name: parameter for parameter in parameters if parameter.place == "query"}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ValueError(f"unknown parameter {unknown[0][:80]!r}; there are: {', '.join(known) or 'none'}")
    return {name: _value(given.getall(name, []), parameter, now) for name, parameter in known.items()}


def _value(texts: Sequence[str], parameter: Parameter, now: float) -> Any:
    if not texts:
        return parameter.default
    if len(texts) > 1:
        raise ValueError(f"{parameter.name} stands twice: keep one")
    try:
        return parameter.read(texts[0], now)
    except ValueError as error:
        raise ValueError(f"{parameter.name}: {error}") from error


def read_number(text: str, *, least: int, most: int) -> int:
    """A whole number.

    Raises:
        ValueError: none, or not between ``least`` and ``most``.
    """
    if _NUMBER.match(text) is None or not least <= int(text) <= most:
        raise ValueError(f"expected a whole number from {least} to {most}")
    return int(text)


def _number(name: str, text: str, *, least: int = 0, most: int = _BEYOND, default: int | None = None) -> Parameter:
    schema: dict[str, Any] = {"type": "integer", "minimum": least, "maximum": most}
    if default is not None:
        schema["default"] = default

    def read(given: str, _: float) -> int:
        return read_number(given, least=least, most=most)

    return Parameter(name=name, read=read, schema=schema, help=text, default=default)


def _choice(name: str, values: Sequence[str], text: str) -> Parameter:
    def read(given: str, _: float) -> str:
        if given not in values:
            raise ValueError(f"expected one of {', '.join(values)}")
        return given

    return Parameter(name=name, read=read, schema={"type": "string", "enum": list(values)}, help=text)


def _moment(name: str, text: str) -> Parameter:
    def read(given: str, now: float) -> float:
        return parse_moment(given, now=now)

    return Parameter(name=name, read=read, schema=MOMENT_SCHEMA, help=text)


def _words(given: str, _: float) -> str:
    if not 0 < len(given) <= _MOST_TEXT:
        raise ValueError(f"expected a text of 1 to {_MOST_TEXT} characters")
    return given


def _truth(given: str, _: float) -> bool:
    if given not in {"true", "false"}:
        raise ValueError("expected true or false")
    return given == "true"


def _waiting(given: str, _: float) -> float:
    return min(parse_duration(given), LONGEST_WAIT)


ADDON_PATTERN = r"^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$"
"""The last part of a repository's name; `receiver.addon.AddonRepository` judges it in the end."""
ADDON_SCHEMA = {"type": "string", "pattern": ADDON_PATTERN, "maxLength": 64}

ADDON = Parameter(
    name="addon", read=_words, schema=ADDON_SCHEMA, help="only this addon (the last part of its repository)"
)
SENDER = Parameter(
    name="sender",
    read=_words,
    schema={"type": "string", "minLength": 1, "maxLength": _MOST_TEXT},
    help="only deliveries of this sender",
)
VERDICT = _choice("verdict", get_args(Verdict), "only deliveries of which this became")
KIND = _choice("kind", _KINDS, "only entries of this kind")
SINCE = _moment("since", "not from before: a duration such as 2h, so long ago, or a time in ISO 8601")
UNTIL = _moment("until", "only from before: a duration such as 2h, so long ago, or a time in ISO 8601")
BEFORE = _number("before", "only entries with lower numbers: the cursor of the page before")
AFTER = _number("after", "begin behind the entry with this number; without it, with what comes", least=-1)
LIMIT = _number("limit", "at most so many", least=1, most=MOST_EVENTS, default=50)
ASK = Parameter(
    name="ask",
    read=_truth,
    schema={"type": "boolean", "default": False},
    help="ask the registry what it wants now; else, what it wanted when it was last asked",
    default=False,
)
WAIT = Parameter(
    name="wait",
    read=_waiting,
    schema={"type": "string", "pattern": _DURATION},
    help=f"hold the answer back until the job has ended, for so long: 30s, at most {LONGEST_WAIT:.0f}s",
    default=0.0,
)
LAST_EVENT_ID = Parameter(
    name="Last-Event-ID",
    read=lambda given, _: read_number(given, least=-1, most=_BEYOND),
    schema={"type": "string", "pattern": "^(-1|[0-9]{1,18})$"},
    help="go on behind the entry with this number, as browsers do; goes before 'after'",
    place="header",
)
FILTERS = (ADDON, SENDER, VERDICT, KIND)
