"""Strict JSON: what two readers could read differently is refused, and no document raises anything else."""

import pytest

from receiver.document import Document, InvalidDocument, convert, decode, encode, parse


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


def test_an_error_does_not_quote_the_document() -> None:
    """A notification may hold a token."""
    for body in (b'{"S3cret', b'{"S3cret":1,"S3cret":2}', b'"S3cret\xff"', b'{"x":"S3cret"}'):
        with pytest.raises(InvalidDocument) as caught:
            decode(body, Point)
        assert "S3cret" not in str(caught.value)
