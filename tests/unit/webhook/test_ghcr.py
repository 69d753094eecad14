"""What GitHub sends of its container registry."""

from typing import Any

import pytest

from receiver.errors import Malformed
from receiver.webhook.decode import decode
from receiver.webhook.event import Decoded, Delivery
from tests.support.notifications import written

DIGEST = "sha256:69d9471ee27d78bc4d49cbaf2e790e0ae0cac34b11ef33a80bfa75bd7b83cc0e"


def read(delivery: Delivery) -> Decoded:
    return decode(delivery, prefix="example-org/addons/")


@pytest.mark.parametrize(("name", "tag"), [("ghcr-package", "v1.0.0"), ("ghcr-registry-package", None)])
def test_a_published_package_is_a_hint_with_the_owner_before_the_prefix(name: str, tag: str | None) -> None:
    """In either event; the tag's name is empty for the parts of an index."""
    (hint,) = read(written(name)).events
    assert (hint.sender, hint.action, hint.tag, hint.digest) == ("ghcr", "push", tag, DIGEST)
    assert (hint.repository.name, hint.actor) == ("example-org/addons/metrics", "alice")
    assert hint.event_id == written(name).headers["x-github-delivery"]


def test_an_owner_in_capitals_is_the_same_repository() -> None:
    """Accounts may have capitals, repositories cannot."""
    changed = written("ghcr-package", lambda body: body["package"].update(namespace="Example-Org"))
    assert len(read(changed).events) == 1


@pytest.mark.parametrize("event", ["ping", "push", "release", "", "package_v2"])
def test_other_events_are_counted(event: str) -> None:
    """An organisation's webhook may send them all."""
    assert read(written("ghcr-ping", x_github_event=event)) == Decoded(sender="ghcr", ignored={"other type": 1})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda body: body.update(action="deleted"), "other action"),
        (lambda body: body["package"].update(package_type="npm"), "other type"),
        (lambda body: body["package"].update(name="site"), "other repository"),
        (
            lambda body: body["package"]["package_version"]["container_metadata"]["tag"].update(
                name=f"sha256-{'b' * 64}.sig"
            ),
            "signature",
        ),
    ],
)
def test_what_concerns_no_addon_is_counted_by_reason(change: Any, reason: str) -> None:
    """Other packages of the organisation among it."""
    assert read(written("ghcr-package", change)) == Decoded(sender="ghcr", ignored={reason: 1})


@pytest.mark.parametrize("version", [None, {}, {"container_metadata": None}, {"container_metadata": {"tag": "x"}}])
def test_a_package_without_container_metadata_is_still_a_hint(version: object) -> None:
    """The tag is of no use to us but to tell signatures."""
    (hint,) = read(written("ghcr-package", lambda body: body["package"].update(package_version=version))).events
    assert (hint.tag, hint.digest) == (None, None)


@pytest.mark.parametrize(
    "package",
    [None, [], {}, {"package_type": "CONTAINER"}, {"package_type": "CONTAINER", "namespace": "", "name": "x"}],
)
def test_a_package_of_another_shape_is_malformed(package: object) -> None:
    """It is kept for the operator."""
    with pytest.raises(Malformed):
        read(written("ghcr-package", lambda body: body.update(package=package)))


@pytest.mark.parametrize("action", [None, [], {}, 5])
def test_an_action_of_another_shape_is_malformed(action: object) -> None:
    """Also one that cannot be looked up in a table."""
    with pytest.raises(Malformed):
        read(written("ghcr-package", lambda body: body.update(action=action)))


def test_a_form_is_malformed() -> None:
    """GitHub's other content type: the guide says to choose application/json."""
    delivery = written("ghcr-package")
    with pytest.raises(Malformed):
        read(Delivery(headers=delivery.headers, body=b"payload=%7B%7D"))
