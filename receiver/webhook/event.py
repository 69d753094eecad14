"""The types between the HTTP door and the queue."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from receiver.addon import AddonRepository
from receiver.document import Value

DELETE = "delete"
"""The action of an event that tells of a deletion, whatever its sender calls it."""


class Delivery(Value, frozen=True):
    """What arrived, as it arrived: ``headers`` by lower-case name, the first of doubled ones; ``body`` in bytes."""

    headers: Mapping[str, str]
    body: bytes
    address: str | None = None
    """Of the client; for people only."""


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


class LeftOut(Value, frozen=True):
    """An event that concerns no addon, by what it says of itself: for people who wonder where theirs is."""

    reason: str
    repository: str | None = None
    tag: str | None = None
    event_id: str | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a delivery says: the events that concern addons, and how many do not (by reason)."""

    sender: str
    events: tuple[PushEvent, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    """Reason (``blob``, ``pull``, ``signature``, ``other repository`` …) to count."""
    left_out: tuple[LeftOut, ...] = field(default=(), compare=False)
    """The same events, as far as they can be told apart; judged texts only."""
    malformed: tuple[str, ...] = ()
    """Why single events of a good envelope could not be read: kept for the operator."""
    instance_id: str | None = None
    """The process that sent it, where the sender says: a new one may have lost events (Distribution)."""
