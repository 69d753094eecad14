"""What Distribution 2.x and 3.x send, recorded and made up."""

import json

import pytest

from receiver.errors import Malformed
from receiver.webhook.decode import decode
from receiver.webhook.event import Decoded, Delivery
from tests.support.notifications import envelope, event, recorded

DIGEST = "sha256:69d9471ee27d78bc4d49cbaf2e790e0ae0cac34b11ef33a80bfa75bd7b83cc0e"


def decoded(body: bytes, content_type: str = "application/vnd.docker.distribution.events.v1+json") -> Decoded:
    return decode(Delivery(headers={"content-type": content_type}, body=body), prefix="addons/")


def with_target(**members: object) -> dict[str, object]:
    target = event()["target"]
    assert isinstance(target, dict)
    return event(target={**target, **members})


@pytest.mark.parametrize("version", ["2.8.2", "3"])
@pytest.mark.parametrize(
    ("what", "action", "tag", "digest"),
    [
        ("push-manifest-tag", "push", "v1.0.0", DIGEST),
        ("delete-tag", "delete", "v1.0.0", None),
        ("delete-digest", "delete", None, DIGEST),
    ],
)
def test_recorded_changes_are_hints(version: str, what: str, action: str, tag: str | None, digest: str | None) -> None:
    """Every change of a manifest that a real registry announced asks for a look."""
    result = decode(recorded(f"distribution-{version}-{what}"), prefix="addons/")
    (hint,) = result.events
    assert (hint.sender, hint.action, hint.tag, hint.digest) == ("distribution", action, tag, digest)
    assert hint.repository.name == "addons/metrics"
    assert hint.event_id is not None
    assert result.instance_id is not None
    assert not result.ignored
    assert not result.malformed


@pytest.mark.parametrize("version", ["2.8.2", "3"])
@pytest.mark.parametrize(
    ("what", "reason"), [("push-blob", "blob"), ("pull-manifest", "pull"), ("pull-manifest-tag", "pull")]
)
def test_recorded_noise_is_counted(version: str, what: str, reason: str) -> None:
    """Five of six events of a push are blobs, and our own polling makes pulls: neither asks for a look."""
    result = decode(recorded(f"distribution-{version}-{what}"), prefix="addons/")
    assert result.events == ()
    assert result.ignored == {reason: 1}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (event(action="mount"), "mount"),
        (event(action="explode"), "other action"),
        (with_target(tag=f"sha256-{'a' * 64}.sig"), "signature"),
        (with_target(tag=f"sha256-{'a' * 64}"), "signature"),
        (with_target(repository="library/nginx"), "other repository"),
        (with_target(repository="addons/deep/er"), "other repository"),
    ],
)
def test_what_concerns_no_addon_is_counted_by_reason(entry: object, reason: str) -> None:
    """The reasons are a closed set, because they are labels of a metric."""
    assert decoded(envelope(entry)) == Decoded(
        sender="distribution", ignored={reason: 1}, instance_id="8525b350-2340-4a04-90f7-26562c48e386"
    )


@pytest.mark.parametrize("media_type", ["application/vnd.oci.image.manifest.v1+json", "", None])
def test_a_push_by_digest_is_a_hint(media_type: str | None) -> None:
    """It may be a tag's new content; the registry will tell."""
    (hint,) = decoded(envelope(with_target(tag=None, mediaType=media_type))).events
    assert hint.tag is None


def test_what_has_a_tag_is_no_blob() -> None:
    """Only manifests have tags, whatever the media type says."""
    assert len(decoded(envelope(with_target(mediaType="application/octet-stream"))).events) == 1


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/vnd.docker.distribution.events.v2+json", envelope(event())),
        ("application/vnd.docker.distribution.events.v1+json; charset=utf-8", envelope(event())),
        ("application/json", envelope(event())),
        ("text/plain", envelope(event())),
        ("", envelope(event())),
    ],
)
def test_the_shape_is_enough(content_type: str, body: bytes) -> None:
    """A configured Content-Type comes beside the registry's own, and proxies change it (W18)."""
    assert len(decoded(body, content_type).events) == 1


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_an_envelope_holds_any_number(count: int) -> None:
    """One in practice, many by contract, none by accident (W17)."""
    result = decoded(envelope(*(event(id=str(number)) for number in range(count))))
    assert [hint.event_id for hint in result.events] == [str(number) for number in range(count)]


@pytest.mark.parametrize(
    "bad",
    [
        7,
        None,
        [],
        {},
        event(action=None),
        event(action=["push"]),
        event(target=None),
        event(target="addons/a"),
        with_target(repository=None),
        with_target(repository="addons/../../etc"),
        with_target(repository="addons/a\x1b[31m"),
    ],
)
def test_one_bad_event_does_not_take_the_others_along(bad: object) -> None:
    """The good events still count, and the bad one is told by its place (W17)."""
    result = decoded(envelope(event(id="a"), bad, event(id="b")))
    assert [hint.event_id for hint in result.events] == ["a", "b"]
    (reason,) = result.malformed
    assert reason.startswith("event 2: ")
    assert reason.isprintable()


@pytest.mark.parametrize("document", [{}, {"events": None}, {"events": {}}, [], 5, None, "events"])
def test_what_is_no_envelope_is_malformed(document: object) -> None:
    """Its Content-Type names the sender to blame."""
    with pytest.raises(Malformed):
        decoded(json.dumps(document).encode())


def test_fields_that_nobody_can_read_are_left_out() -> None:
    """An event is still a hint where its decoration is broken."""
    bad = {**with_target(tag="v1\n", digest=9), "id": "x" * 500, "actor": "root", "source": []}
    (hint,) = decoded(envelope(bad)).events
    assert (hint.tag, hint.digest, hint.event_id, hint.actor) == (None, None, None, None)


def test_the_instance_is_found_behind_a_bad_event() -> None:
    """A restart of the registry must not be missed."""
    assert decoded(envelope(3, event(action="pull"))).instance_id == "8525b350-2340-4a04-90f7-26562c48e386"


def test_addresses_in_an_event_are_not_even_kept() -> None:
    """An event that names another registry costs one look at ours (W19)."""
    hostile = with_target(url="https://evil.example/v2/addons/metrics/manifests/v1", fromRepository="evil/x")
    (hint,) = decoded(envelope({**hostile, "request": {"host": "evil.example"}})).events
    assert "evil" not in repr(hint)
