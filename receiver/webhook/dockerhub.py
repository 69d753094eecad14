"""Docker Hub: ``push_data`` and ``repository``. Pure.

Facts: docs.docker.com "Docker Hub webhooks". No identifier and no digest; the ``callback_url`` is never called. Names
have two parts, so the prefix is the namespace: ``namespace/``.
"""

from collections.abc import Mapping

from receiver.webhook.event import Decoded
from receiver.webhook.hint import hint, member
from receiver.webhook.proof import SecretPath
from receiver.webhook.sender import Sender

NAME = "dockerhub"


def _recognises(_: Mapping[str, str], document: object) -> bool:
    return isinstance(document, dict) and "push_data" in document


def _decode(_: Mapping[str, str], document: object, prefix: str) -> Decoded:
    """Read the one push.

    Raises:
        Malformed: it names no repository.
    """
    return hint(
        sender=NAME,
        action="push",
        names=(member(document, "repository", "repo_name"),),
        prefix=prefix,
        tags=[member(document, "push_data", "tag")],
        actor=member(document, "push_data", "pusher"),
    )


SENDER = Sender(name=NAME, headers=(), recognises=_recognises, decode=_decode, proofs=(SecretPath(),))
