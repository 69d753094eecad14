"""The types between the HTTP door and the queue."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from receiver.addon import AddonRepository
from receiver.document import Value


class Delivery(Value, frozen=True):
    """What arrived, as it arrived: ``headers`` by lower-case name, the first of doubled ones; ``body`` in bytes."""

    headers: Mapping[str, str]
    body: bytes


class PushEvent(Value, frozen=True):
    """A hint that ``repository`` may have changed. Nothing in it is used to fetch or install anything."""

    sender: str
    repository: AddonRepository
    action: str
    event_id: str | None = None
    """The sender's identifier, for dropping duplicates; at most 128 characters."""
    tag: str | None = None
    digest: str | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a delivery says: the events that concern addons, and how many do not (by reason)."""

    sender: str
    events: tuple[PushEvent, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    """Reason (``blob``, ``pull``, ``signature``, ``other repository`` …) to count."""
    malformed: tuple[str, ...] = ()
    """Why single events of a good envelope could not be read: kept for the operator."""
    instance_id: str | None = None
    """The process that sent it, where the sender says: a new one may have lost events (Distribution)."""
