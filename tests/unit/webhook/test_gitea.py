"""What Gitea and Forgejo send."""

from typing import Any

import pytest

from receiver.errors import Malformed
from receiver.webhook.decode import decode
from receiver.webhook.event import Decoded, Delivery
from tests.support.notifications import written

CREATED = "gitea-package-created"
DIGEST = "sha256:69d9471ee27d78bc4d49cbaf2e790e0ae0cac34b11ef33a80bfa75bd7b83cc0e"


def read(delivery: Delivery) -> Decoded:
    return decode(delivery, prefix="example/addons/")


@pytest.mark.parametrize(
    ("name", "tag", "digest"), [(CREATED, "v1.0.0", None), ("forgejo-package-created", None, DIGEST)]
)
def test_a_package_is_a_hint_with_the_owner_before_the_prefix(name: str, tag: str | None, digest: str | None) -> None:
    """The version is the tag, or the digest of a push without one; GitHub's headers are there too and do not count."""
    (hint,) = read(written(name)).events
    assert (hint.sender, hint.action, hint.tag, hint.digest) == ("gitea", "push", tag, digest)
    assert (hint.repository.name, hint.actor) == ("example/addons/metrics", "alice")
    assert hint.event_id == written(name).headers["x-gitea-delivery"]


def test_a_delete_is_a_hint() -> None:
    """The desired tag may be another one now."""
    (hint,) = read(written(CREATED, lambda body: body.update(action="deleted"))).events
    assert hint.action == "delete"


@pytest.mark.parametrize(
    ("delivery", "reason"),
    [
        (written(CREATED, x_gitea_event="push"), "other type"),
        (written(CREATED, lambda body: body["package"].update(type="npm")), "other type"),
        (written(CREATED, lambda body: body.update(action="renamed")), "other action"),
        (written(CREATED, lambda body: body["package"].update(name="site")), "other repository"),
        (written(CREATED, lambda body: body["package"].update(version=f"sha256-{'b' * 64}.sig")), "signature"),
    ],
)
def test_what_concerns_no_addon_is_counted_by_reason(delivery: Any, reason: str) -> None:
    """Other events and packages of the owner."""
    assert read(delivery) == Decoded(sender="gitea", ignored={reason: 1})


@pytest.mark.parametrize(
    "package", [None, [], {"type": "container"}, {"type": "container", "name": "x", "owner": {"login": "a b"}}]
)
def test_a_package_of_another_shape_is_malformed(package: object) -> None:
    """It is kept for the operator."""
    with pytest.raises(Malformed):
        read(written(CREATED, lambda body: body.update(package=package)))
