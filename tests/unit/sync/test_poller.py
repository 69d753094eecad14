"""The fallback: now, and again at every interval."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from receiver.errors import QueueUnavailable
from receiver.sync.poller import Poller
from receiver.tasks.task import EVERYTHING, Task, Trigger
from tests.support.sync_fakes import NOW, ClockedQueue, ManualClock, until


def poller_of(queue: ClockedQueue, clock: ManualClock, **options: Any) -> Poller:
    """One whose life goes on as fast as the clock, unless a test sets that."""
    settings = {"interval": 300.0, "jitter": lambda: 0.5, "lived": lambda: clock.elapsed, **options}
    return Poller(queue=queue, clock=clock, sleep=clock.sleep, **settings)


async def asked(queue: ClockedQueue, clock: ManualClock, when: float) -> Sequence[Task]:
    """Let time pass until ``when``; the tasks then."""
    while clock.now < when - 0.5:
        assert await queue.tasks() == []
        slept = len(clock.slept)
        await clock.advance(1.0)
        await asyncio.sleep(0)
        assert len(clock.slept) - slept <= 1
    await clock.advance(0.0)  # who woke does what it woke for
    await clock.advance(0.0)
    while not queue.queued():  # what is left of a second
        await clock.advance(0.5)
    return await queue.tasks()


@pytest.mark.parametrize(("jitter", "pause"), [(0.0, 270.0), (0.5, 300.0), (1.0, 330.0)])
async def test_it_asks_at_start_and_at_every_interval_with_jitter(jitter: float, pause: float) -> None:
    """Ten per cent to both sides."""
    clock = ManualClock()
    queue = ClockedQueue(clock)
    poller = poller_of(queue, clock, jitter=lambda: jitter)
    running = asyncio.create_task(poller.run())
    for number in range(3):
        (task,) = await asked(queue, clock, NOW + number * pause)
        assert (task.repository, task.trigger) == (EVERYTHING, Trigger.POLL)
        assert task.created == NOW + number * pause
        assert poller.next_at == NOW + (number + 1) * pause
        lease = await queue.lease(now=clock(), seconds=1)
        assert lease is not None
        await queue.complete(lease, unpark=True)
    running.cancel()


async def test_without_an_interval_it_asks_never() -> None:
    """Turned off is off."""
    clock = ManualClock()
    queue = ClockedQueue(clock)
    poller = Poller(queue=queue, interval=0, clock=clock, sleep=clock.sleep)
    await poller.run()
    assert poller.next_at is None
    assert await queue.tasks() == []
    assert clock.slept == []


async def test_a_queue_that_takes_nothing_now_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    """The next one may be taken."""
    clock = ManualClock()
    queue = ClockedQueue(clock)
    queue.broken["enqueue"] = QueueUnavailable("disk full")
    running = asyncio.create_task(poller_of(queue, clock).run())
    await until(lambda: len(clock.slept) == 1)
    queue.broken.clear()
    await asked(queue, clock, NOW + 300)
    running.cancel()
    assert [task.repository for task in await queue.tasks()] == [EVERYTHING]
    assert "disk full" in caplog.text


async def test_it_looks_sooner_while_events_are_lost_and_later_while_they_arrive() -> None:
    """Within its bounds; without them the interval is what the operator said."""
    clock = ManualClock()
    queue = ClockedQueue(clock)
    poller = poller_of(queue, clock, shortest=60.0, longest=600.0)
    running = asyncio.create_task(poller.run())
    intervals = []
    for number in range(12):
        await asked(queue, clock, clock.now if number == 0 else clock.now + poller.interval)
        lease = await queue.lease(now=clock(), seconds=1)
        assert lease is not None
        await queue.complete(lease, unpark=True)
        intervals.append(poller.interval)
        if number < 4:
            poller.missed()
    running.cancel()
    assert intervals[:5] == [300.0, 150.0, 75.0, 60.0, 60.0]
    assert intervals[5:8] == [75.0, 93.75, 117.1875]
    assert Poller(queue=queue, interval=300.0, clock=clock)._longest == 300.0
    assert Poller(queue=queue, interval=30.0, clock=clock, shortest=60.0)._shortest == 30.0


@pytest.mark.parametrize("counted", [False, True], ids=["Linux", "Windows"])
async def test_a_host_that_slept_looks_at_once(counted: bool) -> None:
    """Whether or not the time that a process lives through counts it: registries have given up sending meanwhile."""
    clock = ManualClock()
    queue = ClockedQueue(clock)
    gaps: list[float] = []
    lived = (lambda: clock.now) if counted else (lambda: clock.elapsed)
    running = asyncio.create_task(poller_of(queue, clock, gap=gaps.append, lived=lived).run())
    await asked(queue, clock, NOW)
    lease = await queue.lease(now=clock(), seconds=1)
    assert lease is not None
    await queue.complete(lease, unpark=True)
    clock.now += 3600.0
    await clock.advance(30.0)
    await until(lambda: bool(queue.queued()))
    running.cancel()
    assert gaps == [pytest.approx(3600.0)]


async def test_a_process_that_was_held_up_for_a_while_is_not_late_by_that() -> None:
    """Steps that take a little longer each, as on a busy host, do not add up; none of them is a gap."""
    clock = ManualClock()
    queue = ClockedQueue(clock)
    gaps: list[float] = []
    running = asyncio.create_task(poller_of(queue, clock, gap=gaps.append).run())
    await asked(queue, clock, NOW)
    lease = await queue.lease(now=clock(), seconds=1)
    assert lease is not None
    await queue.complete(lease, unpark=True)
    for _ in range(3):
        assert await queue.tasks() == []
        await clock.advance(100.0)
    await until(lambda: bool(queue.queued()))
    running.cancel()
    assert gaps == []


async def test_a_clock_that_is_put_back_does_not_hide_that_the_host_slept() -> None:
    """Set right by the network on waking: the time of the process tells, where it counts the sleep."""
    clock = ManualClock()
    queue = ClockedQueue(clock)
    gaps: list[float] = []
    asleep = 0.0
    lived = lambda: clock.elapsed + asleep  # noqa: E731 - as short as its neighbours
    running = asyncio.create_task(poller_of(queue, clock, gap=gaps.append, lived=lived).run())
    await asked(queue, clock, NOW)
    lease = await queue.lease(now=clock(), seconds=1)
    assert lease is not None
    await queue.complete(lease, unpark=True)
    asleep = 3600.0
    await clock.advance(30.0)
    await until(lambda: bool(queue.queued()))
    running.cancel()
    assert gaps == [pytest.approx(3600.0)]


async def test_it_tells_when_it_asks_again() -> None:
    """For who wants to know when something is looked at next; nothing where it never does."""
    clock = ManualClock()
    queue = ClockedQueue(clock)
    poller = poller_of(queue, clock)
    before = poller.next_at
    assert before is None
    running = asyncio.create_task(poller.run())
    await asked(queue, clock, NOW)
    await until(lambda: poller.next_at is not None)
    assert poller.next_at == NOW + 300.0
    running.cancel()
    off = poller_of(queue, clock, interval=0.0)
    await off.run()
    assert off.next_at is None
