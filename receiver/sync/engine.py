"""What people and programs may ask of a running receiver: sync, poll, replay, status. One way in for all of them.

Every request becomes tasks in the queue; the answer is the stream of what became of them. The commands of the command
line use it directly, or over HTTP where ``serve`` runs.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import cached_property
from typing import TYPE_CHECKING, Any

from receiver.addon import AddonRepository
from receiver.document import Value
from receiver.errors import RegistryError
from receiver.sync.importing import Imported
from receiver.sync.operations import Changed, Operations, Verified
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.ports import Clock
from receiver.sync.replayed import Replayed
from receiver.sync.request import (
    DiscardRequest,
    MissedRequest,
    PollRequest,
    RememberRequest,
    ReplayRequest,
    Request,
    SyncRequest,
    ViewRequest,
)
from receiver.sync.status import AddonStatus
from receiver.sync.survey import Survey
from receiver.sync.unannounced import MissedPush, Unannounced
from receiver.sync.uninterrupted import uninterrupted
from receiver.sync.views import View, Views
from receiver.sync.worker import Workers
from receiver.tasks.journal import Journal
from receiver.tasks.queue import TaskQueue
from receiver.tasks.task import EVERYTHING, State, Task, Trigger

if TYPE_CHECKING:
    from receiver.sync.recollection import Recollection


class Planned(Value, frozen=True):
    """What a replay would lead to."""

    status: AddonStatus
    events: int
    """Of the addon, among those that would be fed in; 0 where it is replayed for another reason."""


Report = Outcome | Surveyed | Replayed | Planned | MissedPush | Changed | Verified | Imported | View
"""What a request streams back; `Replayed` comes first, once, for a replay."""


class _Wanted(Value, frozen=True):
    names: tuple[str, ...]
    trigger: Trigger
    asked: float
    """In seconds since the epoch: what has arrived since then, and notes of what is replayed, are what led to it."""
    force: bool = False
    replayed: Replayed | None = None


class Engine:
    """Turns requests into tasks and follows them to their ends; somebody must run ``workers``."""

    def __init__(
        self,
        *,
        queue: TaskQueue,
        journal: Journal,
        workers: Workers,
        survey: Survey,
        operations: Operations,
        views: Views,
        unannounced: Unannounced,
        prefix: str,
        clock: Clock,
    ) -> None:
        self._operations = operations
        self._views = views
        self._unannounced = unannounced
        self._verbs: dict[type[Request], Callable[[Any], AsyncGenerator[Report, None]]] = {
            RememberRequest: self._remember,
            DiscardRequest: self._discard,
            MissedRequest: self._missed,
        }
        self._queue = queue
        self._journal = journal
        self._workers = workers
        self._survey = survey
        self._prefix = prefix
        self._clock = clock

    @cached_property
    def _recollection(self) -> "Recollection":
        from receiver.sync.recollection import Recollection  # noqa: PLC0415 - every sender, for replays only

        return Recollection(queue=self._queue, journal=self._journal, prefix=self._prefix, clock=self._clock)

    async def execute(self, request: Request) -> AsyncGenerator[Report, None]:
        """Carry out ``request``, and say what became of each addon as it ends.

        Raises:
            InvalidNameError: an addon of a request has no possible name; nothing was queued.
            QueueUnavailable: nothing was queued.
            ReceiverError: what an operator asked for cannot be done; nothing changed.
        """
        async with aclosing(self._answers(request)) as reports:
            async for report in reports:
                yield report

    def _answers(self, request: Request) -> AsyncGenerator[Report, None]:
        if isinstance(request, ReplayRequest) and request.dry_run:
            return self._plan(request)
        if isinstance(request, SyncRequest | PollRequest | ReplayRequest):
            return self._look(request)
        if isinstance(request, RememberRequest | DiscardRequest | MissedRequest):
            return self._verbs[type(request)](request)
        return self._views.answer(request) if isinstance(request, ViewRequest) else self._operations.execute(request)

    async def _look(self, request: SyncRequest | PollRequest | ReplayRequest) -> AsyncGenerator[Report, None]:
        started = self._clock()
        try:
            wanted = await self._wanted(request, started)
        except RegistryError as error:
            # As a poll says it: there is no list of addons.
            yield Surveyed(started=started, duration=self._clock() - started, error=str(error))
            return
        if wanted.replayed is not None:
            yield wanted.replayed
        async with aclosing(self._follow(wanted)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def _plan(self, request: ReplayRequest) -> AsyncGenerator[Report, None]:
        found = await self._recollection.collect(request)
        yield found
        rows = {row.repository: row for row in await self._views.statuses(ask=True)} if found.repositories else {}
        for name in sorted(found.repositories):
            status = rows.get(str(name)) or (await self._views.statuses(name, ask=True))[0]
            yield Planned(status=status, events=found.repositories[name])

    async def _remember(self, request: RememberRequest) -> AsyncGenerator[Report, None]:
        await self._journal.replayed(request.asides)
        for nothing in list[Report]():
            yield nothing

    async def _discard(self, request: DiscardRequest) -> AsyncGenerator[Report, None]:
        wanted = {str(self._repository(addon).name) for addon in request.addons}
        for task in await self._queue.tasks():
            if task.state is State.PARKED and (not wanted or task.repository in wanted):
                yield await self._operations.carried_out(uninterrupted(self._discarded(task)))

    async def _discarded(self, task: Task) -> Changed:
        await self._queue.discard([task.repository])
        return Changed(
            repository=task.repository,
            action="discarded",
            digest=task.digest,
            note="what is installed stays; the next look tries again what the registry has then, be it the same "
            f"digest: 'addon-sync hold {task.repository.rpartition('/')[2]}' prevents that",
        )

    async def _missed(self, request: MissedRequest) -> AsyncGenerator[Report, None]:
        started = self._clock()
        names = []
        try:
            async for push in self._unannounced.find():
                if push.state == "not installed":
                    names.append(push.repository)
                yield push
        except RegistryError as error:
            yield Surveyed(started=started, duration=self._clock() - started, error=str(error))
            return
        if request.sync:
            wanted = _Wanted(names=tuple(dict.fromkeys(names)), trigger=Trigger.REPLAY, asked=started)
            async with aclosing(self._follow(wanted)) as outcomes:
                async for outcome in outcomes:
                    yield outcome

    async def _wanted(self, request: SyncRequest | PollRequest | ReplayRequest, now: float) -> _Wanted:
        if isinstance(request, PollRequest):
            return _Wanted(names=(EVERYTHING,), trigger=Trigger.POLL, asked=now)
        if isinstance(request, SyncRequest):
            if request.addons:
                names = tuple(self._repository(addon).name for addon in request.addons)
            else:
                names = tuple(repository.name for repository in await self._survey.discover())
            trigger = Trigger.OVERRIDE if request.allow_downgrade else Trigger.COMMAND
            return _Wanted(names=names, trigger=trigger, asked=now, force=request.force)
        found = await self._recollection.collect(request)
        asked = min(now, request.asked or now)
        return _Wanted(names=tuple(sorted(found.repositories)), trigger=Trigger.REPLAY, asked=asked, replayed=found)

    async def _follow(self, wanted: _Wanted) -> AsyncGenerator[Outcome | Surveyed, None]:
        """Queue what is wanted and pass on the first outcome of each that began after that."""
        if not wanted.names:
            return
        ended: asyncio.Queue[Outcome | Surveyed] = asyncio.Queue()
        unsubscribe = self._workers.subscribe(ended.put_nowait)
        try:
            # The queue does things in the order in which they were asked for, so a task that is taken in a later turn
            # knows of this request. Times would not tell: clocks have ticks, and are set back.
            asked = self._workers.turn
            await self._queue.enqueue(
                wanted.names, trigger=wanted.trigger, now=wanted.asked, due=self._clock(), force=wanted.force
            )
            waiting, early = {str(name) for name in wanted.names}, dict[str, Outcome]()
            while waiting:
                outcome = await ended.get()
                if outcome.turn <= asked:
                    continue
                for report in _step(outcome, waiting, early):
                    yield report
        finally:
            unsubscribe()

    def _repository(self, addon: str) -> AddonRepository:
        return AddonRepository.named(addon, prefix=self._prefix)


def _step(outcome: Outcome | Surveyed, waiting: set[str], early: dict[str, Outcome]) -> Sequence[Outcome | Surveyed]:
    """Take ``outcome`` in; what may be passed on now.

    What a survey found is waited for once the survey is known, but may have ended before: those are in ``early``.
    """
    if isinstance(outcome, Surveyed):
        if EVERYTHING not in waiting:
            return ()
        waiting.discard(EVERYTHING)
        done = [early[name] for name in outcome.changed if name in early]
        waiting |= {name for name in outcome.changed if name not in early}
        return [outcome, *done]
    if outcome.repository in waiting:
        waiting.discard(outcome.repository)
        return [outcome]
    early[outcome.repository] = outcome
    return ()
