"""Which task may run now: any that is due; while the registry is away, one at a time and rarely.

A task that is not let through keeps its place and spends no attempt. Who waits at a command is told at once.
"""

import logging
import random
from collections.abc import Callable

from receiver.document import Value
from receiver.errors import ReceiverError, RegistryError, Unavailable
from receiver.sync.circuit import Circuit
from receiver.sync.ports import Clock
from receiver.tasks.queue import TaskQueue
from receiver.tasks.task import EVERYTHING, Lease, State, Trigger

_log = logging.getLogger(__name__)


class Granted(Value, frozen=True):
    """A lease; with ``refusal``, it is not to be carried out but answered with that."""

    lease: Lease
    refusal: Unavailable | None = None


class Leasing:
    """Takes tasks from ``queue``, as ``circuit`` allows; ``seconds`` is how long a lease holds.

    Without a circuit every due task may run: a command asks once and tells, it does not wait for better weather.
    """

    def __init__(
        self,
        *,
        queue: TaskQueue,
        circuit: Circuit | None,
        seconds: float,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._queue = queue
        self._circuit = circuit
        self._seconds = seconds
        self._clock = clock
        self._jitter = jitter

    async def take(self, *, busy: bool) -> Granted | None:
        """The next task; ``busy``: others run. None where there is none, or none may run now.

        Raises:
            QueueUnavailable: nothing was taken.
        """
        now = self._clock()
        if self._circuit is None or not self._circuit.is_open:
            lease = await self._queue.lease(now=now, seconds=self._seconds)
            return None if lease is None else Granted(lease)
        wait = self._circuit.wait(now)
        return await self._refuse(now, wait) if wait > 0 or busy else await self._look(now)

    def pause(self, now: float) -> float | None:
        """Seconds until the registry may be asked again; None where it may be at any time."""
        return self._circuit.wait(now) if self._circuit is not None and self._circuit.is_open else None

    async def failed(self, error: ReceiverError) -> None:
        """An attempt has failed.

        Raises:
            QueueUnavailable: as for `answered`.
        """
        if self._circuit is None:
            return
        if isinstance(error, RegistryError) and not isinstance(error, Unavailable):
            await self.answered()  # only not with what was asked for
            return
        was_open, now = self._circuit.is_open, self._clock()
        self._circuit.failed_with(error, now, jitter=self._jitter())
        if self._circuit.is_open and not was_open:
            _log.warning(
                "the registry is not asked for %.0f s, by no addon: %s (what is queued waits)",
                self._circuit.wait(now),
                error,
            )

    async def answered(self) -> None:
        """The registry has answered: if it was away, everybody who waits for another try goes on now.

        Raises:
            QueueUnavailable: they go on when they are due.
        """
        if self._circuit is None or not self._circuit.answered():
            return
        now = self._clock()
        later = [task for task in await self._queue.tasks() if task.state is State.QUEUED and task.due > now]
        _log.info("the registry answers again: %d addons that wait are looked at now", len(later))
        for trigger in Trigger:
            names = [task.repository for task in later if task.trigger is trigger]
            if names:
                await self._queue.enqueue(names, trigger=trigger, now=now)

    async def _look(self, now: float) -> Granted | None:
        """One task to see whether the registry is back: the look at everything first, else what is due soonest."""
        lease = await self._queue.lease(now=now, seconds=self._seconds, only=[EVERYTHING])
        if lease is None:
            due = await self._queue.next_due()
            if due is not None:
                lease = await self._queue.lease(now=max(now, due), seconds=self._seconds)
        return None if lease is None else Granted(lease)

    async def _refuse(self, now: float, wait: float) -> Granted | None:
        waiting = [
            task.repository
            for task in await self._queue.tasks()
            if task.state is State.QUEUED and task.trigger.revives and task.due <= now
        ]
        lease = await self._queue.lease(now=now, seconds=self._seconds, only=waiting) if waiting else None
        if lease is None:
            return None
        return Granted(
            lease, Unavailable(f"the registry was not asked: it is away, and looked for again in {wait:.0f} s")
        )
