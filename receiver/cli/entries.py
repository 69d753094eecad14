"""Entries of the journal as lines for people."""

import time
from collections.abc import Iterator

from receiver.cli.output import ago
from receiver.cli.terminal import State
from receiver.report import describe, describe_change, describe_import, lasting, size
from receiver.sync.chronicle import read
from receiver.sync.importing import Imported
from receiver.sync.operations import Changed, Verified
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.status import EventFacts
from receiver.tasks.journal import Arrival, Done, Entry, Event

HEADER = ("NUMBER", "TIME", "WHAT", "ADDON", "DETAIL")
WIDTHS = (6, 19, 12, 17)
"""What its columns need as a rule, for rows that are printed one by one."""


def row(entry: Entry) -> tuple[str, ...]:
    """The cells of a table with `HEADER`."""
    if isinstance(entry, Arrival):
        names = dict.fromkeys(event.repository for event in entry.events if event.repository)
        return (
            str(entry.id),
            _time(entry.received),
            State(entry.verdict),
            ", ".join(names),
            "; ".join(_arrival(entry)),
        )
    activity = entry.activity
    what = activity.outcome if activity.kind == "operation" else f"{activity.kind} {activity.outcome}"
    return (str(entry.id), _time(activity.at), State(what), activity.repository or "", _done(entry))


def pushed(event: EventFacts | None, now: float) -> str:
    """Who pushed, and when it arrived."""
    if event is None:
        return ""
    who = f"by {event.actor}, " if event.actor else ""
    return f"{who}{ago(event.received, now=now)}"


def _arrival(arrival: Arrival) -> Iterator[str]:
    source = arrival.sender if arrival.address is None else f"{arrival.sender} at {arrival.address}"
    yield source if arrival.count == 1 else f"{source}, {arrival.count} times"
    if arrival.reason:
        yield arrival.reason
    if arrival.origin:
        yield f"from {arrival.origin}"
    yield from map(_event, arrival.events)


def _event(event: Event) -> str:
    words = [event.tag or (event.digest or "no tag")[:19]] if event.repository else []
    if event.deleted:
        words.append("deleted")
    if event.actor:
        words.append(f"by {event.actor}")
    if event.left_out:
        words.append(f"({event.left_out})")
    return " ".join(words)


def _done(done: Done) -> str:
    deed = read(done.activity)
    if isinstance(deed, Outcome):
        return _outcome(deed)
    if isinstance(deed, Surveyed):
        return deed.error or f"{len(deed.changed)} changed, {deed.unchanged} unchanged, {lasting(deed.duration)}"
    if isinstance(deed, Changed):
        return describe_change(deed).partition(": ")[2]
    if isinstance(deed, Imported):
        return describe_import(deed)[1].partition(": ")[2]
    if isinstance(deed, Verified):
        return deed.error or f"{len(deed.drift)} files brought back"
    return "written by another version of addon-sync"


def _outcome(outcome: Outcome) -> str:
    if outcome.status == "installed":
        amount = f"{outcome.files} files, {size(outcome.fetched)} fetched, {lasting(outcome.duration)}"
        return f"{outcome.tag}, {amount}, asked for by {outcome.trigger}"
    return describe(outcome)[1].partition(": ")[2]


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
