"""Quay: the notification of a push, with the tags as a list or, in older versions, as a map to image identifiers. Pure.

Facts: docs.quay.io "Repository Notifications"; quay/quay ``notifications``. No identifier and no digest. Builds and
scans are told in the same form without ``updated_tags``. The repository is the full name, namespace included: the
prefix is ``namespace/`` or, with nested names, ``namespace/addons/``.
"""

from collections.abc import Mapping

from receiver.errors import Malformed
from receiver.webhook.event import Decoded
from receiver.webhook.hint import hint, ignored
from receiver.webhook.proof import SecretPath
from receiver.webhook.sender import Ignored, Sender

NAME = "quay"


def _recognises(_: Mapping[str, str], document: object) -> bool:
    return isinstance(document, dict) and "docker_url" in document


def _decode(_: Mapping[str, str], document: object, prefix: str) -> Decoded:
    """Read the one notification.

    Raises:
        Malformed: no list of tags, or no repository.
    """
    if not isinstance(document, dict):
        raise Malformed("the notification is not an object")
    if "updated_tags" not in document:
        return ignored(NAME, Ignored.OTHER_TYPE)
    tags = document["updated_tags"]
    if not isinstance(tags, list | dict):
        raise Malformed("the updated tags are no list")
    return hint(sender=NAME, action="push", names=(document.get("repository"),), prefix=prefix, tags=tags)


SENDER = Sender(name=NAME, headers=(), recognises=_recognises, decode=_decode, proofs=(SecretPath(),))
