"""Nexus Repository 3: the event of a component in a Docker repository. Pure.

Facts: help.sonatype.com "Example Headers And Payloads" of webhooks; a captured delivery in spinnaker/spinnaker#2638. No
digest; one attempt. Behind a port or host of its own a Docker repository is not part of the name, with path-based
routing it is: both are tried.
"""

from collections.abc import Mapping

from receiver.errors import Malformed
from receiver.webhook.event import Decoded
from receiver.webhook.hint import hint, ignored, member
from receiver.webhook.proof import Signature
from receiver.webhook.sender import Ignored, Sender

NAME = "nexus"
_COMPONENT = "rm:repository:component"
_ACTIONS = {"CREATED": "push", "UPDATED": "push", "DELETED": "delete"}


def _recognises(headers: Mapping[str, str], _: object) -> bool:
    return "x-nexus-webhook-id" in headers


def _decode(headers: Mapping[str, str], document: object, prefix: str) -> Decoded:
    """Read the one event.

    Raises:
        Malformed: the component is not one.
    """
    if headers["x-nexus-webhook-id"].strip() != _COMPONENT:
        return ignored(NAME, Ignored.OTHER_TYPE)
    component, action = member(document, "component"), member(document, "action")
    if not isinstance(component, dict) or not isinstance(action, str):
        raise Malformed("it has no component with an action")
    if component.get("format") != "docker":
        return ignored(NAME, Ignored.OTHER_TYPE)
    if action not in _ACTIONS:
        return ignored(NAME, Ignored.OTHER_ACTION)
    name, outer = component.get("name"), member(document, "repositoryName")
    return hint(
        sender=NAME,
        action=_ACTIONS[action],
        names=(name, f"{outer}/{name}"),
        prefix=prefix,
        tags=[component.get("version")],
        event_id=headers.get("x-nexus-webhook-delivery"),
        actor=member(document, "initiator"),
    )


SENDER = Sender(
    name=NAME,
    headers=("x-nexus-webhook-id", "x-nexus-webhook-delivery"),
    recognises=_recognises,
    decode=_decode,
    proofs=(Signature(header="x-nexus-webhook-signature", algorithm="sha1"),),
)
