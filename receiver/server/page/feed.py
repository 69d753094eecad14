"""Tells the pages that are open that something has changed: one look at journal and queue for all of them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from receiver.errors import QueueUnavailable
from receiver.tasks.journal import Journal
from receiver.tasks.queue import TaskQueue

_GLANCE = 1.0
"""Seconds without an entry of the journal, after which the queue is looked at: a task that begins makes no entry."""


class Feed:
    """Looks only while somebody listens."""

    def __init__(self, *, journal: Journal, queue: TaskQueue) -> None:
        self._journal = journal
        self._queue = queue
        self._listeners: set[asyncio.Event] = set()
        self._watching: asyncio.Task[None] | None = None
        self.closed = False

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that is set at every change, and at the end; who waits for it clears it."""
        news = asyncio.Event()
        self._listeners.add(news)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="page")
        try:
            yield news
        finally:
            self._listeners.discard(news)
            if not self._listeners:
                self._stop()

    def tell(self) -> None:
        """Something has changed."""
        for news in self._listeners:
            news.set()

    def close(self) -> None:
        """Nothing will come any more: everybody is told, to find `closed`."""
        self.closed = True
        self._stop()
        self.tell()

    def _stop(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None

    async def _watch(self) -> None:
        before: object = None
        while True:
            now = await self._state()
            if before is not None and now is not None and now != before:
                self.tell()
            before = now or before
            await self._journal.news(_GLANCE)

    async def _state(self) -> object:
        """What differs once something has changed; None where it cannot be told now, which the pages say themselves."""
        try:
            tasks = await self._queue.tasks()
            newest = await self._journal.newest()
        except QueueUnavailable:
            return None
        return newest, tuple((task.repository, task.state, task.attempts, task.due) for task in tasks)
