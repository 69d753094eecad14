"""What Nexus Repository 3 sends."""

from typing import Any

import pytest

from receiver.errors import Malformed
from receiver.webhook.decode import decode
from receiver.webhook.event import Decoded
from tests.support.notifications import written

CREATED = "nexus-component-created"


@pytest.mark.parametrize(
    ("prefix", "name"),
    [("addons/", "addons/metrics"), ("docker-hosted/addons/", "docker-hosted/addons/metrics")],
)
def test_a_component_is_a_hint_by_either_name(prefix: str, name: str) -> None:
    """With path-based routing the repository is part of the name, behind a port of its own it is not."""
    (hint,) = decode(written(CREATED), prefix=prefix).events
    assert (hint.sender, hint.action, hint.tag) == ("nexus", "push", "v1.0.0")
    assert (hint.repository.name, hint.event_id) == (name, "fb449548-e8b8-4881-8118-3aa6e7f6ca00")


@pytest.mark.parametrize(("action", "meant"), [("UPDATED", "push"), ("DELETED", "delete")])
def test_every_change_is_a_hint(action: str, meant: str) -> None:
    """A tag that was pushed again, or is gone."""
    (hint,) = decode(written(CREATED, lambda body: body.update(action=action)), prefix="addons/").events
    assert hint.action == meant


@pytest.mark.parametrize(
    ("delivery", "reason"),
    [
        (written("nexus-asset-created"), "other type"),
        (written(CREATED, lambda body: body["component"].update(format="npm")), "other type"),
        (written(CREATED, lambda body: body.update(action="PURGED")), "other action"),
        (written(CREATED, lambda body: body["component"].update(name="nginx")), "other repository"),
        (written(CREATED, lambda body: body.update(repositoryName=None)), None),
        (written(CREATED, lambda body: (body.update(repositoryName="No Name"), body["component"].update(name="x"))),
         "other repository"),
    ],
)  # fmt: skip
def test_what_concerns_no_addon_is_counted_by_reason(delivery: Any, reason: str | None) -> None:
    """Other formats, assets, and names that no registry has."""
    decoded = decode(delivery, prefix="addons/")
    if reason is None:
        assert len(decoded.events) == 1
    else:
        assert decoded == Decoded(sender="nexus", ignored={reason: 1})


@pytest.mark.parametrize("component", [None, [], {"format": "docker"}, {"format": "docker", "name": "A B"}])
def test_a_component_of_another_shape_is_malformed(component: object) -> None:
    """It is kept for the operator."""
    with pytest.raises(Malformed):
        decode(written(CREATED, lambda body: body.update(component=component)), prefix="addons/")
