"""Takes due tasks from the queue, runs them side by side, and reports what became of each."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any

from receiver.addon import AddonRepository
from receiver.catalog.record import AddonRecord, Hold, held_text
from receiver.document import Mutable, replaced
from receiver.errors import AddonHeld, LeaseLost, NotInRegistry, QueueUnavailable, ReceiverError, Unavailable
from receiver.sync.circuit import Circuit
from receiver.sync.decision import decided
from receiver.sync.leasing import Granted, Leasing
from receiver.sync.outcome import Outcome, Status, Surveyed
from receiver.sync.ports import Clock
from receiver.sync.retry import LOOK_AGAIN, MAX_DELAY, Park, after_failure
from receiver.sync.survey import Survey
from receiver.sync.syncer import Desired, Installed, Syncer
from receiver.sync.uninterrupted import uninterrupted
from receiver.tasks.queue import TaskQueue
from receiver.tasks.task import EVERYTHING, Lease, Task, Trigger

_log = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
_RENEW_SECONDS = 20.0
"""A third of a lease; also the longest wait without a look at the queue: clocks jump, no due task may be left lying."""
_PAUSE_AFTER_FAULT = 1.0
_FRESH_SECONDS = 15.0
"""A poll does not ask again for what an event or a person had looked at within these: a push that came since is
announced, or found by the next poll."""

Listener = Callable[[Outcome | Surveyed], None]


class _Attempt(Mutable):
    """What is known of a sync so far, for the report of whatever end it comes to."""

    lease: Lease
    turn: int
    started: float
    refusal: Unavailable | None = None
    """It is not to be carried out, but answered with this."""
    record: AddonRecord | None = None
    """What was known of the addon before."""
    desired: Desired | None = None
    installed: Installed | None = None


class Workers:
    """Up to ``concurrency`` tasks at once; `run` until `stop`."""

    def __init__(
        self,
        *,
        queue: TaskQueue,
        syncer: Syncer,
        survey: Survey,
        prefix: str,
        concurrency: int,
        clock: Clock,
        circuit: Circuit | None = None,
        jitter: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._leasing = Leasing(queue=queue, circuit=circuit, seconds=LEASE_SECONDS, clock=clock, jitter=jitter)
        self._queue = queue
        self._syncer = syncer
        self._survey = survey
        self._prefix = prefix
        self._concurrency = concurrency
        self._clock = clock
        self._jitter = jitter
        self._sleep = sleep
        self._listeners: list[Listener] = []
        self._stopping = asyncio.Event()
        self._running: dict[asyncio.Task[None], Lease] = {}
        self._kept = clock()
        self._looked: dict[str, float] = {}
        self._streaks: dict[str, tuple[type[ReceiverError], int]] = {}
        self._turn = 0

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell ``listener`` every outcome from now on; the answer ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @property
    def busy(self) -> int:
        """How many tasks run now."""
        return len(self._running)

    @property
    def turn(self) -> int:
        """How often the queue was asked for a task: an outcome of a later turn knows of what is queued now."""
        return self._turn

    async def run(self) -> None:
        """Work until `stop`: then nothing new is taken, and what runs is awaited."""
        while not self._stopping.is_set():
            try:
                granted = await self._next()
                if granted is None:
                    await self._wait()
                elif self._stopping.is_set():
                    await self._report(self._queue.give_back(granted.lease))
                else:
                    self._begin(granted)
            except QueueUnavailable as error:
                _log.error("the queue cannot be read: %s", error)
                await self._pause(_PAUSE_AFTER_FAULT)
        if self._running:
            await asyncio.wait(set(self._running))

    def stop(self) -> None:
        """Take no more tasks."""
        self._stopping.set()

    async def give_back(self) -> None:
        """Cancel what runs; each task goes back to the queue as it was.

        What has ended, or is being installed and then ends, is reported as ever.
        """
        # What is cancelled before its first step could not give anything back.
        await asyncio.sleep(0)
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(set(self._running))

    def _begin(self, granted: Granted) -> None:
        lease = granted.lease
        attempt = _Attempt(lease=lease, turn=self._turn, started=self._clock(), refusal=granted.refusal)
        task = asyncio.create_task(self._handle(attempt), name=f"sync {lease.task.repository}")
        self._running[task] = lease
        task.add_done_callback(self._running.pop)

    async def _next(self) -> Granted | None:
        await self._keep()
        if len(self._running) >= self._concurrency:
            return None
        self._turn += 1
        return await self._leasing.take(busy=bool(self._running))

    async def _keep(self) -> None:
        """Renew the leases of what runs, and only then end those that ran out: no addon is ever synced twice at once.

        It must be in this order: a computer that slept finds all leases run out when it wakes. What runs out for good
        belongs to a result that could not be stored: see `_report`.
        """
        now = self._clock()
        if abs(now - self._kept) < _RENEW_SECONDS:
            return
        for lease in list(self._running.values()):
            with contextlib.suppress(LeaseLost):  # it has just been reported
                await self._queue.renew(lease, until=now + LEASE_SECONDS)
        await self._queue.expire(now=now)
        self._kept = now

    async def _wait(self) -> None:
        """Until something may have become due, a place is free, or it is time to stop."""
        seconds = _RENEW_SECONDS
        if len(self._running) < self._concurrency:
            now = self._clock()
            due, pause = await self._queue.next_due(), self._leasing.pause(now)
            seconds = _RENEW_SECONDS if due is None else min(max(due - now, 0.0), _RENEW_SECONDS)
            if pause is not None:
                # One at a time: who runs now tells, and else it is the time that does.
                seconds = _RENEW_SECONDS if self._running else min(pause, _RENEW_SECONDS)
        await self._first_of(self._queue.wait(seconds), *self._running)

    async def _pause(self, seconds: float) -> None:
        await self._first_of(self._sleep(seconds))

    async def _first_of(self, wait: Awaitable[None], *running: asyncio.Task[None]) -> None:
        """Return when ``wait`` or one of ``running`` is done, or it is time to stop."""
        waits = {asyncio.ensure_future(wait), asyncio.ensure_future(self._stopping.wait())}
        try:
            await asyncio.wait({*waits, *running}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in waits:
                waiting.cancel()

    async def _handle(self, attempt: _Attempt) -> None:
        try:
            if attempt.lease.task.repository == EVERYTHING:
                await self._look_at_everything(attempt)
            else:
                await self._sync(attempt)
        except asyncio.CancelledError:
            await uninterrupted(self._report(self._queue.give_back(attempt.lease)))
            raise
        except Exception as error:  # noqa: BLE001 - told to everybody who waits, and not repeated for this digest
            await self._fault(attempt, error)

    async def _fault(self, attempt: _Attempt, error: Exception) -> None:
        """A fault of the program: other addons go on, this one is parked, and people must know."""
        repository = attempt.lease.task.repository
        _log.error("%s: a fault of addon-sync, please report it", repository, exc_info=error)
        reason = f"a fault of addon-sync: {error!r}"
        await self._park(attempt, reason)
        if repository == EVERYTHING:
            self._tell(self._surveyed(attempt, error=reason))
        else:
            self._tell(self._outcome(attempt, "failed", error=reason, parked=True))

    async def _sync(self, attempt: _Attempt) -> None:
        end = await self._end(attempt)
        # Also where the workers are stopped just now: what was done is told, and not done again.
        await uninterrupted(end)

    async def _end(self, attempt: _Attempt) -> Coroutine[Any, Any, None]:
        """Carry out the task, as far as it goes; what is to be reported of it."""
        try:
            if attempt.refusal is not None:
                raise attempt.refusal
            outcome = await self._attempt(attempt)
        except NotInRegistry as error:
            if attempt.desired is None:
                await self._report(self._leasing.answered())
                # No repository or no tag: nothing to install, and what is installed stays. A push cures it.
                return self._settle(attempt, self._outcome(attempt, "absent", error=str(error)))
            return self._failed(attempt, error)
        except AddonHeld as error:
            # Between the look and the installation a person said so.
            return self._settle(attempt, self._outcome(attempt, "held", error=str(error)))
        except ReceiverError as error:
            return self._failed(attempt, error)
        return self._settle(attempt, outcome)

    async def _attempt(self, attempt: _Attempt) -> Outcome:
        task = attempt.lease.task
        repository = AddonRepository.parse(task.repository, prefix=self._prefix)
        attempt.record = record = await self._syncer.record(repository)
        if record is not None and record.hold is not None:
            return await self._held(attempt, repository, record, record.hold)
        attempt.desired = desired = await self._syncer.look(repository)
        await self._report(self._leasing.answered())
        current = await self._syncer.is_current(desired)
        if current and not task.force:
            return self._outcome(attempt, "unchanged")
        parked = await self._queue.parked(task.repository)
        if parked is not None and parked.digest == str(desired.digest) and not task.trigger.revives:
            kind = parked.error_kind
            return self._outcome(attempt, "failed", error=parked.error, error_kind=kind, parked=True)
        if not current:
            _log.info("Digest changed -- proceeding with full sync", extra={"addon": repository.leaf})
        installed = await self._syncer.install(desired, downgrade=task.trigger.downgrades)
        return self._installed(attempt, installed)

    async def _held(self, attempt: _Attempt, repository: AddonRepository, record: AddonRecord, hold: Hold) -> Outcome:
        """Nothing new comes; what is held is brought back where it is gone, or has changed and a poll says so."""
        repairs = attempt.lease.task.force and attempt.lease.task.trigger is Trigger.POLL
        if record.installed is not None and (repairs or not await self._syncer.is_present(record)):
            return self._installed(attempt, await self._syncer.bring_back(repository, record))
        return self._outcome(attempt, "held", error=held_text(repository.leaf, hold))

    def _installed(self, attempt: _Attempt, installed: Installed) -> Outcome:
        attempt.installed = installed
        installation = installed.installation
        before = attempt.record.installed if attempt.record is not None else None
        return replaced(
            self._outcome(attempt, "installed"),
            tag=installed.tag,
            digest=str(installed.digest),
            version=installed.version,
            files=installation.files,
            fetched=installed.fetched,
            visible=installation.visible,
            kept=installation.kept,
            replaced=before.installed if before is not None else None,
            replaced_digest=before.digest if before is not None else None,
        )

    async def _settle(self, attempt: _Attempt, outcome: Outcome) -> None:
        """Done; or look again, where an event brought nothing new and its tag may not be visible yet."""
        task = attempt.lease.task
        nothing_new = outcome.status in {"unchanged", "absent"} or outcome.parked
        if nothing_new and task.trigger is Trigger.EVENT and task.looks < len(LOOK_AGAIN):
            await self._report(self._queue.look_again(attempt.lease, due=self._clock() + LOOK_AGAIN[task.looks]))
            return
        self._streaks.pop(outcome.repository, None)
        # A held addon is not looked at: what is known of its digests stays.
        unpark = not outcome.parked and outcome.status != "held"
        # What a poll finds was announced by nobody: in a registry that sends no events, the next one looks again.
        if outcome.status in {"installed", "unchanged"} and task.trigger is not Trigger.POLL:
            self._looked[outcome.repository] = outcome.started
        await self._report(self._queue.complete(attempt.lease, unpark=unpark))
        self._tell(outcome)

    async def _failed(self, attempt: _Attempt, error: ReceiverError) -> None:
        lease, now = attempt.lease, self._clock()
        if error is not attempt.refusal:
            await self._report(self._leasing.failed(error))
        alike = self._alike(lease.task.repository, error)
        decision = after_failure(error, lease.task.attempts + 1, alike=alike, jitter=self._jitter())
        kind = type(error).__name__
        if isinstance(decision, Park):
            await self._park(attempt, decision.reason, kind)
        else:
            await self._report(self._queue.retry(lease, due=now + decision.delay, error=str(error), kind=kind))
        failed = self._outcome(attempt, "failed", error=str(error), parked=isinstance(decision, Park))
        retry_at = None if isinstance(decision, Park) else now + decision.delay
        attempts = lease.task.attempts + 1
        self._tell(replaced(failed, error_kind=kind, attempts=attempts, retry_at=retry_at))

    def _alike(self, repository: str, error: ReceiverError) -> int:
        """How many failures of this kind ``repository`` has had in a row, since this process began."""
        kind, count = self._streaks.get(repository, (type(error), 0))
        count = count + 1 if kind is type(error) else 1
        self._streaks[repository] = type(error), count
        return count

    async def _park(self, attempt: _Attempt, reason: str, kind: str | None = None) -> None:
        digest = str(attempt.desired.digest) if attempt.desired else None
        parking = self._queue.park(attempt.lease, digest=digest, error=reason, now=self._clock(), kind=kind)
        await self._report(parking)

    async def _look_at_everything(self, attempt: _Attempt) -> None:
        lease = attempt.lease
        try:
            surveyed = await self._survey.run(fresh=self._looked_at_now(lease.task))
        except ReceiverError as error:
            await self._report(self._leasing.failed(error))
            alike = self._alike(EVERYTHING, error)
            decision = after_failure(error, lease.task.attempts + 1, alike=alike, jitter=self._jitter())
            # A poll is never parked: lost events are its business, and nobody might ask for another one.
            delay = MAX_DELAY if isinstance(decision, Park) else decision.delay
            await self._report(self._queue.retry(lease, due=self._clock() + max(delay, 1.0), error=str(error)))
            self._tell(self._surveyed(attempt, error=str(error)))
            return
        await self._report(self._leasing.answered())
        self._streaks.pop(EVERYTHING, None)
        trigger = Trigger.POLL if lease.task.trigger is Trigger.EVENT else lease.task.trigger
        for names, force in ((surveyed.changed, False), (surveyed.drifted, True)):
            if names and not await self._report(
                self._queue.enqueue(names, trigger=trigger, now=self._clock(), force=force)
            ):
                # Not completed: the look will be repeated, and who waits for it is told then.
                return
        await self._report(self._queue.complete(lease, unpark=True))
        self._tell(replaced(surveyed, turn=attempt.turn))

    def _looked_at_now(self, look: Task) -> Collection[str]:
        """The repositories that a poll need not ask for again: an event or a person has just brought them.

        Whatever else asks for a look at everything (a delivery that cannot be read, a sender that was restarted) may be
        about a push that came after the last look at an addon.
        """
        now = self._clock()
        self._looked = {name: when for name, when in self._looked.items() if 0 <= now - when < _FRESH_SECONDS}
        return self._looked if look.trigger is Trigger.POLL else ()

    def _surveyed(self, attempt: _Attempt, *, error: str) -> Surveyed:
        started = attempt.started
        return Surveyed(started=started, duration=self._clock() - started, error=error, turn=attempt.turn)

    def _outcome(self, attempt: _Attempt, status: Status, **details: Any) -> Outcome:
        desired = attempt.desired
        return Outcome(
            repository=attempt.lease.task.repository,
            status=status,
            trigger=attempt.lease.task.trigger,
            asked=attempt.lease.task.created,
            started=attempt.started,
            duration=self._clock() - attempt.started,
            digest=str(desired.digest) if desired else None,
            tag=desired.choice.tag if desired else None,
            turn=attempt.turn,
            decision=decided(desired, attempt.record, attempt.installed),
            **details,
        )

    async def _report(self, change: Awaitable[object]) -> bool:
        """Carry out a change of the queue; where it cannot be, the lease runs out and the task is taken again."""
        try:
            await change
        except LeaseLost as error:
            _log.warning("another worker has the task now: %s", error)
        except QueueUnavailable as error:
            _log.error("a result could not be stored, the task will run again: %s", error)
        else:
            return True
        return False

    def _tell(self, outcome: Outcome | Surveyed) -> None:
        for listener in list(self._listeners):
            listener(outcome)
