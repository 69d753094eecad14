"""Asks for a look at everything, at start and then at every interval: what makes lost events harmless."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from receiver.errors import QueueUnavailable
from receiver.sync.ports import Clock
from receiver.tasks.queue import TaskQueue
from receiver.tasks.task import EVERYTHING, Trigger

_log = logging.getLogger(__name__)

_SPREAD = 0.1
"""Share of the interval by which it varies, so that hosts that were started together drift apart."""


class Poller:
    """Queues `EVERYTHING`; ``interval`` in seconds, 0 turns it off, at start too."""

    def __init__(
        self,
        *,
        queue: TaskQueue,
        interval: float,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._queue = queue
        self._interval = interval
        self._clock = clock
        self._jitter = jitter
        self._sleep = sleep

    async def run(self) -> None:
        """Ask now, and again until cancelled."""
        while self._interval:
            await self._ask()
            await self._sleep(self._interval * (1 + _SPREAD * (2 * self._jitter() - 1)))

    async def _ask(self) -> None:
        try:
            await self._queue.enqueue([EVERYTHING], trigger=Trigger.POLL, now=self._clock())
        except QueueUnavailable as error:
            _log.error("the poll could not be queued: %s", error)
