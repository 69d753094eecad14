"""Google Artifact Registry: its messages on the topic ``gcr``, as a push subscription of Pub/Sub delivers them. Pure.

Facts: cloud.google.com "Configuring Pub/Sub notifications" (the message), "Push subscriptions" (the envelope, base64).
Google signs the request with an identity token, whose check would need keys from Google: a secret path instead. The
names hold the host, which is taken off: ``project/repository/addons/`` is the prefix.
"""

import base64
import binascii
from collections.abc import Mapping

from receiver.document import InvalidDocument, parse
from receiver.errors import Malformed
from receiver.webhook.event import Decoded
from receiver.webhook.hint import hint, ignored, member
from receiver.webhook.proof import SecretPath
from receiver.webhook.sender import Ignored, Sender

NAME = "google"
_ACTIONS = {"INSERT": "push", "DELETE": "delete"}


def _recognises(_: Mapping[str, str], document: object) -> bool:
    return isinstance(member(document, "message"), dict)


def _decode(_headers: Mapping[str, str], document: object, prefix: str) -> Decoded:
    """Read the one message.

    Raises:
        Malformed: the data is not one JSON document in base64, or names nothing.
    """
    data = _data(member(document, "message", "data"))
    action = member(data, "action")
    if not isinstance(action, str):
        raise Malformed("it has no action")
    if action not in _ACTIONS:
        return ignored(NAME, Ignored.OTHER_ACTION)
    name, _, digest = _path(member(data, "digest")).partition("@")
    tagged, _, tag = _path(member(data, "tag")).partition(":")
    return hint(
        sender=NAME,
        action=_ACTIONS[action],
        names=(name or tagged,),
        prefix=prefix,
        tags=[tag],
        digest=digest,
        event_id=member(document, "message", "messageId"),
    )


def _data(encoded: object) -> object:
    if not isinstance(encoded, str):
        raise Malformed("the message has no data")
    try:
        return parse(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError, InvalidDocument) as error:
        raise Malformed("the data of the message is not one JSON document in base64") from error


def _path(reference: object) -> str:
    """What follows the host. A tag or digest without one is part of no message."""
    return reference.partition("/")[2] if isinstance(reference, str) else ""


SENDER = Sender(name=NAME, headers=(), recognises=_recognises, decode=_decode, proofs=(SecretPath(),))
