"""Artifactory: the events of the domain ``docker``. Pure.

Facts: docs.jfrog.com "Event Types", "Webhooks", "Docker Repository URL Formats". The header X-JFrog-Event-Auth is the
secret or, where that is chosen, the signature. No identifier. The checksum is that of the manifest. With the repository
path method the repository key is the first part of the name that the registry API knows, with a subdomain or a port of
its own it is not: both are tried. An event names the local repository, never the virtual one that it is read through.
"""

import re
from collections.abc import Mapping

from receiver.errors import Malformed
from receiver.webhook.event import Decoded
from receiver.webhook.hint import hint, ignored
from receiver.webhook.proof import Signature, Verbatim
from receiver.webhook.sender import Ignored, Sender

NAME = "artifactory"
_HEADER = "x-jfrog-event-auth"
_ACTIONS = {"pushed": "push", "promoted": "push", "deleted": "delete"}
_SHA256 = re.compile(r"[a-f0-9]{64}\Z")


def _recognises(_: Mapping[str, str], document: object) -> bool:
    return isinstance(document, dict) and "domain" in document and "event_type" in document


def _decode(_: Mapping[str, str], document: object, prefix: str) -> Decoded:
    """Read the one event.

    Raises:
        Malformed: the data is not that of an image.
    """
    if not isinstance(document, dict):
        raise Malformed("the event is not an object")
    action, data = document.get("event_type"), document.get("data")
    if document.get("domain") != "docker":
        return ignored(NAME, Ignored.OTHER_TYPE)
    if not isinstance(action, str) or not isinstance(data, dict):
        raise Malformed("it has no type and data")
    if action not in _ACTIONS:
        return ignored(NAME, Ignored.OTHER_ACTION)
    name, checksum = data.get("image_name"), data.get("sha256")
    return hint(
        sender=NAME,
        action=_ACTIONS[action],
        names=(name, f"{data.get('repo_key')}/{name}"),
        prefix=prefix,
        tags=[data.get("tag")],
        digest=f"sha256:{checksum}" if isinstance(checksum, str) and _SHA256.match(checksum) else None,
    )


SENDER = Sender(
    name=NAME,
    headers=(),
    recognises=_recognises,
    decode=_decode,
    proofs=(Verbatim(header=_HEADER), Signature(header=_HEADER, algorithm="sha256")),
)
