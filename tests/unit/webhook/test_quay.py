"""What Quay sends."""

import pytest

from receiver.errors import Malformed
from receiver.webhook.decode import decode
from receiver.webhook.event import Decoded
from tests.support.notifications import written

PREFIX = "example/addons/"


@pytest.mark.parametrize("name", ["quay-push", "quay-push-map"])
def test_a_push_is_a_hint_in_both_forms(name: str) -> None:
    """The map's values are identifiers of images, no digests."""
    (hint,) = decode(written(name), prefix=PREFIX).events
    assert (hint.sender, hint.action, hint.tag, hint.digest) == ("quay", "push", "v1.0.0", None)
    assert hint.repository.name == "example/addons/metrics"


def test_builds_and_scans_are_counted() -> None:
    """They come in the same form, without updated tags."""
    assert decode(written("quay-build"), prefix=PREFIX) == Decoded(sender="quay", ignored={"other type": 1})


def test_a_push_of_signatures_only_is_counted() -> None:
    """And one that has a version among them is not."""
    signature = f"sha256-{'b' * 64}.sig"
    only = written("quay-push", lambda body: body.update(updated_tags=[signature]))
    both = written("quay-push", lambda body: body.update(updated_tags=[signature, "v2"]))
    assert decode(only, prefix=PREFIX).ignored == {"signature": 1}
    assert [hint.tag for hint in decode(both, prefix=PREFIX).events] == ["v2"]


@pytest.mark.parametrize(
    "changes", [{"updated_tags": None}, {"updated_tags": "v1"}, {"repository": None}, {"repository": "Example/x"}]
)
def test_another_shape_is_malformed(changes: dict[str, object]) -> None:
    """It is kept for the operator."""
    with pytest.raises(Malformed):
        decode(written("quay-push", lambda body: body.update(changes)), prefix=PREFIX)
