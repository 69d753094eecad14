"""How a sender is recognised, and that no body whatever does more than be refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.errors import Malformed, Unsupported
from receiver.webhook.decode import HEADERS, SENDERS, UNKNOWN, decode, sender_name
from receiver.webhook.event import Delivery
from tests.support.notifications import envelope, event

AMBIGUOUS = [
    b"",
    b"{",
    b'{"events": []} trailing',
    b'{"events": [], "events": [1]}',
    b'{"events": [NaN]}',
    b'{"events": [' + b"9" * 5000 + b"]}",
    b'{"events": ["\\ud800"]}',
    b'\xef\xbb\xbf{"events": []}',
    b'{"events": ["\xff"]}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"events": ["\x00"]}',
    json.dumps({"events": []}).encode("utf-16"),
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
members = st.sampled_from(
    [
        "events",
        "action",
        "target",
        "repository",
        "tag",
        "mediaType",
        "digest",
        "id",
        "actor",
        "source",
        "name",
        "reference",
        "instanceID",
    ]
)
words = st.sampled_from(["push", "delete", "pull", "addons/metrics", "addons/", "application/octet-stream"])
near_misses = st.recursive(
    words | json_values,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(members, inner, max_size=6),
    max_leaves=20,
)


def decode_with(headers: dict[str, str], body: bytes) -> None:
    decode(Delivery(headers=headers, body=body), prefix="addons/")


@pytest.mark.parametrize("body", AMBIGUOUS, ids=lambda body: repr(body[:24]))
@pytest.mark.parametrize("headers", [{}, {"ce-type": "zotregistry.image.updated"}])
def test_an_ambiguous_body_is_malformed_for_every_sender(body: bytes, headers: dict[str, str]) -> None:
    """Two readers of one document must not see two documents, and no depth or number is a fault of ours (W14-W16)."""
    with pytest.raises(Malformed) as caught:
        decode_with(headers, body)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "deflate", "identity, gzip", "x-\x1b[31m"])
def test_a_compressed_body_is_never_unpacked(encoding: str) -> None:
    """A small body must not become a large one (W13)."""
    with pytest.raises(Unsupported, match="content encoding") as caught:
        decode_with({"content-encoding": encoding}, envelope(event()))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("encoding", ["identity", "Identity ", ""])
def test_identity_is_no_encoding(encoding: str) -> None:
    """RFC 9110 section 8.4.1: it means that there is none."""
    delivery = Delivery(headers={"content-encoding": encoding}, body=envelope(event()))
    assert len(decode(delivery, prefix="addons/").events) == 1


@pytest.mark.parametrize("document", [{}, [], 1, "x", None, {"event": []}, {"type": "PUSH_ARTIFACT"}])
def test_an_unknown_sender_is_unsupported(document: object) -> None:
    """The operator sees what arrived, in one printable line."""
    with pytest.raises(Unsupported) as caught:
        decode_with({"content-type": "application/\x1b[31mx"}, json.dumps(document).encode())
    assert str(caught.value).isprintable()


@given(near_misses, st.sampled_from([{}, {"ce-type": "a.image.updated", "ce-id": "1"}, {"content-type": "x"}]))
def test_decoding_is_total(document: object, headers: dict[str, str]) -> None:
    """Whatever an authenticated sender sends is taken or refused by type: a crash would be repeated for ever."""
    try:
        decode_with(headers, json.dumps(document, allow_nan=True).encode("utf-8", "surrogatepass"))
    except (Unsupported, Malformed) as error:
        assert str(error).isprintable()  # noqa: PT017 - either outcome is right


@given(st.binary(max_size=200))
def test_decoding_bytes_is_total(body: bytes) -> None:
    """Not even JSON."""
    with pytest.raises((Unsupported, Malformed)):
        decode_with({}, body)


def test_the_prefix_is_that_of_the_settings() -> None:
    """Registries with projects put one before the addons."""
    delivery = Delivery(headers={}, body=envelope(event(target={"repository": "proj/addons/metrics"})))
    (hint,) = decode(delivery, prefix="proj/addons/").events
    assert hint.repository.leaf == "metrics"
    assert decode(delivery, prefix="addons/").ignored == {"other repository": 1}


def test_headers_are_named_for_replay_and_hold_no_credential() -> None:
    """What decoding reads is what is kept, in lower case, and the token is not among it."""
    assert {"content-type", "content-encoding", "ce-type", "ce-id"} <= set(HEADERS)
    assert not {name for name in HEADERS if name != name.lower() or "auth" in name or "cookie" in name}
    assert len(set(HEADERS)) == len(HEADERS)


def test_senders_have_names_of_their_own() -> None:
    """The name is the key of duplicates and a label of metrics."""
    names = [sender.name for sender in SENDERS]
    assert len({*names, UNKNOWN}) == len(names) + 1


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"ce-type": "x"}, "zot"),
        ({"content-type": "application/vnd.docker.distribution.events.v2+json"}, "distribution"),
        ({"content-type": "application/json"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_a_sender_is_named_by_headers_where_the_body_cannot_be_read(headers: dict[str, str], name: str) -> None:
    """The journal says whom to ask."""
    assert sender_name(headers) == name
