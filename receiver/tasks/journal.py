"""What is kept of all that arrived and of all that was done, and what may be asked of it. Types and a Protocol. Pure.

The journal is one list of entries in the order in which they became durable: arrivals (deliveries, with their bodies
where something came of them) and activities (syncs, polls, what operators did). Their numbers grow, and none is used
twice.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Literal, Protocol

from receiver.document import InvalidDocument, Moment, Value, encode, remembered
from receiver.tasks.limits import LEAST_WEIGHT

Verdict = Literal["accepted", "quarantined", "duplicate", "ignored", "refused", "replayed"]
"""What became of a delivery. The body is kept of what was accepted or quarantined, and of nothing else."""
Kept = Literal["accepted", "quarantined"]
Kind = Literal["sync", "poll", "operation"]

DUPLICATE = "duplicate"
"""Why an event of an accepted delivery was left out, where another delivery had brought it."""

DOCTOR = "addon-sync doctor"
"""Who sends the notifications that try the endpoint: their actor, and the origin of one that was refused."""


class Event(Value, frozen=True, omit_defaults=True):
    """The part of an event that is kept."""

    repository: str
    """As the sender wrote it; that of an addon where nothing is ``left_out``."""
    event_id: str | None = None
    tag: str | None = None
    digest: str | None = None
    actor: str | None = None
    left_out: str | None = None
    """Why nothing came of it: `DUPLICATE`, or a reason of `receiver.webhook.sender.Ignored`."""
    deleted: bool = False
    """It tells that something was deleted: a hint to look as any other, and no announcement of a push."""


def shortened(events: Iterable[Event], *, count: int) -> tuple[Event, ...]:
    """The first of ``count`` events of which nothing came, up to `LEAST_WEIGHT` bytes of JSON; then how many more.

    One delivery may hold tens of thousands, and of those without a body only the number of entries is bounded.
    """
    if count == 1:
        return tuple(events)
    kept: list[Event] = []
    room = LEAST_WEIGHT
    for event in events:
        room -= len(encode(event))
        if room < 0 and kept:
            break
        kept.append(event)
    more = count - len(kept)
    return (*kept, Event(repository="", left_out=f"and {more:,} more")) if more else tuple(kept)


def read_events(text: str) -> tuple[Event, ...]:
    """What `encode` made of the events of a delivery; one that says so where the row was damaged or edited.

    One row that cannot be read must neither hold up new deliveries nor hide the others.
    """
    try:
        return remembered(text, tuple[Event, ...])
    except InvalidDocument:
        return (Event(repository="", left_out="damaged in the journal"),)


class StoredDelivery(Value, frozen=True):
    """A delivery with its body."""

    id: int
    sender: str
    received: Moment
    verdict: Kept
    reason: str | None
    headers: bytes
    body: bytes
    events: tuple[Event, ...]
    address: str | None = None


class Aside(Value, frozen=True):
    """A delivery of which no body is kept: nothing came of it, or it is kept elsewhere."""

    received: Moment
    sender: str
    verdict: Literal["duplicate", "ignored", "refused", "replayed"]
    reason: str | None = None
    address: str | None = None
    answered: Moment | None = None
    origin: str | None = None
    """Of a replayed one: ``delivery 4711``, or the file and line that it came from; `DOCTOR` of one that it sent."""
    events: tuple[Event, ...] = ()
    count: int = 1
    """So many alike arrived within a moment, the first of them at ``received``."""


class Activity(Value, frozen=True):
    """Something that was done; ``document`` is JSON of whoever did it."""

    at: Moment
    kind: Kind
    outcome: str
    repository: str | None
    """None where it concerns all."""
    document: bytes


class Arrival(Value, frozen=True, tag="arrival"):
    """A delivery as the journal lists it."""

    id: int
    received: Moment
    answered: Moment | None
    """When its answer could be sent, since all of it was durable; None where that is not known (a crash)."""
    sender: str
    verdict: Verdict
    reason: str | None
    address: str | None
    origin: str | None
    events: tuple[Event, ...]
    size: int
    """Bytes of the body that is kept; 0 where none is."""
    count: int = 1


class Done(Value, frozen=True, tag="done"):
    """An activity as the journal lists it."""

    id: int
    activity: Activity


Entry = Arrival | Done


class Wanted(Value, frozen=True):
    """Which entries are asked for; None where anything will do. All must hold."""

    repository: str | None = None
    """Arrivals with an event for this addon repository, and activities that concern it."""
    sender: str | None = None
    verdict: Verdict | None = None
    kind: Kind | None = None
    """Activities of this kind only."""
    arrivals: bool | None = None
    """True: arrivals only; False: activities only."""
    since: float | None = None
    until: float | None = None
    quiet: bool = False
    """Without what was ignored: blobs, pulls and other repositories may be most of what a registry tells."""
    trials: bool = True
    """False: arrivals only that are no `is_trial`."""


def matches(entry: Entry, wanted: Wanted) -> bool:
    """Whether ``entry`` is one of those that are ``wanted``."""
    if isinstance(entry, Done):
        return (
            wanted.arrivals is not True
            and wanted.sender is None
            and wanted.verdict is None
            and wanted.kind in {None, entry.activity.kind}
            and wanted.repository in {None, entry.activity.repository}
            and _in_time(entry.activity.at, wanted)
        )
    return (
        wanted.arrivals is not False
        and wanted.kind is None
        and not (wanted.quiet and entry.verdict == "ignored")
        and wanted.sender in {None, entry.sender}
        and wanted.verdict in {None, entry.verdict}
        and (wanted.trials or not is_trial(entry))
        and (wanted.repository is None or any(concerns(event, wanted.repository) for event in entry.events))
        and _in_time(entry.received, wanted)
    )


def is_trial(arrival: Arrival) -> bool:
    """Whether `DOCTOR` sent it: that announces nothing, and does not show that a registry reaches us."""
    return arrival.origin == DOCTOR or any(event.actor == DOCTOR for event in arrival.events)


def concerned(arrival: Arrival) -> set[str]:
    """The addon repositories that an arrival is about."""
    return {event.repository for event in arrival.events if concerns(event, event.repository)}


def concerns(event: Event, repository: str) -> bool:
    """Whether ``event`` tells of a change of ``repository``: pulls of it, say, do not."""
    return event.repository == repository and event.left_out in {None, DUPLICATE}


def announces(event: Event, repository: str) -> bool:
    """Whether ``event`` tells of a push to ``repository``."""
    return concerns(event, repository) and not event.deleted


def _in_time(when: float, wanted: Wanted) -> bool:
    return (wanted.since is None or when >= wanted.since) and (wanted.until is None or when < wanted.until)


class Page(Value, frozen=True):
    """Entries, the newest first."""

    entries: tuple[Entry, ...]
    before: int | None
    """Ask for those before this number to go on; None where there are no more."""


class Latest(Value, frozen=True):
    """The last that is known of an addon repository."""

    event: Arrival | None = None
    """The last delivery that named it, duplicates and replays included, but no trial."""
    sync: Done | None = None


class Health(Value, frozen=True):
    """How the journal is."""

    entries: int
    bytes: int
    """Of deliveries with bodies."""
    oldest: Moment | None
    newest: Moment | None
    problems: tuple[str, ...] = ()


class Journal(Protocol):
    """What was accepted or could not be parsed, for replay; and everything, for answers.

    Raises (all but `note`):
        QueueUnavailable: nothing was changed.
    """

    def deliveries(
        self,
        *,
        since: float | None = None,
        until: float | None = None,
        repository: str | None = None,
        verdict: Kept | None = None,
        sender: str | None = None,
    ) -> AsyncIterator[StoredDelivery]:
        """Iterate in the order of arrival, a page at a time; nothing is locked between pages."""
        ...

    async def delivery(self, number: int) -> StoredDelivery | None:
        """The delivery with this number, where its body is kept."""
        ...

    def note(self, aside: Aside) -> None:
        """Keep a note of a delivery, soon: nobody waits for it, and of a flood only the number is kept."""
        ...

    async def record(self, activities: Sequence[Activity]) -> None:
        """Keep what was done."""
        ...

    async def replayed(self, asides: Sequence[Aside]) -> None:
        """Keep which events are fed in again."""
        ...

    async def entries(self, wanted: Wanted, *, limit: int, before: int | None = None) -> Page:
        """Entries with numbers below ``before``, the newest first.

        A page may hold fewer than ``limit`` although there are more: no call looks through the whole journal.
        """
        ...

    async def entries_after(self, wanted: Wanted, *, number: int, limit: int) -> Sequence[Entry]:
        """Entries with numbers above ``number``, the oldest first; to follow what happens."""
        ...

    async def newest(self) -> int:
        """The number of the newest entry; -1 where there is none."""
        ...

    async def news(self, seconds: float, *, seen: int | None = None) -> int:
        """Return when there is a new entry, or after ``seconds``: the count of such moments so far.

        Given back as ``seen``, nothing that happens between two calls is slept through: where the count is another one
        already, the call returns at once.
        """
        ...

    async def latest(self, repositories: Collection[str]) -> Mapping[str, Latest]:
        """The last that is known of each."""
        ...

    async def health(self) -> Health:
        """How large it is, and whether the file is whole."""
        ...

    async def trim(self, *, before: float, max_bytes: int) -> int:
        """Forget entries from before ``before``, and the oldest deliveries beyond ``max_bytes``; how many.

        A delivery counts its headers, body and events, and at least `receiver.tasks.limits.LEAST_WEIGHT`. Entries
        without a body are as many as deliveries of that size at most.
        """
        ...
