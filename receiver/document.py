"""Strict JSON from outside into typed values. Pure; the one home of msgspec.

Two readers that disagree about one document are an attack (hazards I16, W15), so what is ambiguous is refused:
duplicate keys, NaN, lone surrogates, a BOM, trailing text; so are nesting and numbers that would raise something
odd elsewhere.
"""

import json
import math
from typing import Any, NoReturn, TypeVar

import msgspec

T = TypeVar("T")
replaced = msgspec.structs.replace
"""A copy with other values in some members."""
field = msgspec.field
"""A member's default that is made anew for each document."""


class Document(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of typed documents: unknown members are ignored, ``snake_case`` fields read ``camelCase`` members."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """Base of values on the hot path: a frozen dataclass takes ten times as long to make (1.3 µs against 0.13)."""


class InvalidDocument(ValueError):
    """The bytes are not one unambiguous JSON document of the expected shape."""


def decode(body: bytes, kind: type[T]) -> T:
    """Decode one JSON document into ``kind``.

    Raises:
        InvalidDocument: damaged, ambiguous, or of another shape; the text says where.
    """
    return _convert(parse(body), kind)


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


def plain(value: Value) -> dict[str, Any]:
    """The members of ``value`` as plain values, to the last level."""
    members: dict[str, Any] = msgspec.to_builtins(value, enc_hook=_plain)
    return members


def encode(value: object) -> bytes:
    """Encode plain or typed values as compact JSON."""
    return msgspec.json.encode(value, enc_hook=_plain)


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
