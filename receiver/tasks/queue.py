"""What the rest of the program may ask of the list of tasks and of the journal of deliveries."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from receiver.document import Value
from receiver.tasks.task import Lease, Task, Trigger

Verdict = Literal["accepted", "quarantined"]


class Event(Value, frozen=True):
    """The part of a push event that is kept."""

    repository: str
    event_id: str | None = None
    tag: str | None = None
    digest: str | None = None
    actor: str | None = None


class Intake(Value, frozen=True):
    """A delivery to make durable, with the tasks that follow from it."""

    sender: str
    received: float
    verdict: Verdict
    reason: str | None
    """Why it was quarantined."""
    headers: bytes
    """JSON object of the headers that decoding needs; never a credential."""
    body: bytes
    events: tuple[Event, ...]
    instance_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of an intake, now durable."""

    accepted: int
    duplicates: int
    new_instance: bool
    """This ``instance_id`` was never seen from this sender, and another one was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDelivery:
    """A delivery in the journal."""

    id: int
    sender: str
    received: float
    verdict: Verdict
    reason: str | None
    headers: bytes
    body: bytes
    events: tuple[Event, ...]


class DeliveryJournal(Protocol):
    """What was accepted or could not be parsed, for replay."""

    def deliveries(
        self,
        *,
        since: float | None = None,
        until: float | None = None,
        repository: str | None = None,
        verdict: Verdict | None = None,
    ) -> AsyncIterator[StoredDelivery]:
        """Iterate in the order of arrival, a page at a time; nothing is locked between pages."""
        ...

    async def trim(self, *, before: float, max_bytes: int) -> int:
        """Forget deliveries received before ``before``, and the oldest beyond ``max_bytes``; how many.

        A delivery counts its headers and body, and at least `receiver.tasks.limits.LEAST_WEIGHT`.
        """
        ...


class TaskQueue(Protocol):
    """The durable list. Every coroutine returns once its change is durable.

    Raises (all):
        QueueUnavailable: nothing was changed.
    """

    async def ingest(self, intake: Intake, *, now: float) -> Receipt:
        """Store the delivery, drop duplicates by sender and event id (24 h), and queue one task a repository.

        A quarantined intake queues `EVERYTHING`; so does a new ``instance_id``. A delivery whose events are all
        duplicates is not stored again.
        """
        ...

    async def enqueue(
        self,
        repositories: Collection[str],
        *,
        trigger: Trigger,
        now: float,
        due: float | None = None,
        force: bool = False,
    ) -> None:
        """Ask for a look at each; one that is queued already becomes due at the earlier time and keeps its attempts.

        ``trigger`` of the queued task becomes the new one where that one revives or the old one does not. A poll takes
        nobody's place: it does not hide that there was an event.
        """
        ...

    async def lease(self, *, now: float, seconds: float, only: Collection[str] | None = None) -> Lease | None:
        """Take the task that has been due longest and whose repository is not leased; None where there is none.

        A due time beyond `receiver.tasks.limits.LONGEST_WAIT` is one of a clock that was put back, and has come.
        """
        ...

    async def renew(self, lease: Lease, *, until: float) -> Lease:
        """Keep a lease.

        Raises:
            LeaseLost: it ran out and somebody else has it, or it was reported already.
        """
        ...

    async def complete(self, lease: Lease, *, unpark: bool) -> None:
        """The work is done: the task is gone; with ``unpark`` so is the repository's parked one.

        Raises:
            LeaseLost: as for `renew`; the same holds for the following three.
        """
        ...

    async def retry(self, lease: Lease, *, due: float, error: str) -> None:
        """Failed: back to the queue, one attempt more. Joins a task queued meanwhile, which keeps its due time."""
        ...

    async def look_again(self, lease: Lease, *, due: float) -> None:
        """Nothing new yet: back to the queue, one look more. Joins a task queued meanwhile."""
        ...

    async def park(self, lease: Lease, *, digest: str | None, error: str, now: float) -> None:
        """Repetition cannot cure it: kept until a new digest or a person revives it; replaces an older parked one."""
        ...

    async def give_back(self, lease: Lease) -> None:
        """Stopping: the task is queued again as it was."""
        ...

    async def recover(self, *, now: float) -> int:
        """At start, when no other process can hold a lease: queue again what was leased; how many."""
        ...

    async def expire(self, *, now: float) -> int:
        """Queue again the leases that ran out; how many."""
        ...

    async def discard(self, repositories: Collection[str]) -> int:
        """Forget the parked tasks of ``repositories``; how many there were."""
        ...

    async def tasks(self) -> Sequence[Task]:
        """All tasks, by repository and state."""
        ...

    async def parked(self, repository: str) -> Task | None:
        """The parked task of ``repository``."""
        ...

    async def known_repositories(self) -> Sequence[str]:
        """Every repository that an event ever named."""
        ...

    async def next_due(self) -> float | None:
        """When the next task that can be leased is due; None where nothing is queued."""
        ...

    async def wait(self, seconds: float) -> None:
        """Return when a task was queued since the last call, or after ``seconds``."""
        ...

    async def close(self) -> None:
        """Finish what was asked and let go of the files."""
        ...
