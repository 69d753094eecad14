"""The durable queue and journal in one SQLite file: `TaskQueue` and `Journal`, kept across crashes."""

import asyncio
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from receiver.document import replaced
from receiver.tasks import store
from receiver.tasks.database import open_database
from receiver.tasks.intake import Intakes
from receiver.tasks.ledger import Ledger
from receiver.tasks.limits import Limits
from receiver.tasks.queue import Intake, Receipt
from receiver.tasks.sqlite_journal import SqliteJournal
from receiver.tasks.statements import run_rows
from receiver.tasks.task import Lease, Task, Trigger
from receiver.tasks.writer import Writer

R = TypeVar("R")


class SqliteQueue(SqliteJournal):
    """`TaskQueue` and `Journal` in the file at ``path``. No other process may write to it meanwhile."""

    def __init__(self, path: Path, limits: Limits, clock: Callable[[], float]) -> None:
        self._arrival = asyncio.Event()
        ledger = Ledger(limits.journal_bytes)
        self._intakes = Intakes(limits, ledger, clock)
        writer = Writer(partial(open_database, path), memory=self._intakes, written=self._written)
        super().__init__(writer, self._intakes, ledger)

    @classmethod
    async def open(cls, path: Path, *, limits: Limits | None = None, clock: Callable[[], float] = time.time) -> Self:
        """Open the file, or make it; for use in the running event loop only.

        Raises:
            QueueUnavailable: it cannot be opened or is damaged; the text names the file and the remedy.
        """
        opened = cls(path, limits or Limits(), clock)
        await opened._writer.start()
        return opened

    async def ingest(self, intake: Intake, *, now: float) -> Receipt:
        """See `TaskQueue.ingest`."""
        receipt = await self._writer.submit(self._intakes.ingest, (intake, now))
        self._settle_soon()
        return receipt

    async def enqueue(
        self,
        repositories: Collection[str],
        *,
        trigger: Trigger,
        now: float,
        due: float | None = None,
        force: bool = False,
    ) -> None:
        """See `TaskQueue.enqueue`."""
        when = now if due is None else due
        rows = [(name, trigger, trigger.rank, when, now, force) for name in dict.fromkeys(repositories)]

        def work(connection: sqlite3.Connection) -> None:
            new = self._intakes.admit(connection, repositories)
            run_rows(connection, "know", [(name,) for name in new])
            run_rows(connection, "ask", rows)

        await self._writer.run(work, wakes=True)

    async def lease(self, *, now: float, seconds: float, only: Collection[str] | None = None) -> Lease | None:
        """See `TaskQueue.lease`. Where the caller is cancelled meanwhile, the task goes back to the queue."""
        token = secrets.token_hex(8)
        taken = self._writer.run(partial(store.lease, token=token, now=now, until=now + seconds, only=only))
        try:
            return await asyncio.shield(taken)
        except asyncio.CancelledError:
            taken.add_done_callback(self._give_back_unheard)
            raise

    async def renew(self, lease: Lease, *, until: float) -> Lease:
        """See `TaskQueue.renew`."""
        return await self._writer.run(partial(store.renew, held=lease, until=until))

    async def complete(self, lease: Lease, *, unpark: bool) -> None:
        """See `TaskQueue.complete`."""

        def work(connection: sqlite3.Connection) -> None:
            task = store.take(connection, lease)
            if unpark:
                store.discard(connection, [task.repository])

        await self._writer.run(work, wakes=True)

    async def retry(self, lease: Lease, *, due: float, error: str, kind: str | None = None) -> None:
        """See `TaskQueue.retry`."""

        def work(connection: sqlite3.Connection) -> None:
            task = store.take(connection, lease)
            again = replaced(task, due=due, attempts=task.attempts + 1, error=error, error_kind=kind)
            store.requeue(connection, again, verb="retry", waits=True)

        await self._writer.run(work, wakes=True)

    async def look_again(self, lease: Lease, *, due: float) -> None:
        """See `TaskQueue.look_again`."""

        def work(connection: sqlite3.Connection) -> None:
            task = store.take(connection, lease)
            again = replaced(task, due=due, looks=task.looks + 1)
            store.requeue(connection, again, verb="look_again", waits=True)

        await self._writer.run(work, wakes=True)

    async def park(self, lease: Lease, *, digest: str | None, error: str, now: float, kind: str | None = None) -> None:
        """See `TaskQueue.park`."""

        def work(connection: sqlite3.Connection) -> None:
            task = store.take(connection, lease)
            attempts = task.attempts + 1
            parked = replaced(task, due=now, digest=digest, attempts=attempts, error=error, error_kind=kind)
            store.park(connection, parked)

        await self._writer.run(work, wakes=True)

    async def give_back(self, lease: Lease) -> None:
        """See `TaskQueue.give_back`."""
        await self._give_back(lease)

    async def recover(self, *, now: float) -> int:
        """See `TaskQueue.recover`."""
        return await self._take_back(now, overdue=None)

    async def expire(self, *, now: float) -> int:
        """See `TaskQueue.expire`."""
        return await self._take_back(now, overdue=now)

    async def discard(self, repositories: Collection[str]) -> int:
        """See `TaskQueue.discard`."""
        return await self._writer.run(partial(store.discard, repositories=repositories))

    async def tasks(self) -> Sequence[Task]:
        """See `TaskQueue.tasks`."""
        return await self._writer.read(store.all_tasks)

    async def parked(self, repository: str) -> Task | None:
        """See `TaskQueue.parked`."""
        return await self._writer.read(partial(store.parked, repository=repository))

    async def known_repositories(self) -> Sequence[str]:
        """See `TaskQueue.known_repositories`."""
        return await self._writer.read(store.known_names)

    async def next_due(self) -> float | None:
        """See `TaskQueue.next_due`."""
        return await self._writer.read(store.next_due)

    async def wait(self, seconds: float) -> None:
        """See `TaskQueue.wait`."""
        # Not wait_for, which in Python 3.11 swallows a cancellation that comes together with the arrival.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrival.wait()
        self._arrival.clear()

    async def close(self) -> None:
        """See `TaskQueue.close`."""
        await self._close_journal()
        await self._writer.close()

    def _written(self) -> None:
        self._arrival.set()
        self._tell()

    def _give_back(self, lease: Lease) -> "asyncio.Future[None]":
        def work(connection: sqlite3.Connection) -> None:
            store.requeue(connection, store.take(connection, lease), verb="recover")

        return self._writer.run(work, wakes=True)

    def _give_back_unheard(self, taken: "asyncio.Future[Lease | None]") -> None:
        if not taken.cancelled() and taken.exception() is None and (lease := taken.result()) is not None:
            # Where this fails too, the lease runs out: nobody is left to tell.
            self._give_back(lease).add_done_callback(lambda given: given.exception())

    async def _take_back(self, now: float, *, overdue: float | None) -> int:
        def work(connection: sqlite3.Connection) -> int:
            tasks = store.take_overdue(connection, overdue)
            for task in tasks:
                # Due now at the latest: it was due before, and the clock may have been set back.
                store.requeue(connection, replaced(task, due=min(task.due, now)), verb="recover")
            return len(tasks)

        count = await self._writer.run(work)
        if count:
            self._written()
        return count
