"""What Harbor sends, in both of its formats."""

from typing import Any

import pytest

from receiver.errors import Malformed
from receiver.webhook.decode import decode
from receiver.webhook.event import Decoded, Delivery
from tests.support.notifications import written

DIGEST = "sha256:69d9471ee27d78bc4d49cbaf2e790e0ae0cac34b11ef33a80bfa75bd7b83cc0e"
FORMATS = ["harbor-push", "harbor-cloudevents-push"]


def read(delivery: Delivery, prefix: str = "proj/addons/") -> Decoded:
    return decode(delivery, prefix=prefix)


@pytest.mark.parametrize(
    ("name", "event_id"), [("harbor-push", None), ("harbor-cloudevents-push", "4b2f89a6-548d-4c12-9993-a1f5790b97d2")]
)
def test_a_push_is_a_hint_with_the_project_before_the_prefix(name: str, event_id: str | None) -> None:
    """The full name is the one that its registry API knows."""
    (hint,) = read(written(name)).events
    assert (hint.sender, hint.action, hint.event_id, hint.tag) == ("harbor", "push", event_id, "v1.0.0")
    assert (hint.repository.name, hint.repository.leaf) == ("proj/addons/metrics", "metrics")
    assert (hint.digest, hint.actor) == (DIGEST, "robot$proj+ci")


@pytest.mark.parametrize("name", FORMATS)
def test_another_project_is_another_repository(name: str) -> None:
    """Each project has its own webhooks, and one may be pointed at the wrong receiver."""
    assert read(written(name), "addons/").ignored == {"other repository": 1}


def test_a_push_without_a_tag_has_its_digest_in_its_place() -> None:
    """Harbor puts it there."""

    def change(body: Any) -> None:
        body["event_data"]["resources"][0]["tag"] = DIGEST

    (hint,) = read(written("harbor-push", change)).events
    assert (hint.tag, hint.digest) == (None, DIGEST)


def test_a_delete_is_a_hint() -> None:
    """The desired tag may be another one now."""
    (hint,) = read(written("harbor-delete")).events
    assert hint.action == "delete"


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("harbor-push", "PULL_ARTIFACT", "pull"),
        ("harbor-push", "SCANNING_COMPLETED", "other type"),
        ("harbor-push", "REPLICATION", "other type"),
        ("harbor-cloudevents-push", "harbor.artifact.pulled", "pull"),
        ("harbor-cloudevents-push", "harbor.quota.warned", "other type"),
    ],
)
def test_other_types_are_counted(name: str, kind: str, reason: str) -> None:
    """A webhook for all events is allowed."""
    assert read(written(name, lambda body: body.update(type=kind))) == Decoded(sender="harbor", ignored={reason: 1})


def test_signatures_beside_a_version_do_not_hide_it() -> None:
    """One push may name several tags; only where all are signatures is it none of an addon."""
    signature = {"tag": f"sha256-{'b' * 64}.sig"}

    def both(body: Any) -> None:
        body["event_data"]["resources"].insert(0, signature)

    def only(body: Any) -> None:
        body["event_data"]["resources"] = [signature]

    (hint,) = read(written("harbor-push", both)).events
    assert hint.tag == "v1.0.0"
    assert read(written("harbor-push", only)).ignored == {"signature": 1}


@pytest.mark.parametrize(
    "data", [None, [], {}, {"resources": []}, {"resources": {}}, {"resources": [], "repository": {"repo_full_name": 4}}]
)
@pytest.mark.parametrize(("name", "member"), [("harbor-push", "event_data"), ("harbor-cloudevents-push", "data")])
def test_data_of_another_shape_is_malformed(name: str, member: str, data: object) -> None:
    """It is kept for the operator."""
    with pytest.raises(Malformed):
        read(written(name, lambda body: body.update({member: data})))


def test_a_structured_event_that_cannot_be_read_is_blamed_on_its_sender() -> None:
    """The content type is all that is left."""
    delivery = written("harbor-cloudevents-push")
    with pytest.raises(Malformed):
        read(Delivery(headers=delivery.headers, body=b"[]"))
