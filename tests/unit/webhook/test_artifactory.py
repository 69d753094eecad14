"""What Artifactory sends."""

from typing import Any

import pytest

from receiver.errors import Malformed
from receiver.webhook.decode import decode
from receiver.webhook.event import Decoded
from tests.support.notifications import written

PUSHED = "artifactory-pushed"
DIGEST = "sha256:69d9471ee27d78bc4d49cbaf2e790e0ae0cac34b11ef33a80bfa75bd7b83cc0e"


@pytest.mark.parametrize(
    ("prefix", "name"),
    [("addons/", "addons/metrics"), ("docker-local/addons/", "docker-local/addons/metrics")],
)
def test_a_push_is_a_hint_by_either_name(prefix: str, name: str) -> None:
    """With the repository path method the key is part of the name, with a subdomain or port it is not."""
    (hint,) = decode(written(PUSHED), prefix=prefix).events
    assert (hint.sender, hint.action, hint.tag, hint.digest) == ("artifactory", "push", "v1.0.0", DIGEST)
    assert hint.repository.name == name


def test_a_repository_key_may_be_all_of_the_prefix() -> None:
    """A repository ``addons`` with the image ``metrics``."""
    changed = written(PUSHED, lambda body: body["data"].update(repo_key="addons", image_name="metrics"))
    (hint,) = decode(changed, prefix="addons/").events
    assert hint.repository.name == "addons/metrics"


@pytest.mark.parametrize(("kind", "action"), [("promoted", "push"), ("deleted", "delete")])
def test_every_change_is_a_hint(kind: str, action: str) -> None:
    """A promotion brings a tag as a push does."""
    (hint,) = decode(written(PUSHED, lambda body: body.update(event_type=kind)), prefix="addons/").events
    assert hint.action == action


@pytest.mark.parametrize(
    ("delivery", "reason"),
    [
        (written("artifactory-deployed"), "other type"),
        (written(PUSHED, lambda body: body.update(event_type="cached")), "other action"),
        (written(PUSHED, lambda body: body["data"].update(image_name="nginx")), "other repository"),
    ],
)
def test_what_concerns_no_addon_is_counted_by_reason(delivery: Any, reason: str) -> None:
    """Other domains, events and images."""
    assert decode(delivery, prefix="addons/") == Decoded(sender="artifactory", ignored={reason: 1})


@pytest.mark.parametrize("checksum", [None, 5, "x", "A" * 64])
def test_a_checksum_that_is_none_is_left_out(checksum: object) -> None:
    """It decides nothing."""
    (hint,) = decode(written(PUSHED, lambda body: body["data"].update(sha256=checksum)), prefix="addons/").events
    assert hint.digest is None


@pytest.mark.parametrize("data", [None, [], {}, {"image_name": 5}, {"image_name": "A B"}])
def test_data_of_another_shape_is_malformed(data: object) -> None:
    """It is kept for the operator."""
    with pytest.raises(Malformed):
        decode(written(PUSHED, lambda body: body.update(data=data)), prefix="addons/")
