"""What people and programs may ask of a running receiver: sync, poll, replay, status. One way in for all of them.

Every request becomes tasks in the queue; the answer is the stream of what became of them. The commands of the command
line use it directly, or over HTTP where ``serve`` runs.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from receiver.addon import AddonRepository
from receiver.document import InvalidDocument, convert, parse
from receiver.errors import DeliveryError, RegistryError
from receiver.sync.importing import Imported
from receiver.sync.operations import Changed, Operations, Verified
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.ports import Clock
from receiver.sync.replay import Replayed
from receiver.sync.request import OperatorRequest, PollRequest, ReplayRequest, Request, SyncRequest
from receiver.sync.survey import Survey
from receiver.sync.worker import Workers
from receiver.tasks.queue import DeliveryJournal, StoredDelivery, TaskQueue
from receiver.tasks.task import EVERYTHING, State, Task, Trigger
from receiver.webhook.decode import decode
from receiver.webhook.event import Delivery

Report = Outcome | Surveyed | Replayed | Changed | Verified | Imported
"""What a request streams back; `Replayed` comes first, once, for a replay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """The list of tasks, for ``status``."""

    tasks: tuple[Task, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    names: tuple[str, ...]
    trigger: Trigger
    force: bool = False
    replayed: Replayed | None = None


class Engine:
    """Turns requests into tasks and follows them to their ends; somebody must run ``workers``."""

    def __init__(
        self,
        *,
        queue: TaskQueue,
        journal: DeliveryJournal,
        workers: Workers,
        survey: Survey,
        operations: Operations,
        prefix: str,
        clock: Clock,
    ) -> None:
        self._operations = operations
        self._queue = queue
        self._journal = journal
        self._workers = workers
        self._survey = survey
        self._prefix = prefix
        self._clock = clock

    async def execute(self, request: Request) -> AsyncGenerator[Report, None]:
        """Carry out ``request``, and say what became of each addon as it ends.

        Raises:
            InvalidNameError: an addon of a request has no possible name; nothing was queued.
            QueueUnavailable: nothing was queued.
            ReceiverError: what an operator asked for cannot be done; nothing changed.
        """
        if isinstance(request, OperatorRequest):
            async with aclosing(self._operations.execute(request)) as reports:
                async for report in reports:
                    yield report
            return
        started = self._clock()
        try:
            wanted = await self._wanted(request)
        except RegistryError as error:
            # As a poll says it: there is no list of addons.
            yield Surveyed(started=started, duration=self._clock() - started, error=str(error))
            return
        if wanted.replayed is not None:
            yield wanted.replayed
        async with aclosing(self._follow(wanted)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def queue_view(self) -> QueueView:
        """The list of tasks.

        Raises:
            QueueUnavailable: it cannot be read.
        """
        return QueueView(tasks=tuple(await self._queue.tasks()))

    async def _wanted(self, request: SyncRequest | PollRequest | ReplayRequest) -> _Wanted:
        if isinstance(request, PollRequest):
            return _Wanted(names=(EVERYTHING,), trigger=Trigger.POLL)
        if isinstance(request, SyncRequest):
            if request.addons:
                names = tuple(self._repository(addon).name for addon in request.addons)
            else:
                names = tuple(repository.name for repository in await self._survey.discover())
            trigger = Trigger.OVERRIDE if request.allow_downgrade else Trigger.COMMAND
            return _Wanted(names=names, trigger=trigger, force=request.force)
        found = Replayed()
        for name in request.repositories:
            found.repositories.setdefault(AddonRepository.parse(name, prefix=self._prefix).name, 1)
        await self._collect(request, found)
        return _Wanted(names=tuple(sorted(found.repositories)), trigger=Trigger.REPLAY, replayed=found)

    async def _collect(self, request: ReplayRequest, found: Replayed) -> None:
        wanted = self._repository(request.addon).name if request.addon else None
        if request.failed:
            for task in await self._queue.tasks():
                failed = task.state is State.PARKED or task.attempts > 0
                if failed and task.repository != EVERYTHING and wanted in {None, task.repository}:
                    found.repositories.setdefault(task.repository, 0)
        if request.journal or request.quarantined:
            stored = self._journal.deliveries(
                since=request.since,
                until=request.until,
                # What could not be parsed names no repository yet.
                repository=None if request.quarantined else wanted,
                verdict="quarantined" if request.quarantined and not request.journal else None,
            )
            async for delivery in stored:
                self._decode_again(delivery, found, wanted)

    def _decode_again(self, delivery: StoredDelivery, found: Replayed, wanted: str | None) -> None:
        """What the delivery says by today's rules: what could not be parsed when it came may be understood now."""
        found.documents += 1
        where = f"delivery {delivery.id}"
        try:
            headers = convert(parse(delivery.headers or b"{}"), dict[str, str])
            decoded = decode(Delivery(headers=headers, body=delivery.body), prefix=self._prefix)
        except (DeliveryError, InvalidDocument) as error:
            found.problems.append(f"{where} from {delivery.sender}: {error}")
            return
        events = tuple(event for event in decoded.events if wanted in {None, event.repository.name})
        found.add(replace(decoded, events=events), where=where)

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
            await self._queue.enqueue(wanted.names, trigger=wanted.trigger, now=self._clock(), force=wanted.force)
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
