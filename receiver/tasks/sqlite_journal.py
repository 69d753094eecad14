"""The journal in the file of the durable queue: `receiver.tasks.journal.Journal`, kept across crashes."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from receiver.errors import QueueUnavailable
from receiver.tasks import entries, store
from receiver.tasks.intake import Intakes
from receiver.tasks.journal import Activity, Aside, Entry, Health, Kept, Latest, Page, StoredDelivery, Wanted
from receiver.tasks.ledger import Ledger, bounds
from receiver.tasks.writer import Writer

R = TypeVar("R")

_PAGE_BYTES = 4 * 1024 * 1024
"""Bytes of deliveries read at once, and held in memory while they are iterated."""
_TRIM_ROWS = 512
"""Entries forgotten in one transaction, a few milliseconds, so that no sender waits longer for its answer."""
_SETTLE_SECONDS = 0.25
"""From an entry to its words in the index, where nobody asks sooner."""
_MOST_NOTES = 4096


class SqliteJournal:
    """`Journal` on the writer's thread."""

    def __init__(self, writer: Writer, intakes: Intakes, ledger: Ledger) -> None:
        self._writer = writer
        self._loading = intakes
        self._ledger = ledger
        self._notes: list[Aside] = []
        self._settling: asyncio.TimerHandle | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._told = 0

    async def deliveries(
        self,
        *,
        since: float | None = None,
        until: float | None = None,
        repository: str | None = None,
        verdict: Kept | None = None,
        sender: str | None = None,
    ) -> AsyncIterator[StoredDelivery]:
        """See `Journal.deliveries`; what arrives after the first page was read is not included."""
        filters: dict[str, object] = {
            "since": since,
            "until": until,
            "repository": repository,
            "verdict": verdict,
            "sender": sender,
        }
        begin, end = await self._writer.read(bounds)
        for after in range(begin - 1, end, _PAGE_BYTES):
            last = min(after + _PAGE_BYTES, end - 1)
            for delivery in await self._writer.read(partial(store.page, after=after, last=last, filters=filters)):
                yield delivery

    async def delivery(self, number: int) -> StoredDelivery | None:
        """See `Journal.delivery`."""
        return await self._writer.read(partial(store.delivery, number=number))

    def note(self, aside: Aside) -> None:
        """See `Journal.note`."""
        if len(self._notes) < _MOST_NOTES:
            self._notes.append(aside)
        self._settle_soon()

    async def record(self, activities: Sequence[Activity]) -> None:
        """See `Journal.record`."""

        def work(connection: sqlite3.Connection) -> None:
            self._loading.load(connection)
            for activity in activities:
                self._ledger.record(connection, activity)

        await self._writer.run(work)
        self._settle_soon()
        self._tell()

    async def replayed(self, asides: Sequence[Aside]) -> None:
        """See `Journal.replayed`."""

        def work(connection: sqlite3.Connection) -> None:
            self._loading.load(connection)
            self._ledger.add(connection, asides)
            if self._ledger.is_full:
                self._ledger.settle(connection)

        await self._writer.run(work)
        self._settle_soon()
        self._tell()

    async def entries(self, wanted: Wanted, *, limit: int, before: int | None = None) -> Page:
        """See `Journal.entries`."""
        return await self._asked(partial(entries.page, wanted=wanted, limit=limit, before=before))

    async def entries_after(self, wanted: Wanted, *, number: int, limit: int) -> Sequence[Entry]:
        """See `Journal.entries_after`."""
        return await self._asked(partial(entries.after, wanted=wanted, number=number, limit=limit))

    async def newest(self) -> int:
        """See `Journal.newest`."""
        return await self._asked(entries.newest)

    async def news(self, seconds: float, *, seen: int | None = None) -> int:
        """See `Journal.news`."""
        if seen is None or seen == self._told:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await waiting
            finally:
                # Who waits for a second at a time, for weeks, would leave millions of them.
                self._waiting.discard(waiting)
        return self._told

    async def latest(self, repositories: Collection[str]) -> Mapping[str, Latest]:
        """See `Journal.latest`."""
        return await self._asked(partial(entries.latest, repositories=repositories))

    async def health(self) -> Health:
        """See `Journal.health`."""
        return await self._asked(entries.health)

    async def trim(self, *, before: float, max_bytes: int) -> int:
        """See `Journal.trim`."""
        await self._settle()
        count = await self._in_pieces(partial(store.trim, before=before, max_bytes=max_bytes, most=_TRIM_ROWS))
        await self._in_pieces(partial(store.trim_answers, most=_TRIM_ROWS))
        for term in await self._writer.read(store.all_terms):
            await self._in_pieces(partial(store.trim_mentions, term=term, most=_TRIM_ROWS))
        await self._settle()
        await self._writer.run(self._ledger.forget_words)
        return count

    async def _in_pieces(self, work: Callable[[sqlite3.Connection], int]) -> int:
        """Forget until there is nothing left to forget; how much."""

        def piece(connection: sqlite3.Connection) -> int:
            self._ledger.recount()
            return work(connection)

        count = 0
        while some := await self._writer.run(piece):
            count += some
        return count

    async def _asked(self, question: Callable[[sqlite3.Connection], R]) -> R:
        # A full disk keeps the index behind, and answers from what there is.
        with suppress(QueueUnavailable):
            await self._settle()
        return await self._writer.read(question)

    def _settle_soon(self) -> None:
        if self._settling is None:
            self._settling = asyncio.get_running_loop().call_later(_SETTLE_SECONDS, self._settle_now)

    def _settle_now(self) -> None:
        # Where it fails, what waits is written with what comes next.
        self._settle().add_done_callback(lambda settled: settled.cancelled() or settled.exception())

    def _settle(self) -> "asyncio.Future[None]":
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        notes, self._notes = self._notes, []

        def work(connection: sqlite3.Connection) -> None:
            self._loading.load(connection)
            self._ledger.note(notes)
            notes.clear()  # the ledger has them, also where the transaction fails or is done again
            self._ledger.settle(connection)

        told = bool(notes)
        settled = self._writer.run(work)
        if told:
            self._tell()
        return settled

    async def _close_journal(self) -> None:
        with suppress(QueueUnavailable):
            await self._settle()

    def _tell(self) -> None:
        self._told += 1
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)
