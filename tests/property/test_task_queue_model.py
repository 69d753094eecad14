"""The durable queue does what the one in memory does, whatever is asked in whatever order, across restarts."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from msgspec import structs

from receiver.document import replaced
from receiver.errors import QueueError
from receiver.tasks.journal import Arrival, Event, Kept, Wanted
from receiver.tasks.limits import Limits
from receiver.tasks.memory import MemoryQueue
from receiver.tasks.recent import Recent
from receiver.tasks.sqlite import SqliteQueue
from receiver.tasks.task import EVERYTHING, Lease, Trigger
from tests.support.deliveries import intake

Queue = SqliteQueue | MemoryQueue
Pair = tuple[Lease, Lease]

LIMITS = Limits(repositories=3, instances=2)
names = st.sampled_from(["addons/a", "addons/b", "addons/c", "addons/d"])
times = st.integers(min_value=0, max_value=200_000).map(float)
events = st.builds(Event, repository=names, event_id=st.none() | st.sampled_from("123"))


class QueueMachine(RuleBasedStateMachine):
    """Each rule asks both and compares the answers; each invariant compares what they hold."""

    leases: Bundle[Pair] = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.new_event_loop()
        self.forgot = False
        self.memory = MemoryQueue(LIMITS)
        self.durable = self.loop.run_until_complete(SqliteQueue.open(self.folder / "q.db", limits=LIMITS))

    def teardown(self) -> None:
        self.loop.run_until_complete(self.durable.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    def both(self, ask: Callable[[Queue], Awaitable[Any]]) -> tuple[Any, Any]:
        """The answers, or the kinds of error."""

        async def answer(queue: Queue) -> Any:
            try:
                return await ask(queue)
            except QueueError as error:
                return type(error)

        return self.loop.run_until_complete(answer(self.durable)), self.loop.run_until_complete(answer(self.memory))

    def same(self, ask: Callable[[Queue], Awaitable[Any]]) -> Any:
        durable, memory = self.both(ask)
        assert durable == memory
        return durable

    def reported(self, pair: Pair, report: Callable[[Queue, Lease], Awaitable[Any]]) -> None:
        def ask(queue: Queue) -> Awaitable[Any]:
            return report(queue, pair[0] if queue is self.durable else pair[1])

        self.same(ask)

    @rule(
        found=st.lists(events, max_size=3),
        now=times,
        quarantined=st.booleans(),
        instance=st.none() | st.sampled_from("xyz"),
        sender=st.sampled_from(["distribution", "zot"]),
    )
    def ingest(self, found: list[Event], now: float, quarantined: bool, instance: str | None, sender: str) -> None:
        verdict: Kept = "quarantined" if quarantined else "accepted"
        if self.forgot:
            self.remember_again()
        given = structs.replace(intake(*found, received=now, instance_id=instance, sender=sender), verdict=verdict)
        self.same(lambda queue: queue.ingest(given, now=now))

    def remember_again(self) -> None:
        """The durable one reads identifiers with the first delivery: those of the deliveries that the journal keeps."""
        self.forgot = False
        self.memory._recent = Recent(LIMITS.seen)
        for delivery in self.memory._bodies.values():
            for event in delivery.events:
                if event.left_out is None and event.event_id is not None:
                    self.memory._recent.add((delivery.sender, event.event_id), delivery.received)

    @rule(
        asked=st.lists(names | st.just(EVERYTHING), max_size=3),
        trigger=st.sampled_from(Trigger),
        now=times,
        due=st.none() | times,
        force=st.booleans(),
    )
    def enqueue(self, asked: list[str], trigger: Trigger, now: float, due: float | None, force: bool) -> None:
        self.same(lambda queue: queue.enqueue(asked, trigger=trigger, now=now, due=due, force=force))

    @rule(target=leases, now=times, seconds=times, only=st.none() | st.lists(names, max_size=2))
    def lease(self, now: float, seconds: float, only: list[str] | None) -> Any:
        durable, memory = self.both(lambda queue: queue.lease(now=now, seconds=seconds, only=only))
        if durable is None or memory is None:
            assert durable is memory
            return multiple()
        assert replaced(durable, token="") == replaced(memory, token="")
        return durable, memory

    @rule(pair=leases, until=times)
    def renew(self, pair: Pair, until: float) -> None:
        async def report(queue: Queue, lease: Lease) -> Lease:
            return replaced(await queue.renew(lease, until=until), token="")

        self.reported(pair, report)

    @rule(pair=leases, unpark=st.booleans())
    def complete(self, pair: Pair, unpark: bool) -> None:
        self.reported(pair, lambda queue, lease: queue.complete(lease, unpark=unpark))

    @rule(pair=leases, due=times)
    def retry(self, pair: Pair, due: float) -> None:
        self.reported(pair, lambda queue, lease: queue.retry(lease, due=due, error="unreachable"))

    @rule(pair=leases, due=times)
    def look_again(self, pair: Pair, due: float) -> None:
        self.reported(pair, lambda queue, lease: queue.look_again(lease, due=due))

    @rule(pair=leases, digest=st.sampled_from(["sha256:1", "sha256:2"]), now=times)
    def park(self, pair: Pair, digest: str, now: float) -> None:
        self.reported(pair, lambda queue, lease: queue.park(lease, digest=digest, error="bad", now=now))

    @rule(pair=consumes(leases))
    def give_back(self, pair: Pair) -> None:
        self.reported(pair, lambda queue, lease: queue.give_back(lease))

    @rule(now=times)
    def expire(self, now: float) -> None:
        self.same(lambda queue: queue.expire(now=now))

    @rule(now=times)
    def recover(self, now: float) -> None:
        self.same(lambda queue: queue.recover(now=now))

    @rule(some=st.lists(names, max_size=2))
    def discard(self, some: list[str]) -> None:
        self.same(lambda queue: queue.discard(some))

    @rule(before=times)
    def trim(self, before: float) -> None:
        self.same(lambda queue: queue.trim(before=before, max_bytes=10**9))

    @rule()
    def restart(self) -> None:
        """What is durable is all there is."""
        self.loop.run_until_complete(self.durable.close())
        self.durable = self.loop.run_until_complete(SqliteQueue.open(self.folder / "q.db", limits=LIMITS))
        self.forgot = True

    @invariant()
    def hold_the_same(self) -> None:
        self.same(held)


async def held(queue: Queue) -> tuple[object, ...]:
    """All that can be read. Where deliveries begin depends on what was trimmed before."""
    tasks = await queue.tasks()
    places = {(task.repository, task.state) for task in tasks}
    assert len(places) == len(tasks)
    deliveries = [structs.replace(delivery, id=0) async for delivery in queue.deliveries()]
    return tasks, await queue.known_repositories(), await queue.next_due(), deliveries, await listed(queue)


async def listed(queue: Queue) -> list[str]:
    """Every entry of the journal. A note of a duplicate may be written after the delivery that followed it."""
    page = await queue.entries(Wanted(), limit=1000)
    assert page.before is None
    same = [structs.replace(entry, id=0, answered=None) for entry in page.entries if isinstance(entry, Arrival)]
    assert len(same) == len(page.entries)
    return sorted(map(repr, same))


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
