"""What the rest of the program may ask of the list of tasks. Types and a Protocol. Pure."""

from collections.abc import Collection, Sequence
from typing import Protocol

from receiver.document import Value
from receiver.tasks.journal import Event, Kept
from receiver.tasks.task import Lease, Task, Trigger


class Intake(Value, frozen=True):
    """A delivery to make durable, with the tasks that follow from it."""

    sender: str
    received: float
    verdict: Kept
    reason: str | None
    """Why it was quarantined."""
    headers: bytes
    """JSON object of the headers that decoding needs; never a credential."""
    body: bytes
    events: tuple[Event, ...]
    """Those with nothing left out ask for a look; the others are kept along with them."""
    instance_id: str | None = None
    address: str | None = None
    """Of the client."""


class Receipt(Value, frozen=True, kw_only=True):
    """What became of an intake, now durable."""

    accepted: int
    duplicates: int
    new_instance: bool
    """This ``instance_id`` was never seen from this sender, and another one was."""


class TaskQueue(Protocol):
    """The durable list. Every coroutine returns once its change is durable.

    Raises (all):
        QueueUnavailable: nothing was changed.
    """

    async def ingest(self, intake: Intake, *, now: float) -> Receipt:
        """Store the delivery, drop duplicates by sender and event id (24 h), and queue one task a repository.

        A quarantined intake queues `EVERYTHING`; so does a new ``instance_id``. Of a delivery whose events are all
        duplicates only a note is kept.
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

        ``trigger`` of the queued task becomes the new one, unless the old one ranks higher: a poll does not hide that
        there was an event, nor one person's `sync` that another one allowed a downgrade.
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

    async def retry(self, lease: Lease, *, due: float, error: str, kind: str | None = None) -> None:
        """Failed: back to the queue, one attempt more. Joins a task queued meanwhile, which keeps its due time.

        ``kind`` is the name of the error's class in `receiver.errors`, here and of `park`.
        """
        ...

    async def look_again(self, lease: Lease, *, due: float) -> None:
        """Nothing new yet: back to the queue, one look more. Joins a task queued meanwhile."""
        ...

    async def park(self, lease: Lease, *, digest: str | None, error: str, now: float, kind: str | None = None) -> None:
        """Repetition cannot cure it, one attempt more; replaces an older parked one.

        It is kept until a new digest or a person revives it.
        """
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
