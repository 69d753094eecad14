"""Judges the single fields of an event: every sender's text passes through here. Pure."""

from functools import lru_cache

from receiver.addon import AddonRepository
from receiver.errors import InvalidNameError, Malformed
from receiver.oci.reference import Repository

_MAX_TEXT = 128
"""Characters of a kept text field: the longest tag (distribution-spec "Pulling manifests"), beyond any identifier."""


def text(value: object) -> str | None:
    """``value`` where it is a printable text of 1 to 128 characters, else None.

    Printable leaves out control characters, line separators, bidirectional controls and lone surrogates, so what
    passes is safe in a log line, in a terminal and in the database.
    """
    if isinstance(value, str) and 0 < len(value) <= _MAX_TEXT and value.isprintable():
        return value
    return None


def one_line(words: str, *, limit: int = 300) -> str:
    """``words`` for a log line: whatever is not printable is escaped, and the end is cut off after ``limit``."""
    cut = words[:limit]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def essence(content_type: str) -> str:
    """The media type without parameters, lower case; the first where a doubled header was joined by a comma."""
    return content_type.partition(";")[0].partition(",")[0].strip().lower()


def addon_repository(value: object, prefix: str) -> AddonRepository | None:
    """The addon repository that ``value`` names; None where it is a repository that holds no addon.

    Raises:
        Malformed: not a repository name at all.
    """
    if not isinstance(value, str):
        raise Malformed("it names no repository")
    return _judge(value, prefix)


@lru_cache(maxsize=1024)
def _judge(name: str, prefix: str) -> AddonRepository | None:
    # Cached because a registry speaks of few repositories and of each one often; what raises is not kept.
    try:
        Repository.parse(name)
    except InvalidNameError as error:
        raise Malformed(str(error)) from error
    try:
        return AddonRepository.parse(name, prefix=prefix)
    except InvalidNameError:
        return None
