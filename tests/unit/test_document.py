"""Strict JSON: what two readers could read differently is refused, and no document raises anything else."""

from dataclasses import dataclass

import pytest

from receiver.document import (
    Document,
    InvalidDocument,
    Moment,
    StrictDocument,
    Value,
    convert,
    decode,
    encode,
    outward,
    parse,
    remembered,
    schemas,
)


class Point(Document, frozen=True):
    x: int
    long_name: str = ""


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{", b"{}{}", b"{} x", b"\xef\xbb\xbf{}", b"\xff", b"{'a': 1}", b'{"a":1,"a":2}',
     b'[{"a":{"b":1,"b":1}}]',
     b"NaN", b"[Infinity]", b"-Infinity", b"1e999", b"-1e999", b"18446744073709551616", b"-9223372036854775809",
     b"9" * 5000,
     b'"\\ud800"', b'{"\\udc00": 1}', b'"\xed\xa0\x80"', b"[" * 100_000, b'{"a":' * 100_000, b'"\t"', b"01",
     b"// x\n1", b"\0{}"],
)  # fmt: skip
def test_ambiguous_or_damaged_documents_are_refused(body: bytes) -> None:
    """Hazards I15 to I17, W14 to W16: one exception, whatever the parser would have raised or let pass."""
    with pytest.raises(InvalidDocument):
        parse(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [(b"18446744073709551615", 2**64 - 1), (b"-9223372036854775808", -(2**63)), (b'"\\ud83d\\ude00"', "😀"), (b"1.5",
     1.5),
     (b' {"a": [1, null, true]} \n', {"a": [1, None, True]}), ('"ü"'.encode(), "ü"), (b'"\\u0000"', "\0")],
)  # fmt: skip
def test_unambiguous_documents_are_read(body: bytes, value: object) -> None:
    """Strict is not the same as useless; escapes in pairs are one character."""
    assert parse(body) == value


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"x": "1"}', b'{"x": true}', b'{"x": 1.5}', b'{"x": null}', b'{"x":1,"longName":2}']
)
def test_another_shape_is_refused_and_said_where(body: bytes) -> None:
    """Nothing is converted by guess."""
    with pytest.raises(InvalidDocument, match=r"Object missing|Expected"):
        decode(body, Point)


def test_unknown_members_are_ignored_and_names_are_camel_case() -> None:
    """Senders may say more than we know."""
    assert decode(b'{"x": 1, "longName": "y", "new": []}', Point) == Point(x=1, long_name="y")


def test_what_is_encoded_reads_back() -> None:
    """Also as plain values."""
    assert convert(parse(encode(Point(x=1))), Point) == Point(x=1)


def test_what_was_encoded_here_is_remembered_and_damage_is_named() -> None:
    """A line of a file of ours that a disk or a hand has changed raises what every other document raises."""
    assert remembered(encode([Look(when=0.5)]).decode(), tuple[Look, ...]) == (Look(when=0.5),)
    for text in ("", '[{"when": 0.5', '[{"when": "now"}]', "{}"):
        with pytest.raises(InvalidDocument):
            remembered(text, tuple[Look, ...])


def test_an_error_does_not_quote_the_document() -> None:
    """A notification may hold a token."""
    for body in (b'{"S3cret', b'{"S3cret":1,"S3cret":2}', b'"S3cret\xff"', b'{"x":"S3cret"}'):
        with pytest.raises(InvalidDocument) as caught:
            decode(body, Point)
        assert "S3cret" not in str(caught.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look."""

    when: Moment
    again: Moment | None = None
    seconds: float = 1.5


class Seen(Value, frozen=True, tag_field="kind", tag="seen"):
    id: int
    looks: tuple[Look, ...]


class Wish(StrictDocument, frozen=True):
    addons: tuple[str, ...] = ()


def test_programs_read_moments_as_times_and_other_numbers_as_numbers() -> None:
    """Which is which, the type says; the tag of a kind is told, and so is what has no value."""
    assert outward(Seen(id=1, looks=(Look(when=0.5), Look(when=1.0, again=2.0)))) == {
        "kind": "seen",
        "id": 1,
        "looks": [
            {"when": "1970-01-01T00:00:00.500Z", "again": None, "seconds": 1.5},
            {"when": "1970-01-01T00:00:01.000Z", "again": "1970-01-01T00:00:02.000Z", "seconds": 1.5},
        ],
    }
    assert decode(encode(Look(when=0.5)), Look) == Look(when=0.5), "between processes it stays a number"


def test_the_schema_of_a_moment_is_that_of_a_time() -> None:
    """What is told of a document is what it holds."""
    _, found = schemas([Seen], references="#/{name}")
    assert found["Look"]["properties"]["when"] == {"type": "string", "format": "date-time"}
    assert found["Look"]["properties"]["seconds"]["type"] == "number"
    assert found["Seen"]["properties"]["looks"]["items"] == {"$ref": "#/Look"}


def test_a_strict_document_names_the_member_that_nobody_knows() -> None:
    """A misspelt member would be a request for something else."""
    with pytest.raises(InvalidDocument, match="adons"):
        decode(b'{"adons": ["a"]}', Wish)
