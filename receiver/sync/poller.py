"""Asks for a look at everything, at start and then at every interval: what makes lost events harmless.

While events are known to be lost the interval shrinks, and while they arrive it grows, within bounds. A host that
slept, or whose clock jumped ahead, has heard nothing meanwhile, and looks at once.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable

from receiver.errors import QueueUnavailable
from receiver.sync.ports import Clock
from receiver.tasks.queue import TaskQueue
from receiver.tasks.task import EVERYTHING, Trigger

_log = logging.getLogger(__name__)

_SPREAD = 0.1
"""Share of the interval by which it varies, so that hosts that were started together drift apart."""
_SLICE = 30.0
"""Seconds between two looks at the clock, for gaps."""
_GAP = 120.0
"""Seconds by which a wait takes longer than it should, or the clock runs ahead meanwhile, for it to be a gap."""
_SHRINK, _GROW = 0.5, 1.25
"""What an interval becomes after a pass that found a missed event, and after one that found none."""


class Poller:
    """Queues `EVERYTHING`; ``interval`` in seconds, 0 turns it off, at start too.

    It shrinks to ``shortest`` and grows to ``longest`` at most; without these it stays as it is. ``gap`` is told of
    seconds that were missed.
    """

    def __init__(
        self,
        *,
        queue: TaskQueue,
        interval: float,
        clock: Clock,
        shortest: float | None = None,
        longest: float | None = None,
        gap: Callable[[float], None] = lambda _: None,
        jitter: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        lived: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._shortest = min(interval if shortest is None else shortest, interval)
        self._longest = max(interval if longest is None else longest, interval)
        self._clock = clock
        self._gap = gap
        self._jitter = jitter
        self._sleep = sleep
        self._lived = lived
        self._missed = False
        self.interval = interval
        self.next_at: float | None = None
        """When it asks again, in seconds since the epoch; None where it does not."""

    def missed(self) -> None:
        """An event was lost: look sooner."""
        self._missed = True

    async def run(self) -> None:
        """Ask now, and again until cancelled."""
        while self.interval:
            await self._ask()
            pause = self.interval * (1 + _SPREAD * (2 * self._jitter() - 1))
            self.next_at = self._clock() + pause
            await self._wait(pause)
            factor = _SHRINK if self._missed else _GROW
            self.interval = min(max(self.interval * factor, self._shortest), self._longest)
            self._missed = False

    async def _wait(self, seconds: float) -> None:
        """Until so much time has passed, or much more has at once than was waited for.

        Of the time that a host sleeps, the clock always knows afterwards; that of the process counts it on Windows, and
        does not on Linux.
        """
        while seconds > 0:
            step = min(seconds, _SLICE)
            before, lived = self._clock(), self._lived()
            await self._sleep(step)
            passed = self._lived() - lived
            seconds -= max(passed, step)
            missed = max(self._clock() - before, passed) - step
            if missed > _GAP:
                self._gap(missed)
                return

    async def _ask(self) -> None:
        try:
            await self._queue.enqueue([EVERYTHING], trigger=Trigger.POLL, now=self._clock())
        except QueueUnavailable as error:
            _log.error("the poll could not be queued: %s", error)
