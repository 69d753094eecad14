"""What programs read of the journal and of an addon's story: on the command line and over HTTP the same documents.

Other views are documents as they are; `receiver.document.outward` writes all of them.
"""

from dataclasses import dataclass
from typing import Any

from receiver.document import Moment, Value, outward
from receiver.sync.chronicle import read
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.status import AddonStatus
from receiver.sync.story import Step, Story
from receiver.tasks.journal import Arrival, Done, Entry, Event, Verdict


class DeliveryEntry(Value, frozen=True, tag_field="kind", tag="delivery"):
    """Something arrived."""

    id: int
    received: Moment
    answered: Moment | None
    sender: str
    verdict: Verdict
    reason: str | None
    address: str | None
    origin: str | None
    events: tuple[Event, ...]
    size: int
    count: int


class SyncEntry(Value, frozen=True, tag_field="kind", tag="sync"):
    """An addon was looked at; without detail where another version wrote it."""

    id: int
    at: Moment
    repository: str | None
    outcome: str
    detail: Outcome | None


class PollEntry(Value, frozen=True, tag_field="kind", tag="poll"):
    """Everything was looked at."""

    id: int
    at: Moment
    outcome: str
    detail: Surveyed | None


class OperationEntry(Value, frozen=True, tag_field="kind", tag="operation"):
    """An operator did something: changed an addon, or had it repaired."""

    id: int
    at: Moment
    repository: str | None
    outcome: str
    detail: dict[str, Any] | None
    """What changed, or what was verified: by the outcome."""


EntryDocument = DeliveryEntry | SyncEntry | PollEntry | OperationEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryDocument:
    """Where an addon stands, why, and what the journal holds of it, the newest first."""

    status: AddonStatus
    steps: tuple[Step, ...]
    entries: tuple[EntryDocument, ...]


def entry_document(entry: Entry) -> EntryDocument:
    """An entry of the journal."""
    return _delivery(entry) if isinstance(entry, Arrival) else _activity(entry)


def story_document(story: Story) -> StoryDocument:
    """All about one addon."""
    return StoryDocument(
        status=story.status, steps=story.steps, entries=tuple(entry_document(entry) for entry in story.entries)
    )


def _delivery(arrival: Arrival) -> DeliveryEntry:
    return DeliveryEntry(
        id=arrival.id,
        received=arrival.received,
        answered=arrival.answered,
        sender=arrival.sender,
        verdict=arrival.verdict,
        reason=arrival.reason,
        address=arrival.address,
        origin=arrival.origin,
        events=arrival.events,
        size=arrival.size,
        count=arrival.count,
    )


def _activity(done: Done) -> SyncEntry | PollEntry | OperationEntry:
    activity, deed = done.activity, read(done.activity)
    if activity.kind == "poll":
        looked = deed if isinstance(deed, Surveyed) else None
        return PollEntry(id=done.id, at=activity.at, outcome=activity.outcome, detail=looked)
    if activity.kind == "sync":
        return SyncEntry(
            id=done.id,
            at=activity.at,
            repository=activity.repository,
            outcome=activity.outcome,
            detail=deed if isinstance(deed, Outcome) else None,
        )
    return OperationEntry(
        id=done.id,
        at=activity.at,
        repository=activity.repository,
        outcome=activity.outcome,
        detail=None if deed is None else outward(deed),
    )
