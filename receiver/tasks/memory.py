"""The queue in memory: the same promises without durability, for tests and for reading the contract."""

import asyncio
import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from receiver.document import replaced
from receiver.errors import LeaseLost, QueueUnavailable
from receiver.tasks.journal import Event
from receiver.tasks.limits import LONGEST_WAIT, Limits, is_long_unheard, too_many
from receiver.tasks.memory_journal import MemoryJournal
from receiver.tasks.queue import Intake, Receipt
from receiver.tasks.recent import Recent
from receiver.tasks.task import EVERYTHING, TRANSITIONS, Lease, State, Task, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """Who has a leased task, and how long."""

    token: str
    until: float


class MemoryQueue(MemoryJournal):
    """`TaskQueue` and `Journal` without a file."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        super().__init__(self._limits.journal_bytes)
        self._arrival = asyncio.Event()
        self._tasks: dict[tuple[str, State], Task] = {}
        self._held: dict[str, _Held] = {}
        self._recent = Recent(self._limits.seen)
        self._instances: dict[str, dict[str, float]] = {}
        self._names: dict[str, None] = {}

    async def ingest(self, intake: Intake, *, now: float) -> Receipt:
        """See `TaskQueue.ingest`."""
        self._check_open()
        fresh = self._fresh(intake, now)
        self._admit([event.repository for event in fresh])
        for event in fresh:
            if event.event_id is not None:
                self._recent.add((intake.sender, event.event_id), now)
        self._recent.settle()
        new_instance = self._meet(intake, now)
        everything = [EVERYTHING] if new_instance or intake.verdict == "quarantined" else []
        for repository in dict.fromkeys([event.repository for event in fresh] + everything):
            self._ask(Task(repository=repository, state=State.QUEUED, trigger=Trigger.EVENT, due=now, created=now))
        self._keep(intake, fresh)
        known = sum(event.left_out is None for event in intake.events) - len(fresh)
        return Receipt(accepted=len(fresh), duplicates=known, new_instance=new_instance)

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
        self._check_open()
        self._admit(repositories)
        when = now if due is None else due
        for name in dict.fromkeys(repositories):
            self._ask(Task(repository=name, state=State.QUEUED, trigger=trigger, due=when, created=now, force=force))

    async def lease(self, *, now: float, seconds: float, only: Collection[str] | None = None) -> Lease | None:
        """See `TaskQueue.lease`."""
        self._check_open()
        ready = [
            task
            for task in self._leasable()
            if (task.due <= now or task.due > now + LONGEST_WAIT) and (only is None or task.repository in only)
        ]
        if not ready:
            return None
        task = min(ready, key=lambda task: task.due)
        del self._tasks[task.repository, State.QUEUED]
        leased = self._put(task, "lease")
        held = self._held[task.repository] = _Held(token=secrets.token_hex(8), until=now + seconds)
        return Lease(task=leased, token=held.token, until=held.until)

    async def renew(self, lease: Lease, *, until: float) -> Lease:
        """See `TaskQueue.renew`."""
        self._check(lease)
        self._held[lease.task.repository] = _Held(token=lease.token, until=until)
        return replaced(lease, until=until)

    async def complete(self, lease: Lease, *, unpark: bool) -> None:
        """See `TaskQueue.complete`."""
        task = self._take(lease)
        if unpark:
            self._tasks.pop((task.repository, State.PARKED), None)
        self._arrival.set()

    async def retry(self, lease: Lease, *, due: float, error: str, kind: str | None = None) -> None:
        """See `TaskQueue.retry`."""
        task = self._take(lease)
        again = replaced(task, due=due, attempts=task.attempts + 1, error=error, error_kind=kind)
        self._requeue(again, verb="retry", waits=True)

    async def look_again(self, lease: Lease, *, due: float) -> None:
        """See `TaskQueue.look_again`."""
        task = self._take(lease)
        self._requeue(replaced(task, due=due, looks=task.looks + 1), verb="look_again", waits=True)

    async def park(self, lease: Lease, *, digest: str | None, error: str, now: float, kind: str | None = None) -> None:
        """See `TaskQueue.park`."""
        task = self._take(lease)
        attempts = task.attempts + 1
        self._put(replaced(task, due=now, digest=digest, attempts=attempts, error=error, error_kind=kind), "park")
        self._arrival.set()

    async def give_back(self, lease: Lease) -> None:
        """See `TaskQueue.give_back`."""
        self._requeue(self._take(lease), verb="recover")

    async def recover(self, *, now: float) -> int:
        """See `TaskQueue.recover`."""
        self._check_open()
        return self._take_back(list(self._held), now)

    async def expire(self, *, now: float) -> int:
        """See `TaskQueue.expire`."""
        self._check_open()
        return self._take_back([name for name, held in self._held.items() if held.until <= now], now)

    async def discard(self, repositories: Collection[str]) -> int:
        """See `TaskQueue.discard`."""
        self._check_open()
        parked = [(name, State.PARKED) for name in set(repositories)]
        return sum(self._tasks.pop(key, None) is not None for key in parked)

    async def tasks(self) -> Sequence[Task]:
        """See `TaskQueue.tasks`."""
        self._check_open()
        return [self._tasks[key] for key in sorted(self._tasks)]

    async def parked(self, repository: str) -> Task | None:
        """See `TaskQueue.parked`."""
        self._check_open()
        return self._tasks.get((repository, State.PARKED))

    async def known_repositories(self) -> Sequence[str]:
        """See `TaskQueue.known_repositories`."""
        self._check_open()
        return sorted(self._names)

    async def next_due(self) -> float | None:
        """See `TaskQueue.next_due`."""
        self._check_open()
        return min((task.due for task in self._leasable()), default=None)

    async def wait(self, seconds: float) -> None:
        """See `TaskQueue.wait`."""
        # Not wait_for, which in Python 3.11 swallows a cancellation that comes together with the arrival.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrival.wait()
        self._arrival.clear()

    async def close(self) -> None:
        """See `TaskQueue.close`."""
        self._closed = True

    def _fresh(self, intake: Intake, now: float) -> list[Event]:
        fresh: list[Event] = []
        here: set[str | None] = {None}
        for event in intake.events:
            if event.left_out is not None:
                continue
            key = (intake.sender, event.event_id or "")
            if event.event_id is None or (event.event_id not in here and not self._recent.is_duplicate(key, now)):
                fresh.append(event)
            here.add(event.event_id)
        return fresh

    def _admit(self, repositories: Collection[str]) -> None:
        new = [name for name in dict.fromkeys(repositories) if name not in self._names and name != EVERYTHING]
        excess = len(self._names) + len(new) - self._limits.repositories
        if excess > 0:
            waiting = {name for name, _ in self._tasks}
            for name in [name for name in self._names if name not in waiting][:excess]:
                del self._names[name]
                excess -= 1
        if excess > 0:
            raise QueueUnavailable(f"more than {self._limits.repositories} addon repositories wait for a look")
        self._names.update(dict.fromkeys(new))

    def _meet(self, intake: Intake, now: float) -> bool:
        if intake.instance_id is None:
            return False
        met = self._instances.setdefault(intake.sender, {})
        new = intake.instance_id not in met
        if is_long_unheard(met.get(intake.instance_id), now):
            met[intake.instance_id] = now
        for instance_id in too_many(met, self._limits.instances, just=[intake.instance_id]):
            del met[instance_id]
        return new and len(met) > 1

    def _ask(self, wish: Task) -> None:
        """Queue ``wish``, or let it join the task that is queued already."""
        queued = self._tasks.get((wish.repository, State.QUEUED))
        if queued is not None:
            wish = replaced(
                queued,
                trigger=_joined(queued.trigger, wish.trigger),
                due=min(queued.due, wish.due),
                looks=0 if wish.trigger is Trigger.EVENT else queued.looks,
                force=queued.force or wish.force,
            )
        self._tasks[wish.repository, State.QUEUED] = wish
        self._arrival.set()

    def _requeue(self, task: Task, *, verb: str, waits: bool = False) -> None:
        """Queue ``task`` again; one that was queued meanwhile is the newer wish, which it joins."""
        queued = self._tasks.get((task.repository, State.QUEUED))
        if queued is not None:
            task = replaced(
                queued,
                trigger=_joined(task.trigger, queued.trigger),
                due=queued.due if waits else min(queued.due, task.due),
                created=min(queued.created, task.created),
                attempts=max(queued.attempts, task.attempts),
                force=queued.force or task.force,
                error=queued.error if task.error is None else task.error,
                error_kind=queued.error_kind if task.error is None else task.error_kind,
            )
            self._tasks[task.repository, State.QUEUED] = task
        else:
            self._put(task, verb)
        self._arrival.set()

    def _put(self, task: Task, verb: str) -> Task:
        """Put ``task`` where ``verb`` leads from the state that it was in."""
        state = TRANSITIONS[task.state, verb]
        assert state is not None
        moved = self._tasks[task.repository, state] = replaced(task, state=state)
        return moved

    def _leasable(self) -> Iterator[Task]:
        """The queued tasks whose repository nobody works on, oldest first."""
        return (
            task
            for (name, state), task in self._tasks.items()
            if state is State.QUEUED and (name, State.LEASED) not in self._tasks
        )

    def _check(self, lease: Lease) -> None:
        self._check_open()
        held = self._held.get(lease.task.repository)
        if held is None or held.token != lease.token:
            raise LeaseLost(f"the lease of {lease.task.repository} ran out or was reported already")

    def _take(self, lease: Lease) -> Task:
        self._check(lease)
        return self._remove(lease.task.repository)

    def _take_back(self, names: Sequence[str], now: float) -> int:
        for name in names:
            task = self._remove(name)
            self._requeue(replaced(task, due=min(task.due, now)), verb="recover")
        return len(names)

    def _remove(self, name: str) -> Task:
        del self._held[name]
        return self._tasks.pop((name, State.LEASED))


def _joined(older: Trigger, newer: Trigger) -> Trigger:
    """The one of the higher rank; of two alike, the newer wish."""
    return newer if newer.rank >= older.rank else older
