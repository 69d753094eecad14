"""The table of senders, and the one way from a delivery to push events. Pure.

A new sender is a module with a ``SENDER``, and a line in `SENDERS`; nothing else knows how many there are.
"""

from collections.abc import Mapping

from receiver.document import InvalidDocument, parse
from receiver.errors import Malformed, Unsupported
from receiver.webhook import (
    acr,
    artifactory,
    cloudevents,
    distribution,
    dockerhub,
    ghcr,
    gitea,
    google,
    harbor,
    nexus,
    quay,
)
from receiver.webhook.event import Decoded, Delivery
from receiver.webhook.fields import essence
from receiver.webhook.sender import Sender

SENDERS: tuple[Sender, ...] = (
    cloudevents.SENDER,
    distribution.SENDER,
    gitea.SENDER,
    ghcr.SENDER,
    nexus.SENDER,
    harbor.SENDER,
    acr.SENDER,
    dockerhub.SENDER,
    quay.SENDER,
    artifactory.SENDER,
    google.SENDER,
)
"""Asked in this order: those that send most, then who is recognised by headers of its own, then who is by shape."""

BY_KEY: Mapping[str, Sender] = {key: sender for sender in SENDERS for key in (sender.name, *sender.aliases)}
"""By the names under which their credentials are configured."""

UNKNOWN = "unknown"
"""In the place of a sender's name, where nobody recognised the delivery."""

HEADERS: tuple[str, ...] = tuple(
    dict.fromkeys(("content-type", "content-encoding", *(name for sender in SENDERS for name in sender.headers)))
)
"""All that decoding ever reads of the headers, in lower case; a credential is never among them."""


def decode(delivery: Delivery, *, prefix: str) -> Decoded:
    """Recognise the sender and read its events; repositories outside ``prefix`` are ignored and counted.

    Raises:
        Unsupported: no sender that we know, or a compressed body.
        Malformed: a body that is not one JSON document, or not what its sender sends.
    """
    encoding = delivery.headers.get("content-encoding", "identity")
    if encoding.strip().lower() not in {"identity", ""}:
        # No registry compresses its notifications; taking it would only let small bodies become large ones.
        raise Unsupported(f"the content encoding {encoding[:40]!r} is not supported")
    try:
        document = parse(delivery.body)
    except InvalidDocument as error:
        raise Malformed(str(error)) from error
    return understand(delivery.headers, document, prefix=prefix)


def understand(headers: Mapping[str, str], document: object, *, prefix: str) -> Decoded:
    """As `decode`, of a ``document`` that `receiver.document.parse` has read.

    Raises:
        Unsupported: no sender that we know.
        Malformed: not what its sender sends.
    """
    for sender in SENDERS:
        if sender.recognises(headers, document):
            return sender.decode(headers, document, prefix)
    raise Unsupported(f"no known sender: {_described(headers)}")


def sender_name(headers: Mapping[str, str]) -> str:
    """Who sent a delivery that could not be read, as far as its headers tell; else `UNKNOWN`."""
    return next((sender.name for sender in SENDERS if sender.recognises(headers, None)), UNKNOWN)


def _described(headers: Mapping[str, str]) -> str:
    return f"content type {essence(headers.get('content-type', ''))[:80]!r}"
