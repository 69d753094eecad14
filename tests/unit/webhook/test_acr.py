"""What Azure Container Registry sends."""

import pytest

from receiver.errors import Malformed
from receiver.webhook.decode import decode
from receiver.webhook.event import Decoded
from tests.support.notifications import written


@pytest.mark.parametrize(("name", "action", "tag"), [("acr-push", "push", "v1.0.0"), ("acr-delete", "delete", None)])
def test_a_bare_event_is_a_hint(name: str, action: str, tag: str | None) -> None:
    """One event of Distribution, without the envelope."""
    (hint,) = decode(written(name), prefix="addons/").events
    assert (hint.sender, hint.action, hint.tag) == ("acr", action, tag)
    assert hint.repository.name == "addons/metrics"
    assert hint.event_id is not None


@pytest.mark.parametrize("action", ["ping", "chart_push", "quarantine", ""])
def test_other_actions_are_counted(action: str) -> None:
    """The portal's test button must not look like a fault."""
    decoded = decode(written("acr-ping", lambda body: body.update(action=action, target={})), prefix="addons/")
    assert decoded == Decoded(sender="acr", ignored={"other action": 1})


def test_a_ping_without_anything_is_known() -> None:
    """It has no target to be recognised by."""
    assert decode(written("acr-ping"), prefix="addons/") == Decoded(sender="acr", ignored={"other action": 1})


@pytest.mark.parametrize("target", [None, [], {}, {"repository": 5}, {"repository": "Addons/X"}])
def test_a_target_of_another_shape_is_malformed(target: object) -> None:
    """It is kept for the operator."""
    with pytest.raises(Malformed):
        decode(written("acr-push", lambda body: body.update(target=target)), prefix="addons/")
