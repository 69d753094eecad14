"""Deliveries and events for tests of the queue."""

from receiver.tasks.journal import Event, Kept
from receiver.tasks.queue import Intake

NOW = 1_795_000_000.0
MONITORING = "addons/monitoring"
SECURITY = "addons/security"


def event(repository: str = MONITORING, event_id: str | None = None) -> Event:
    """A push of ``repository``."""
    return Event(repository=repository, event_id=event_id, tag="v1.0.0", digest="sha256:" + "a" * 64, actor="ci")


def intake(
    *events: Event,
    sender: str = "distribution",
    received: float = NOW,
    verdict: Kept = "accepted",
    reason: str | None = None,
    body: bytes = b"{}",
    instance_id: str | None = None,
    address: str | None = None,
) -> Intake:
    """A delivery with ``events``."""
    return Intake(
        sender=sender,
        received=received,
        verdict=verdict,
        reason=reason,
        headers=b'{"content-type":"application/json"}',
        body=body,
        events=events,
        instance_id=instance_id,
        address=address,
    )
