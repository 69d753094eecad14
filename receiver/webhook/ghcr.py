"""GHCR: the events ``package`` and ``registry_package`` of GitHub. Pure.

Facts: docs.github.com "Webhook events and payloads" (package, registry_package); google/go-github#2033 for the type
``CONTAINER``. The two differ in the member that holds the package, which is named as the event. The name of the tag is
empty for the parts of an index. GHCR knows the repository as owner and package, in lower case: the prefix is
``owner/addons/``. A redelivery keeps its identifier, and so is a duplicate for a day.
"""

from collections.abc import Mapping

from receiver.errors import Malformed
from receiver.webhook.event import Decoded
from receiver.webhook.hint import hint, ignored, joined, member
from receiver.webhook.proof import Signature
from receiver.webhook.sender import Ignored, Sender

NAME = "ghcr"
_EVENTS = frozenset({"package", "registry_package"})
_ACTIONS = frozenset({"published", "updated"})
_TYPES = frozenset({"container", "docker"})


def _recognises(headers: Mapping[str, str], _: object) -> bool:
    return "x-github-event" in headers


def _decode(headers: Mapping[str, str], document: object, prefix: str) -> Decoded:
    """Read the one event.

    Raises:
        Malformed: the package is not one.
    """
    event = headers["x-github-event"].strip()
    if event not in _EVENTS:
        return ignored(NAME, Ignored.OTHER_TYPE)
    package = member(document, event)
    kind, action = member(package, "package_type"), member(document, "action")
    if not isinstance(kind, str) or not isinstance(action, str):
        raise Malformed("it has no package with a type, or no action")
    if kind.lower() not in _TYPES:
        return ignored(NAME, Ignored.OTHER_TYPE)
    if action not in _ACTIONS:
        return ignored(NAME, Ignored.OTHER_ACTION)
    tag = member(package, "package_version", "container_metadata", "tag")
    return hint(
        sender=NAME,
        action="push",
        names=(joined(member(package, "namespace"), member(package, "name")),),
        prefix=prefix,
        tags=[member(tag, "name")],
        digest=member(tag, "digest"),
        event_id=headers.get("x-github-delivery"),
        actor=member(document, "sender", "login"),
    )


SENDER = Sender(
    name=NAME,
    headers=("x-github-event", "x-github-delivery"),
    recognises=_recognises,
    decode=_decode,
    proofs=(Signature(header="x-hub-signature-256", algorithm="sha256", prefix="sha256="),),
)
