"""What Docker Hub sends."""

import pytest

from receiver.errors import Malformed
from receiver.webhook.decode import decode
from receiver.webhook.event import Decoded
from tests.support.notifications import written


def test_a_push_is_a_hint() -> None:
    """Without identifier and digest, which Docker Hub does not tell; its callback goes nowhere."""
    (hint,) = decode(written("dockerhub-push"), prefix="exampleorg/").events
    assert (hint.sender, hint.action, hint.tag, hint.actor) == ("dockerhub", "push", "v1.0.0", "alice")
    assert (hint.repository.name, hint.event_id, hint.digest) == ("exampleorg/metrics", None, None)


def test_another_namespace_is_counted() -> None:
    """By the prefix, as everywhere."""
    decoded = decode(written("dockerhub-push"), prefix="addons/")
    assert decoded == Decoded(sender="dockerhub", ignored={"other repository": 1})


@pytest.mark.parametrize("repository", [None, [], {}, {"repo_name": None}, {"repo_name": "../x"}])
def test_a_repository_of_another_shape_is_malformed(repository: object) -> None:
    """It is kept for the operator."""
    with pytest.raises(Malformed):
        decode(written("dockerhub-push", lambda body: body.update(repository=repository)), prefix="exampleorg/")


@pytest.mark.parametrize("pushed", [None, [], {"tag": 5}])
def test_a_push_without_a_tag_is_still_a_hint(pushed: object) -> None:
    """What counts is the repository."""
    (hint,) = decode(written("dockerhub-push", lambda body: body.update(push_data=pushed)), prefix="exampleorg/").events
    assert hint.tag is None
