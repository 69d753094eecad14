"""Azure Container Registry: one event as Distribution writes it, without the envelope. Pure.

Facts: "Azure Container Registry webhook reference" (learn.microsoft.com). ``ping`` is what the portal sends as a test;
``chart_push`` and ``chart_delete`` concern its former chart store, which holds no artifacts. One attempt.
"""

from collections.abc import Mapping

from receiver.errors import Malformed
from receiver.webhook.distribution import judge, named
from receiver.webhook.event import Decoded
from receiver.webhook.proof import Token
from receiver.webhook.sender import Ignored, Sender

NAME = "acr"


def _recognises(_: Mapping[str, str], document: object) -> bool:
    if not isinstance(document, dict) or not isinstance(document.get("action"), str):
        return False
    return "target" in document or (document["action"] == "ping" and "timestamp" in document)


def _decode(_: Mapping[str, str], document: object, prefix: str) -> Decoded:
    """Read the one event.

    Raises:
        Malformed: it has no target that can be read.
    """
    if not isinstance(document, dict):
        raise Malformed("the event is not an object")
    outcome = judge(document, prefix, sender=NAME)
    if isinstance(outcome, Ignored):
        return Decoded(sender=NAME, ignored={outcome: 1}, left_out=(named(document, outcome),))
    return Decoded(sender=NAME, events=(outcome,))


SENDER = Sender(name=NAME, headers=(), recognises=_recognises, decode=_decode, proofs=(Token(),))
