"""One reader of the journal for all who follow it, however many they are.

Each follower has a bounded buffer. One that does not take what is in it loses the buffer, not its place: it reads the
journal itself from where it stands, until it has caught up. So does who comes with a number from before.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Protocol

from receiver.errors import QueueUnavailable
from receiver.tasks.journal import Entry

_log = logging.getLogger(__name__)

_PIECE = 256
"""Entries read at once: a few milliseconds, in which no delivery is answered."""
_BUFFER = 1024
"""Entries that wait for a follower; a few MiB for the longest ones."""
_REST = 4.0
"""Times as long as the reading of a piece took, nothing is read: in a flood, or when somebody begins far back,
followers lag behind rather than take the writer's time from senders."""
_LOOK = 15.0
"""Seconds without news after which the journal is read all the same."""


class Source(Protocol):
    """The journal; see `receiver.sync.views.Views`."""

    async def after(self, number: int, *, limit: int) -> Sequence[Entry]:
        """Entries with numbers above ``number``, the oldest first."""
        ...

    async def newest(self) -> int:
        """The number of the newest entry."""
        ...

    async def news(self, seconds: float) -> None:
        """Return when there is a new entry, or after ``seconds``."""
        ...


class Follower:
    """What waits for one reader; `end` wakes it for the last time."""

    def __init__(self, buffer: int = _BUFFER) -> None:
        self._most = buffer
        self._waiting: list[Entry] = []
        self._woken = asyncio.Event()
        self.is_behind = True
        self._ended = False

    def offer(self, entries: Sequence[Entry]) -> None:
        """Keep ``entries``, or nothing more where they are too many."""
        if self.is_behind:
            return
        if len(self._waiting) + len(entries) > self._most:
            self._waiting, self.is_behind = [], True
        else:
            self._waiting += entries
        self._woken.set()

    def catch_up(self) -> None:
        """From now on, keep what is offered again."""
        self._waiting, self.is_behind = [], False

    async def take(self, seconds: float) -> Sequence[Entry]:
        """What there is, as soon as there is something; nothing after ``seconds``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        if not self._ended:
            self._woken.clear()
        taken, self._waiting = self._waiting, []
        return taken

    def has_ended(self) -> bool:
        """Whether `end` was called."""
        return self._ended

    def end(self) -> None:
        """Nobody reads any longer."""
        self._ended = True
        self._woken.set()


class Following:
    """The followers, and the reader that runs while there are some."""

    def __init__(self, source: Source, *, most: int) -> None:
        self._source = source
        self._most = most
        self._turn = asyncio.Lock()
        self._rested = 0.0
        self._followers: set[Follower] = set()
        self._reading: asyncio.Task[None] | None = None
        self._began: asyncio.Future[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether nobody else can follow."""
        return len(self._followers) >= self._most

    def __len__(self) -> int:
        return len(self._followers)

    async def follow(
        self, follower: Follower, *, after: int, heartbeat: float
    ) -> AsyncGenerator[tuple[int, Sequence[Entry]], None]:
        """Entries above ``after`` in pieces, each with the number up to which all is told; an empty one is a heartbeat.

        Raises:
            QueueUnavailable: the journal cannot be read.
        """
        self._followers.add(follower)
        try:
            await self._begin()
            while not follower.has_ended():
                if follower.is_behind:
                    follower.catch_up()
                    while not follower.has_ended() and (piece := await self._piece(after)):
                        after = piece[-1].id
                        yield after, piece
                fresh = [entry for entry in await follower.take(heartbeat) if entry.id > after]
                after = fresh[-1].id if fresh else after
                if not follower.has_ended() and not follower.is_behind:
                    yield after, fresh
        finally:
            self._followers.discard(follower)
            self._leave()

    def close(self) -> None:
        """End them all."""
        for follower in self._followers:
            follower.end()

    async def _begin(self) -> None:
        """Return when the reader stands at the end of the journal: what comes after that, it tells."""
        if self._reading is None or self._reading.done():
            self._began = asyncio.get_running_loop().create_future()
            self._reading = asyncio.create_task(self._read(self._began), name="following")
        assert self._began is not None
        await asyncio.shield(self._began)

    def _leave(self) -> None:
        """Read no more where nobody follows."""
        reading = self._reading
        if reading is not None and not self._followers:
            self._reading = self._began = None
            reading.cancel()

    async def _piece(self, number: int) -> Sequence[Entry]:
        loop = asyncio.get_running_loop()
        async with self._turn:
            await asyncio.sleep(max(self._rested - loop.time(), 0.0))
            began = loop.time()
            entries = await self._source.after(number, limit=_PIECE)
            self._rested = loop.time() + _REST * (loop.time() - began)
        return entries

    async def _read(self, began: "asyncio.Future[None]") -> None:
        try:
            number = await self._source.newest()
            began.set_result(None)
            while True:
                # Asked for before the reading: what comes in between is not overlooked.
                news = asyncio.ensure_future(self._source.news(_LOOK))
                try:
                    entries = await self._piece(number)
                    if not entries:
                        await news
                        continue
                finally:
                    news.cancel()
                number = entries[-1].id
                for follower in self._followers:
                    follower.offer(entries)
        except QueueUnavailable as error:
            _log.error("the journal cannot be followed: %s", error)
            if not began.done():
                began.set_exception(error)
            self.close()
        finally:
            if not began.done():
                began.cancel()
