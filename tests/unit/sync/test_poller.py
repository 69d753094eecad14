"""The fallback: now, and again at every interval."""

import asyncio

import pytest

from receiver.errors import QueueUnavailable
from receiver.sync.poller import Poller
from receiver.tasks.task import EVERYTHING, Trigger
from tests.support.sync_fakes import NOW, ClockedQueue, ManualClock, until


@pytest.mark.parametrize(("jitter", "pause"), [(0.0, 270.0), (0.5, 300.0), (1.0, 330.0)])
async def test_it_asks_at_start_and_at_every_interval_with_jitter(jitter: float, pause: float) -> None:
    """Ten per cent to both sides."""
    clock = ManualClock()
    queue = ClockedQueue(clock)
    poller = Poller(queue=queue, interval=300.0, clock=clock, jitter=lambda: jitter, sleep=clock.sleep)
    running = asyncio.create_task(poller.run())
    for number in range(3):
        await until(lambda count=number + 1: len(clock.slept) == count)  # type: ignore[misc] # bound for the loop
        (task,) = await queue.tasks()
        assert (task.repository, task.trigger) == (EVERYTHING, Trigger.POLL)
        assert task.created == NOW + number * pause
        lease = await queue.lease(now=clock(), seconds=1)
        assert lease is not None
        await queue.complete(lease, unpark=True)
        await clock.advance(pause)
    running.cancel()
    assert clock.slept[:3] == [pytest.approx(pause)] * 3


async def test_without_an_interval_it_asks_never() -> None:
    """Turned off is off."""
    clock = ManualClock()
    queue = ClockedQueue(clock)
    await Poller(queue=queue, interval=0, clock=clock, sleep=clock.sleep).run()
    assert await queue.tasks() == []
    assert clock.slept == []


async def test_a_queue_that_takes_nothing_now_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    """The next one may be taken."""
    clock = ManualClock()
    queue = ClockedQueue(clock)
    queue.broken["enqueue"] = QueueUnavailable("disk full")
    running = asyncio.create_task(Poller(queue=queue, interval=300.0, clock=clock, sleep=clock.sleep).run())
    await until(lambda: len(clock.slept) == 1)
    queue.broken.clear()
    await clock.advance(400)
    await until(lambda: len(clock.slept) == 2)
    running.cancel()
    assert [task.repository for task in await queue.tasks()] == [EVERYTHING]
    assert "disk full" in caplog.text
