"""Deliveries of every sender, damaged in every way: each is read, or refused by type, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.errors import Malformed, Unsupported
from receiver.webhook.decode import BY_KEY, HEADERS, SENDERS, decode, sender_name
from receiver.webhook.event import Decoded, Delivery
from tests.support.notifications import RECORDED, recorded

NAMES = sorted(path.stem for path in RECORDED.glob("*.json"))
PREFIXES = ("addons/", "proj/addons/", "example-project/registry/addons/", "exampleorg/")
KINDS: tuple[object, ...] = (None, True, 0, 1.5, "", "x", "sha256:x", [], [{}], {}, {"x": []})
REASONS = {"blob", "pull", "mount", "signature", "other repository", "other action", "other type"}

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=20)
    | st.sampled_from(["addons/metrics", "push", "PUSH_ARTIFACT", "docker", "\ud800", "\x00", "addons/\x1b[2J"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where there is something in ``value`` that may be damaged."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, member in inner for place in places(member, (*path, key)))]


def damaged(value: Any, path: tuple[Any, ...], new: object) -> Any:
    """``value`` with ``new`` at ``path``."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = damaged(copy[path[0]], path[1:], new)
    return copy


def check(delivery: Delivery, prefix: str) -> None:
    try:
        decoded = decode(delivery, prefix=prefix)
    except (Malformed, Unsupported) as error:
        assert str(error).isprintable()  # noqa: PT017 - either outcome is right
        return
    assert isinstance(decoded, Decoded)
    assert set(decoded.ignored) <= REASONS
    assert decoded.sender in BY_KEY
    for event in decoded.events:
        assert event.sender == decoded.sender
        assert event.repository.name.startswith(prefix)
        for text in (event.event_id, event.tag, event.digest, event.actor):
            assert text is None or (text.isprintable() and len(text) <= 128)


@pytest.mark.parametrize("name", NAMES)
def test_every_member_may_be_of_every_kind(name: str) -> None:
    """One after another, each that there is: what cannot be hashed, ordered or cut must not be tried."""
    delivery = recorded(name)
    body = json.loads(delivery.body)
    for path in places(body):
        for new in KINDS:
            changed = Delivery(headers=delivery.headers, body=json.dumps(damaged(body, path, new)).encode())
            for prefix in PREFIXES:
                check(changed, prefix)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_a_damaged_member_is_read_or_refused_by_type(name: str, data: st.DataObject) -> None:
    """A crash would be a 500, which some senders repeat for ever."""
    delivery = recorded(name)
    body = json.loads(delivery.body)
    path = data.draw(st.sampled_from(places(body)))
    changed = json.dumps(damaged(body, path, data.draw(values))).encode()
    check(Delivery(headers=delivery.headers, body=changed), data.draw(st.sampled_from(PREFIXES)))


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_damaged_headers_and_bytes_are_read_or_refused_by_type(name: str, data: st.DataObject) -> None:
    """Whoever's headers with whoever's body, cut anywhere."""
    delivery = recorded(name)
    cut = data.draw(st.integers(0, len(delivery.body)))
    headers = data.draw(st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=30), max_size=4))
    body = delivery.body[:cut] + data.draw(st.binary(max_size=4)) + delivery.body[cut:]
    check(Delivery(headers={**delivery.headers, **headers}, body=body), "addons/")
    check(Delivery(headers=headers, body=delivery.body[:cut]), "addons/")


@settings(deadline=None)
@given(headers=st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=30)))
def test_every_sender_is_asked_without_a_body(headers: dict[str, str]) -> None:
    """What cannot be parsed has none."""
    assert sender_name(headers) in {*BY_KEY, "unknown"}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_for_replay_says_the_same(name: str) -> None:
    """All other headers are gone by then, credentials among them."""
    delivery = recorded(name)
    kept = Delivery(
        headers={key: delivery.headers[key] for key in HEADERS if key in delivery.headers}, body=delivery.body
    )
    for prefix in PREFIXES:
        assert decode(kept, prefix=prefix) == decode(delivery, prefix=prefix)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content_type", ["", "text/html", "application/x-www-form-urlencoded", "a/b, c/d"])
def test_a_wrong_content_type_changes_nothing(name: str, content_type: str) -> None:
    """Who sends is told by other headers or by shape, since operators may set this one."""
    delivery = recorded(name)
    changed = Delivery(headers={**delivery.headers, "content-type": content_type}, body=delivery.body)
    for prefix in PREFIXES:
        assert decode(changed, prefix=prefix) == decode(delivery, prefix=prefix)


def test_every_sender_has_a_fixture_that_only_it_recognises() -> None:
    """A row that shadows another would give its deliveries a wrong name, and a wrong credential."""
    known = {"unknown": set[str]()} | {sender.name: set[str]() for sender in SENDERS}
    for name in NAMES:
        delivery = recorded(name)
        document = json.loads(delivery.body)
        first = next(sender.name for sender in SENDERS if sender.recognises(delivery.headers, document))
        known[first].add(name.partition("-")[0])
    alike = {"distribution": {"distribution", "gitlab"}, "gitea": {"gitea", "forgejo"}, "zot": set(), "unknown": set()}
    assert known == {sender.name: {sender.name} for sender in SENDERS} | alike
