"""What zot sends: CloudEvents in the HTTP binary mode."""

import json

import pytest

from receiver.errors import Malformed
from receiver.webhook.decode import decode
from receiver.webhook.event import Decoded, Delivery

DIGEST = "sha256:" + "a" * 64
DATA: dict[str, object] = {
    "name": "addons/metrics",
    "reference": "v1.0.0",
    "digest": DIGEST,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "manifest": '{"schemaVersion": 2}',
    "actor": {"name": "alice"},
}


def decoded(data: object, kind: str = "zotregistry.image.updated", **headers: str) -> Decoded:
    known = {"content-type": "application/json", "ce-type": kind, "ce-id": "42", "ce-specversion": "1.0"}
    return decode(Delivery(headers={**known, **headers}, body=json.dumps(data).encode()), prefix="addons/")


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("zotregistry.image.updated", "push"),
        ("zotregistry.image.deleted", "delete"),
        ("zotregistry.repository.created", "create"),
        ("com.example.our.registry.image.updated", "push"),
        ("image.updated", "push"),
    ],
)
def test_a_change_is_a_hint_whatever_the_prefix_of_its_type(kind: str, action: str) -> None:
    """From zot 2.1.21 the words before the last two are configurable."""
    (hint,) = decoded(DATA, kind).events
    assert (hint.sender, hint.action, hint.event_id, hint.tag) == ("zot", action, "42", "v1.0.0")
    assert (hint.repository.name, hint.digest, hint.actor) == ("addons/metrics", DIGEST, "alice")


def test_a_created_repository_says_its_name_only() -> None:
    """It is empty perhaps; the look will tell."""
    (hint,) = decoded({"name": "addons/metrics"}, "zotregistry.repository.created").events
    assert (hint.tag, hint.digest, hint.actor) == (None, None, None)


def test_a_push_by_digest_has_no_tag() -> None:
    """zot puts the digest into the reference then."""
    (hint,) = decoded({**DATA, "reference": DIGEST}).events
    assert (hint.tag, hint.digest) == (None, DIGEST)


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (DATA, "zotregistry.image.lint_failed", "other type"),
        (DATA, "zotregistry.image.scanned", "other type"),
        (DATA, "updated", "other type"),
        (DATA, "", "other type"),
        (DATA, "zotregistry.notimage.updated", "other type"),
        (None, "unheard.of", "other type"),
        ({**DATA, "name": "library/nginx"}, "zotregistry.image.updated", "other repository"),
        ({**DATA, "reference": f"sha256-{'b' * 64}.sig"}, "zotregistry.image.updated", "signature"),
    ],
)
def test_what_concerns_no_addon_is_counted_by_reason(data: object, kind: str, reason: str) -> None:
    """An unknown type is no reason to hold anything back (W18)."""
    assert decoded(data, kind) == Decoded(sender="zot", ignored={reason: 1})


@pytest.mark.parametrize("data", [None, [], "x", 4, {}, {**DATA, "name": 5}, {**DATA, "name": "addons/../x"}])
def test_data_of_another_shape_is_malformed(data: object) -> None:
    """It is kept for the operator."""
    with pytest.raises(Malformed):
        decoded(data)


def test_the_content_type_does_not_matter() -> None:
    """The headers of CloudEvents say who speaks."""
    assert len(decoded(DATA, **{"content-type": "text/html"}).events) == 1
