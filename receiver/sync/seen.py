"""From entries of the journal to facts about addons."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from receiver.sync.chronicle import read
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.status import DesiredFacts, EventFacts, InstalledFacts, SyncFacts
from receiver.tasks.journal import Arrival, Done, Entry, Event, Latest, announces, concerns

_ABSENT = "not in the registry when it was last asked, or without a tag that qualifies; what is installed stays"

read_once = lru_cache(maxsize=1024)(read)
"""The last syncs of all addons are read for every look at them."""


def sync_of(latest: Latest) -> Outcome | None:
    """How the last sync ended; None where there was none, or another version wrote it."""
    return outcome_of(latest.sync)


def outcome_of(done: Done | None) -> Outcome | None:
    """How the sync of an entry ended; None as for `sync_of`."""
    sync = read_once(done.activity) if done is not None else None
    return sync if isinstance(sync, Outcome) else None


def poll_of(look: Done | None) -> Surveyed | None:
    """What the last poll that could compare has found; None where there was none, or another version wrote it."""
    polled = read_once(look.activity) if look is not None else None
    return polled if isinstance(polled, Surveyed) else None


def first_announcements(repository: str, entries: Iterable[Entry]) -> dict[str, EventFacts]:
    """The first delivery of each digest; ``entries`` with the newest first."""
    found: dict[str, EventFacts] = {}
    for entry in entries:
        if isinstance(entry, Arrival) and entry.verdict != "replayed":
            for event in entry.events:
                if announces(event, repository) and event.digest is not None:
                    found[event.digest] = _facts(entry, event)
    return found


def event_facts(repository: str, latest: Latest) -> EventFacts | None:
    """What the last delivery said of ``repository``."""
    event = latest.event
    if event is None:
        return None
    return _facts(event, next((about for about in event.events if concerns(about, repository)), None))


def _facts(event: Arrival, named: Event | None) -> EventFacts:
    return EventFacts(
        number=event.id,
        received=event.received,
        sender=event.sender,
        verdict=event.verdict,
        actor=named.actor if named else None,
        tag=named.tag if named else None,
        digest=named.digest if named else None,
        deleted=named is not None and named.deleted,
    )


def sync_facts(latest: Latest, sync: Outcome) -> SyncFacts:
    """How ``sync``, the last one, ended."""
    return SyncFacts(
        number=latest.sync.id if latest.sync is not None else -1,
        ended=sync.started + sync.duration,
        outcome=sync.status,
        trigger=sync.trigger,
        tag=sync.tag,
        digest=sync.digest,
        error=sync.error,
        error_kind=sync.error_kind,
    )


def last_seen(
    installed: Mapping[str, InstalledFacts], looks: Mapping[str, Outcome], polled: Surveyed | None
) -> dict[str, DesiredFacts]:
    """What the registry was last seen to want: by the last of the addon's own ``looks``, or by a poll that asked.

    Of those that a poll asked about it names the ones that the registry did not have; the others it found as they are.
    """
    found = {name: _wanted(sync) for name, sync in looks.items()}
    if polled is None:
        return found
    for name in {*installed, *found}:
        seen, told = found.get(name), _told(polled, name, installed.get(name))
        if told is not None and (seen is None or (seen.as_of or 0.0) <= polled.started):
            found[name] = told
    return found


def look_times(names: Iterable[str], looks: Mapping[str, Outcome], polled: Surveyed | None) -> dict[str, float]:
    """When each was last compared with the registry; without those of which that is not known."""
    found = {name: sync.started + sync.duration for name, sync in looks.items()}
    if polled is not None:
        for name in names:
            if polled.has_asked(name):
                found[name] = max(found.get(name, 0.0), polled.started + polled.duration)
    return found


def _told(polled: Surveyed, name: str, installed: InstalledFacts | None) -> DesiredFacts | None:
    """What a poll told of an addon; None where it did not ask, or found something else that a sync looks at."""
    if name in polled.absent:
        return DesiredFacts(error=_ABSENT, as_of=polled.started)
    found_as_it_is = polled.has_asked(name) and name not in polled.changed
    if installed is None or not found_as_it_is or installed.installed > polled.started:
        return None
    return DesiredFacts(tag=installed.tag, digest=installed.digest, as_of=polled.started)


def has_looked(sync: Outcome) -> bool:
    """Whether the registry has told what it wants: not where it was away, nor of what is held."""
    return sync.decision is not None or sync.status == "absent"


def _wanted(sync: Outcome) -> DesiredFacts:
    if sync.decision is None:
        return DesiredFacts(error=sync.error, as_of=sync.started)
    return DesiredFacts(tag=sync.decision.tag, digest=sync.decision.digest, as_of=sync.started)
