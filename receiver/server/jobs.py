"""What was asked for over HTTP and takes a while: goes on when nobody listens, and can be looked at until it is old.

In memory: what was queued is durable, and after a restart `/v1/events` tells what became of it.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from contextlib import aclosing

from receiver.errors import ReceiverError
from receiver.server.control import Commands
from receiver.sync.request import Request
from receiver.sync.tally import Tally

_log = logging.getLogger(__name__)

_MOST = 100
_MOST_REPORTS = 1000
"""Of one job, a few MiB."""
_MOST_REPORTS_OF_ALL = 5000


class Job:
    """One request, and what came of it so far; ``kind`` is what the asker called it."""

    def __init__(self, *, name: str, kind: str, asked: float, tally: Tally) -> None:
        self.name = name
        self.kind = kind
        self.asked = asked
        self.tally = tally
        self.ended: float | None = None
        self.error: str | None = None
        self.done = asyncio.Event()

    @property
    def has_failed(self) -> bool:
        """Whether it ended, and not well."""
        return self.error is not None or (self.ended is not None and self.tally.has_failed)


class Jobs:
    """The newest jobs; ``new_name`` makes names that nobody guesses and no other start of the process gives."""

    def __init__(
        self,
        commands: Commands,
        *,
        clock: Callable[[], float],
        new_name: Callable[[], str],
        most: int = _MOST,
        most_reports: int = _MOST_REPORTS_OF_ALL,
    ) -> None:
        self._commands = commands
        self._clock = clock
        self._new_name = new_name
        self._most = most
        self._most_reports = most_reports
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._running: set[asyncio.Task[None]] = set()

    def start(self, request: Request, *, kind: str, named: bool = False) -> Job | None:
        """Begin; None where so many are running that none can be forgotten for this one."""
        if len(self._running) >= self._most:
            return None
        tally = Tally(named=named, most=_MOST_REPORTS)
        job = Job(name=self._new_name(), kind=kind, asked=self._clock(), tally=tally)
        self._jobs[job.name] = job
        running = asyncio.create_task(self._run(job, request), name=f"job {job.name}")
        self._running.add(running)
        running.add_done_callback(self._ended)
        self._forget()
        return job

    def get(self, name: str) -> Job | None:
        """The job of this name, unless it was too long ago."""
        return self._jobs.get(name)

    async def close(self) -> None:
        """Follow none any longer; what is queued stays queued."""
        running = set(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _run(self, job: Job, request: Request) -> None:
        why: str | None = "fault of the receiver, its log says more"
        try:
            async with aclosing(self._commands.execute(request)) as reports:
                async for report in reports:
                    job.tally.add(report)
            why = None
        except ReceiverError as error:
            why = str(error)
        except asyncio.CancelledError:
            why = "the receiver stops; what was queued is done after its next start"
            raise
        finally:
            job.error, job.ended = why, self._clock()
            job.done.set()
            self._forget()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("Fault in %s", task.get_name(), exc_info=error)

    def _forget(self) -> None:
        """The oldest that have ended, while there are too many, or they hold too much."""
        reports = sum(len(job.tally) for job in self._jobs.values())
        for name, job in list(self._jobs.items())[:-1]:
            if len(self._jobs) <= self._most and reports <= self._most_reports:
                return
            if job.ended is not None:
                reports -= len(self._jobs.pop(name).tally)
