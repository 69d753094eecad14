"""zot: CloudEvents 1.0 in the HTTP binary mode, where the headers describe the event and the body is its data. Pure.

Facts: CloudEvents "HTTP Protocol Binding" 3.1; zot ``pkg/extensions/events``.
"""

from collections.abc import Mapping

from receiver.addon import is_version_tag
from receiver.errors import Malformed
from receiver.webhook.event import Decoded, LeftOut, PushEvent
from receiver.webhook.fields import addon_repository, text
from receiver.webhook.proof import Token
from receiver.webhook.sender import Ignored, Sender

NAME = "zot"
# The words before the last two are configurable from zot 2.1.21 on.
_ACTIONS = {"image.updated": "push", "image.deleted": "delete", "repository.created": "create"}


def _recognises(headers: Mapping[str, str], _: object) -> bool:
    return "ce-type" in headers


def _decode(headers: Mapping[str, str], document: object, prefix: str) -> Decoded:
    """Read the one event.

    Raises:
        Malformed: the data is not that of its type.
    """
    action = _ACTIONS.get(".".join(headers["ce-type"].split(".")[-2:]).strip())
    outcome = Ignored.OTHER_TYPE if action is None else _judge(headers, document, action, prefix)
    if isinstance(outcome, Ignored):
        return Decoded(sender=NAME, ignored={outcome: 1}, left_out=(_named(headers, document, outcome),))
    return Decoded(sender=NAME, events=(outcome,))


def _judge(headers: Mapping[str, str], document: object, action: str, prefix: str) -> PushEvent | Ignored:
    if not isinstance(document, dict):
        raise Malformed("the data is not an object")
    tag = _tag(document.get("reference"))
    if tag is not None and not is_version_tag(tag):
        return Ignored.SIGNATURE
    repository = addon_repository(document.get("name"), prefix)
    if repository is None:
        return Ignored.OTHER_REPOSITORY
    actor = document.get("actor")
    return PushEvent(
        sender=NAME,
        repository=repository,
        action=action,
        event_id=text(headers.get("ce-id")),
        tag=tag,
        digest=text(document.get("digest")),
        actor=text(actor.get("name")) if isinstance(actor, dict) else None,
    )


def _named(headers: Mapping[str, str], document: object, reason: Ignored) -> LeftOut:
    about = document if isinstance(document, dict) else {}
    return LeftOut(
        reason=reason,
        repository=text(about.get("name")),
        tag=_tag(about.get("reference")),
        event_id=text(headers.get("ce-id")),
    )


def _tag(reference: object) -> str | None:
    """The reference is the digest where the push was by digest; no tag holds a colon."""
    tag = text(reference)
    return None if tag is None or ":" in tag else tag


SENDER = Sender(
    name=NAME,
    headers=("ce-type", "ce-id", "ce-source", "ce-specversion"),
    recognises=_recognises,
    decode=_decode,
    proofs=(Token(),),
)
