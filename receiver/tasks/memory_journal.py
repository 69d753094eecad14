"""The journal in memory: the same promises without durability, for tests and for reading the contract."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress

from receiver.document import encode, replaced
from receiver.errors import QueueUnavailable
from receiver.tasks.journal import (
    DUPLICATE,
    Activity,
    Arrival,
    Aside,
    Done,
    Entry,
    Event,
    Health,
    Kept,
    Latest,
    Page,
    StoredDelivery,
    Wanted,
    matches,
    shortened,
)
from receiver.tasks.limits import LEAST_WEIGHT, weight
from receiver.tasks.queue import Intake


class MemoryJournal:
    """`Journal` without a file."""

    def __init__(self, journal_bytes: int) -> None:
        self._most = journal_bytes
        self._end = 0
        self._bodies: dict[int, StoredDelivery] = {}
        self._entries: dict[int, Entry] = {}
        self._closed = False
        self._told = 0
        self._news = asyncio.Event()

    async def deliveries(
        self,
        *,
        since: float | None = None,
        until: float | None = None,
        repository: str | None = None,
        verdict: Kept | None = None,
        sender: str | None = None,
    ) -> AsyncIterator[StoredDelivery]:
        """See `Journal.deliveries`."""
        self._check_open()
        wanted = Wanted(since=since, until=until, repository=repository, verdict=verdict, sender=sender)
        for number, delivery in list(self._bodies.items()):
            if matches(self._entries[number], wanted):
                yield delivery

    async def delivery(self, number: int) -> StoredDelivery | None:
        """See `Journal.delivery`."""
        self._check_open()
        return self._bodies.get(number)

    def note(self, aside: Aside) -> None:
        """See `Journal.note`."""
        number = self._number(1)
        self._entries[number] = Arrival(
            id=number,
            received=aside.received,
            answered=aside.answered,
            sender=aside.sender,
            verdict=aside.verdict,
            reason=aside.reason,
            address=aside.address,
            origin=aside.origin,
            events=aside.events,
            size=0,
            count=aside.count,
        )
        self._bound()

    async def record(self, activities: Sequence[Activity]) -> None:
        """See `Journal.record`."""
        self._check_open()
        for activity in activities:
            number = self._number(1)
            self._entries[number] = Done(id=number, activity=activity)
        self._bound()

    async def replayed(self, asides: Sequence[Aside]) -> None:
        """See `Journal.replayed`."""
        self._check_open()
        for aside in asides:
            self.note(aside)

    async def entries(self, wanted: Wanted, *, limit: int, before: int | None = None) -> Page:
        """See `Journal.entries`."""
        self._check_open()
        numbers = [number for number in reversed(self._entries) if before is None or number < before]
        found = [self._entries[number] for number in numbers if matches(self._entries[number], wanted)]
        more = len(found) >= limit
        return Page(entries=tuple(found[:limit]), before=found[limit - 1].id if more else None)

    async def entries_after(self, wanted: Wanted, *, number: int, limit: int) -> Sequence[Entry]:
        """See `Journal.entries_after`."""
        self._check_open()
        found = [entry for entry in self._entries.values() if entry.id > number and matches(entry, wanted)]
        return found[:limit]

    async def newest(self) -> int:
        """See `Journal.newest`."""
        self._check_open()
        return next(reversed(self._entries), -1)

    async def news(self, seconds: float, *, seen: int | None = None) -> int:
        """See `Journal.news`."""
        if seen is None or seen == self._told:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()
        return self._told

    async def latest(self, repositories: Collection[str]) -> Mapping[str, Latest]:
        """See `Journal.latest`."""
        found = {}
        for name in repositories:
            events = (await self.entries(Wanted(repository=name, arrivals=True, trials=False), limit=1)).entries
            syncs = (await self.entries(Wanted(repository=name, kind="sync"), limit=1)).entries
            event, sync = (events[0] if events else None), (syncs[0] if syncs else None)
            found[name] = Latest(
                event=event if isinstance(event, Arrival) else None, sync=sync if isinstance(sync, Done) else None
            )
        return found

    async def health(self) -> Health:
        """See `Journal.health`."""
        times = [delivery.received for delivery in self._bodies.values()]
        begin = next(iter(self._bodies), self._end)
        return Health(
            entries=len(self._entries),
            bytes=self._end - begin,
            oldest=min(times, default=None),
            newest=times[-1] if times else None,
        )

    async def trim(self, *, before: float, max_bytes: int) -> int:
        """See `Journal.trim`."""
        self._check_open()
        floor = self._end - max_bytes
        old = [
            number
            for number, entry in self._entries.items()
            if _time_of(entry) < before or (number in self._bodies and number < floor)
        ]
        return self._forget(old)

    def _check_open(self) -> None:
        if self._closed:
            raise QueueUnavailable("the queue is closed")

    def _number(self, size: int) -> int:
        number = self._end
        self._end += size
        return number

    def _keep(self, intake: Intake, fresh: Sequence[Event]) -> None:
        events = tuple(
            event
            if event.left_out is not None or any(event is new for new in fresh)
            else replaced(event, left_out=DUPLICATE)
            for event in intake.events
        )
        if fresh or intake.verdict == "quarantined":
            self._store(intake, events)
        elif events:
            known = any(event.left_out == DUPLICATE for event in events)
            self.note(
                Aside(
                    received=intake.received,
                    sender=intake.sender,
                    verdict="duplicate" if known else "ignored",
                    address=intake.address,
                    answered=intake.received,
                    events=shortened(events, count=len(events)),
                )
            )

    def _store(self, intake: Intake, events: tuple[Event, ...]) -> None:
        number = self._number(weight(intake.headers, intake.body, encode(events)))
        self._bodies[number] = StoredDelivery(
            id=number,
            sender=intake.sender,
            received=intake.received,
            verdict=intake.verdict,
            reason=intake.reason,
            headers=intake.headers,
            body=intake.body,
            events=events,
            address=intake.address,
        )
        self._entries[number] = Arrival(
            id=number,
            received=intake.received,
            answered=intake.received,
            sender=intake.sender,
            verdict=intake.verdict,
            reason=intake.reason,
            address=intake.address,
            origin=None,
            events=events,
            size=len(intake.body),
        )
        self._bound()

    def _bound(self) -> None:
        self._told += 1
        self._news.set()
        floor = self._end - self._most
        self._forget([number for number in self._bodies if number < floor])
        few = [number for number in self._entries if number not in self._bodies]
        self._forget(few[: -(self._most // LEAST_WEIGHT)])

    def _forget(self, numbers: Sequence[int]) -> int:
        for number in numbers:
            del self._entries[number]
            self._bodies.pop(number, None)
        return len(numbers)


def _time_of(entry: Entry) -> float:
    return entry.activity.at if isinstance(entry, Done) else entry.received
