"""What Google Artifact Registry sends through Pub/Sub."""

import base64
import json

import pytest

from receiver.errors import Malformed
from receiver.webhook.decode import decode
from receiver.webhook.event import Decoded, Delivery
from tests.support.notifications import written

DIGEST = "sha256:69d9471ee27d78bc4d49cbaf2e790e0ae0cac34b11ef33a80bfa75bd7b83cc0e"
NAME = "europe-docker.pkg.dev/example-project/registry/addons/metrics"


def read(delivery: Delivery, prefix: str = "example-project/registry/addons/") -> Decoded:
    return decode(delivery, prefix=prefix)


def message(data: object) -> Delivery:
    encoded = data if isinstance(data, str) else base64.b64encode(json.dumps(data).encode()).decode()
    return written("google-insert", lambda body: body["message"].update(data=encoded))


@pytest.mark.parametrize(
    ("name", "action", "digest", "event_id"),
    [
        ("google-insert", "push", DIGEST, "2070443601311540"),
        ("google-delete-tag", "delete", None, "2070443601311541"),
    ],
)
def test_a_message_is_a_hint_without_the_host(name: str, action: str, digest: str | None, event_id: str) -> None:
    """Project and repository stand before the prefix."""
    (hint,) = read(written(name)).events
    assert (hint.sender, hint.action, hint.tag, hint.digest) == ("google", action, "v1.0.0", digest)
    assert (hint.repository.name, hint.event_id) == ("example-project/registry/addons/metrics", event_id)


def test_a_push_without_a_tag_is_a_hint() -> None:
    """The digest names the repository as well."""
    (hint,) = read(message({"action": "INSERT", "digest": f"{NAME}@{DIGEST}"})).events
    assert (hint.tag, hint.digest) == (None, DIGEST)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"action": "SCAN"}, "other action"),
        ({"action": "INSERT", "tag": "h/example-project/registry/site:1"}, "other repository"),
        ({"action": "INSERT", "tag": f"{NAME}:sha256-{'b' * 64}.sig"}, "signature"),
    ],
)
def test_what_concerns_no_addon_is_counted_by_reason(data: object, reason: str) -> None:
    """All repositories of a project share one topic."""
    assert read(message(data)) == Decoded(sender="google", ignored={reason: 1})


@pytest.mark.parametrize(
    "data",
    [
        "",
        "!",
        "grün",
        "e30",
        "W10=",
        "eyJhIjogMSwgImEiOiAyfQ==",
        {},
        {"action": "INSERT"},
        {"action": ["INSERT"]},
        {"action": "INSERT", "digest": [], "tag": {}},
        {"action": "INSERT", "digest": "x", "tag": 5},
        {"action": "INSERT", "digest": f"{NAME.upper()}@{DIGEST}"},
    ],
)
def test_data_that_cannot_be_read_is_malformed(data: object) -> None:
    """No base64, no JSON, two members of one name, or no name at all."""
    with pytest.raises(Malformed):
        read(message(data))


def test_a_message_without_data_is_malformed() -> None:
    """Pub/Sub allows attributes only; Artifact Registry never sends that."""
    with pytest.raises(Malformed):
        read(written("google-insert", lambda body: body["message"].pop("data")))
