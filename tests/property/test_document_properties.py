"""Strict JSON for all documents, and all damage."""

import json

from hypothesis import given
from hypothesis import strategies as st

from receiver.document import InvalidDocument, encode, parse

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


@given(DOCUMENTS)
def test_what_another_writer_wrote_is_read_as_it_was_meant(document: object) -> None:
    """Escaped or not, and also what we write ourselves."""
    assert parse(json.dumps(document).encode()) == document
    assert parse(json.dumps(document, ensure_ascii=False).encode()) == document
    assert parse(encode(document)) == document


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    """And what is read can be written again: nothing is in it that another room would choke on."""
    try:
        value = parse(body)
    except InvalidDocument:
        return
    assert parse(encode(value)) == value


@given(DOCUMENTS, st.data())
def test_a_damaged_document_is_read_or_refused(document: object, data: st.DataObject) -> None:
    """One byte replaced, anywhere."""
    body = bytearray(json.dumps(document).encode())
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        value = parse(bytes(body))
    except InvalidDocument:
        return
    assert parse(encode(value)) == value


@given(st.dictionaries(st.text(), LEAVES, min_size=1), st.data())
def test_a_member_that_stands_twice_is_always_seen(members: dict[str, object], data: st.DataObject) -> None:
    """Wherever, however it is escaped."""
    twice = data.draw(st.sampled_from(sorted(members)))
    parts = [f"{json.dumps(name, ensure_ascii=False)}:{json.dumps(value)}" for name, value in members.items()]
    parts.insert(data.draw(st.integers(0, len(parts))), f"{json.dumps(twice)}:0")
    try:
        parse(("{" + ",".join(parts) + "}").encode())
    except InvalidDocument as error:
        assert "twice" in str(error)  # noqa: PT017 - the other end is a failure too
    else:
        raise AssertionError("a second member was read")
