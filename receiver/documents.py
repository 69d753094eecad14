"""Answers as JSON documents for programs, the same from the command line and over HTTP. Pure.

Times are ISO 8601 in UTC, sizes bytes, durations seconds; members are named as the values that they come from.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from receiver.document import parse
from receiver.sync.outcome import Outcome
from receiver.sync.status import AddonStatus
from receiver.sync.story import Step, Story
from receiver.sync.unannounced import MissedPush
from receiver.sync.views import Parked, QueueHealth, ReleaseFacts
from receiver.tasks.journal import Arrival, Done, Entry, Event

Document = dict[str, Any]

_TIMES = ("next_attempt", "last_look", "next_look")
_TIMES_WITHIN = {
    "hold": "since",
    "installed": "installed",
    "desired": "as_of",
    "last_event": "received",
    "last_sync": "ended",
}
_TIMES_OF_DEEDS = frozenset({"asked", "started", "visible", "replaced", "retry_at"})


def iso(seconds: float | None) -> str | None:
    """A time for programs: ISO 8601, UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def status_document(status: AddonStatus) -> Document:
    """Where an addon stands."""
    found = asdict(status)
    for key in _TIMES:
        found[key] = iso(found[key])
    for key, time_key in _TIMES_WITHIN.items():
        if found[key] is not None:
            found[key][time_key] = iso(found[key][time_key])
    return found


def story_document(story: Story) -> Document:
    """Why an addon is as it is."""
    return {
        "status": status_document(story.status),
        "steps": [_step(step) for step in story.steps],
        "entries": [entry_document(entry) for entry in story.entries],
    }


def outcome_document(outcome: Outcome) -> Document:
    """What became of a look at an addon."""
    return {key: iso(value) if key in _TIMES_OF_DEEDS else value for key, value in asdict(outcome).items()}


def entry_document(entry: Entry) -> Document:
    """An entry of the journal; ``kind`` is ``delivery``, ``sync``, ``poll`` or ``operation``."""
    return _arrival(entry) if isinstance(entry, Arrival) else _done(entry)


def parked_document(parked: Parked) -> Document:
    """A task that is not tried again by itself."""
    return {**asdict(parked), "since": iso(parked.since)}


def missed_document(push: MissedPush) -> Document:
    """A push that no event announced."""
    return {**asdict(push), "installed": iso(push.installed)}


def release_document(release: ReleaseFacts) -> Document:
    """A kept release, with who pushed it."""
    found = asdict(release)
    if release.event is not None:
        found["event"]["received"] = iso(release.event.received)
    return {**found, "arrived": iso(release.arrived)}


def health_document(health: QueueHealth) -> Document:
    """How queue and journal are."""
    journal = health.journal
    return {
        "tasks": dict(health.tasks),
        "journal": {
            "entries": journal.entries,
            "bytes": journal.bytes,
            "oldest": iso(journal.oldest),
            "newest": iso(journal.newest),
            "problems": list(journal.problems),
        },
    }


def _step(step: Step) -> Document:
    return {"title": step.title, "text": step.text, "when": iso(step.when), "facts": list(step.facts)}


def _arrival(arrival: Arrival) -> Document:
    return {
        "id": arrival.id,
        "kind": "delivery",
        "received": iso(arrival.received),
        "answered": iso(arrival.answered),
        "sender": arrival.sender,
        "verdict": arrival.verdict,
        "reason": arrival.reason,
        "address": arrival.address,
        "origin": arrival.origin,
        "events": [_event(event) for event in arrival.events],
        "size": arrival.size,
        "count": arrival.count,
    }


def _event(event: Event) -> Document:
    return {
        "repository": event.repository,
        "event_id": event.event_id,
        "tag": event.tag,
        "digest": event.digest,
        "actor": event.actor,
        "left_out": event.left_out,
    }


def _done(done: Done) -> Document:
    activity = done.activity
    detail = parse(activity.document)
    if isinstance(detail, dict):
        detail = {key: iso(value) if key in _TIMES_OF_DEEDS else value for key, value in detail.items()}
    return {
        "id": done.id,
        "kind": activity.kind,
        "at": iso(activity.at),
        "outcome": activity.outcome,
        "repository": activity.repository,
        "detail": detail,
    }
