"""Strict JSON from outside into typed values. Pure; the one home of msgspec.

Two readers that disagree about one document are an attack (hazards I16, W15), so what is ambiguous is refused:
duplicate keys, NaN, lone surrogates, a BOM, trailing text; so are nesting and numbers that would raise something
odd elsewhere.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, NoReturn, TypeVar, cast, get_args, get_type_hints

import msgspec

T = TypeVar("T")
replaced = msgspec.structs.replace
"""A copy with other values in some members."""
field = msgspec.field
"""A member's default that is made anew for each document."""
Bounds = msgspec.Meta
"""What a member may be at most, in an ``Annotated`` type: refused beyond it, and told in its schema."""
Moment = Annotated[float, Bounds(extra_json_schema={"format": "date-time"})]
"""Seconds since the epoch; a text in ISO 8601 where programs read it (`outward`)."""


class Document(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of typed documents: unknown members are ignored, ``snake_case`` fields read ``camelCase`` members."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """Base of values: a frozen dataclass takes ten times as long to make (1.3 µs against 0.13).

    Its class takes half a millisecond to make, which every start pays, against a twentieth of one: a `sync`, which each
    Job of Flux starts anew, makes some fifty.
    """


class Mutable(msgspec.Struct):
    """Base of values that change, for the same reasons."""


class StrictDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what programs ask of us, in ``snake_case``: an unknown member is refused with its name."""


class InvalidDocument(ValueError):
    """The bytes are not one unambiguous JSON document of the expected shape."""


def decode(body: bytes, kind: type[T]) -> T:
    """Decode one JSON document into ``kind``.

    Raises:
        InvalidDocument: damaged, ambiguous, or of another shape; the text says where.
    """
    return _convert(parse(body), kind)


def remembered(text: str, kind: type[T]) -> T:
    """Decode what `encode` made of a ``kind``, six times as fast: nobody else has written it.

    Raises:
        InvalidDocument: it is not that, since a file was damaged or edited.
    """
    try:
        value: T = _decoder(cast("Any", kind)).decode(text)
    except msgspec.MsgspecError as error:
        raise InvalidDocument(str(error)) from error
    return value


@lru_cache(maxsize=16)
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def parse(body: bytes) -> object:
    """Parse one unambiguous JSON document into plain values.

    Raises:
        InvalidDocument: damaged or ambiguous.
    """
    try:
        text = body.decode("utf-8")
        value: object = _DECODER.decode(text)
        if "\\u" in text:
            # Escapes can spell lone surrogates, which no UTF-8 text can hold (SQLite and logs would fail later).
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise InvalidDocument(f"not one valid JSON document: {error}") from error
    return value


def convert(value: object, kind: type[T]) -> T:
    """Convert plain values, as `parse` gives them, into ``kind``.

    Raises:
        InvalidDocument: another shape; the text says where.
    """
    return _convert(value, kind)


def encode(value: object) -> bytes:
    """Encode plain or typed values as compact JSON."""
    return msgspec.json.encode(value, enc_hook=_plain)


def iso(seconds: float | None) -> str | None:
    """A time for programs: ISO 8601, UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def outward(value: Any) -> Any:
    """``value``, of dataclasses, documents and plain values, as programs read it: every member, `Moment` as `iso`."""
    kind: type = type(value)
    if is_dataclass(kind) or issubclass(kind, msgspec.Struct):
        shape = _shape(kind)
        members = {
            name: iso(getattr(value, name)) if is_moment else outward(getattr(value, name))
            for name, is_moment in shape.members
        }
        return shape.tag | members
    if isinstance(value, Mapping):
        return {str(name): outward(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [outward(member) for member in value]
    return str(value) if isinstance(value, str) else value


class _Shape(Value, frozen=True):
    """How `outward` writes a type: its tag, and its members with whether they are moments."""

    tag: dict[str, Any]
    members: tuple[tuple[str, bool], ...]


@lru_cache(maxsize=256)
def _shape(kind: Any) -> _Shape:
    config = getattr(kind, "__struct_config__", None)
    tag = {config.tag_field: config.tag} if config is not None and config.tag_field else {}
    hints = get_type_hints(kind, include_extras=True)
    names = kind.__struct_fields__ if issubclass(kind, msgspec.Struct) else [each.name for each in fields(kind)]
    return _Shape(tag=tag, members=tuple((name, _is_moment(hints[name])) for name in names))


def _is_moment(hint: Any) -> bool:
    return Moment == hint or Moment in get_args(hint)


def schemas(kinds: Sequence[type], *, references: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """JSON schemas of ``kinds`` as `outward` writes and `decode` reads them, and of what they are made of, by name.

    ``references``: how one is referred to, with ``{name}`` in it.
    """
    found, components = msgspec.json.schema_components(kinds, ref_template=references)
    return _with_moments(list(found)), _with_moments(components)


def _with_moments(schema: Any) -> Any:
    """The schema of a number with a format is that of a text."""
    if isinstance(schema, dict):
        found = {name: _with_moments(member) for name, member in schema.items()}
        return {**found, "type": "string"} if schema.get("format") == "date-time" else found
    return [_with_moments(member) for member in schema] if isinstance(schema, list) else schema


def _plain(value: object) -> str:
    """Judged names are subclasses of str, which msgspec leaves to its caller."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _convert(value: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        raise InvalidDocument(str(error)) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice in one object")
    return members


def _integer(word: str) -> int:
    # What no 64-bit reader holds; 20 characters are the longest that one does. Also spares int() its quadratic time.
    if len(word) <= 20 and -(2**63) <= (value := int(word)) < 2**64:
        return value
    raise ValueError("an integer of more than 64 bits")


def _float(word: str) -> float:
    value = float(word)
    if math.isinf(value):
        raise ValueError("a number beyond every float")
    return value


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_float, parse_constant=_no_constant
)
