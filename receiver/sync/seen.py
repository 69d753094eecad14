"""From entries of the journal to facts about addons."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from receiver.sync.chronicle import read
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.status import DesiredFacts, EventFacts, InstalledFacts, SyncFacts
from receiver.tasks.journal import Arrival, Entry, Event, Latest, concerns

read_once = lru_cache(maxsize=1024)(read)
"""The last syncs of all addons are read for every look at them."""


def sync_of(latest: Latest) -> Outcome | None:
    """How the last sync ended; None where there was none, or another version wrote it."""
    sync = read_once(latest.sync.activity) if latest.sync is not None else None
    return sync if isinstance(sync, Outcome) else None


def first_announcements(repository: str, entries: Iterable[Entry]) -> dict[str, EventFacts]:
    """The first delivery of each digest; ``entries`` with the newest first."""
    found: dict[str, EventFacts] = {}
    for entry in entries:
        if isinstance(entry, Arrival) and entry.verdict != "replayed":
            for event in entry.events:
                if concerns(event, repository) and event.digest is not None:
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
    installed: Mapping[str, InstalledFacts], syncs: Mapping[str, Outcome], polled: Surveyed | None
) -> dict[str, DesiredFacts]:
    """What the registry was last seen to want: by the addon's own look, or by a poll that found it as it is."""
    found = {
        name: DesiredFacts(tag=sync.decision.tag, digest=sync.decision.digest, as_of=sync.started)
        for name, sync in syncs.items()
        if sync.decision is not None
    }
    if polled is not None:
        for name, facts in installed.items():
            seen = found.get(name)
            newer = seen is None or (seen.as_of or 0.0) <= polled.started
            if newer and name not in polled.changed and facts.installed <= polled.started:
                found[name] = DesiredFacts(tag=facts.tag, digest=facts.digest, as_of=polled.started)
    return found
