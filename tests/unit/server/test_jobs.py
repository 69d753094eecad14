"""Jobs: followed to their ends whoever listens, bounded in number and size, and never a lie about how they ended."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from itertools import count

import pytest

from receiver.errors import QueueUnavailable
from receiver.server.jobs import Jobs
from receiver.sync.engine import Report
from receiver.sync.outcome import Outcome
from receiver.sync.request import PollRequest, Request
from receiver.tasks.task import Trigger

OUTCOME = Outcome(repository="addons/a", status="installed", trigger=Trigger.EVENT, asked=1.0, started=1.0, duration=1)


class Commands:
    """Answers with ``reports`` outcomes once ``gate`` is open."""

    def __init__(self, reports: int = 1, error: Exception | None = None) -> None:
        self.reports = reports
        self.error = error
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()

    async def execute(self, _: Request) -> AsyncGenerator[Report, None]:
        self.begun.set()
        for _number in range(self.reports):
            yield OUTCOME
        await self.gate.wait()
        if self.error is not None:
            raise self.error


def names() -> Callable[[], str]:
    numbers = count()
    return lambda: str(next(numbers))


def jobs(commands: Commands, *, most: int = 3, most_reports: int = 100) -> Jobs:
    return Jobs(commands, clock=lambda: 5.0, new_name=names(), most=most, most_reports=most_reports)


async def test_the_oldest_that_ended_are_forgotten() -> None:
    """The newest are kept, and what still runs is never forgotten."""
    commands = Commands()
    there = jobs(commands)
    running = there.start(PollRequest(), kind="sync")
    await commands.begun.wait()
    commands.gate = asyncio.Event()
    commands.gate.set()
    for _ in range(5):
        job = there.start(PollRequest(), kind="sync")
        assert job is not None
        await job.done.wait()
    assert running is not None
    assert [name for name in map(str, range(6)) if there.get(name)] == ["0", "4", "5"]
    await there.close()


async def test_what_they_hold_is_bounded_together() -> None:
    """A few large ones push out more of the others."""
    commands = Commands(reports=40)
    commands.gate.set()
    there = jobs(commands, most=10)
    for _ in range(4):
        job = there.start(PollRequest(), kind="sync")
        assert job is not None
        await job.done.wait()
    assert [name for name in map(str, range(4)) if there.get(name)] == ["2", "3"]


async def test_no_more_are_begun_than_can_be_followed() -> None:
    """None of them could be forgotten for the new one."""
    there = jobs(Commands())
    begun = [there.start(PollRequest(), kind="sync") for _ in range(4)]
    assert [job is not None for job in begun] == [True, True, True, False]
    await there.close()


async def test_a_stop_says_that_what_is_queued_stays() -> None:
    """It is durable."""
    there = jobs(Commands())
    job = there.start(PollRequest(), kind="sync")
    assert job is not None
    await asyncio.sleep(0)
    await there.close()
    assert job.has_failed
    assert "after its next start" in (job.error or "")


@pytest.mark.parametrize(
    ("error", "told", "is_fault"), [(QueueUnavailable("disk full"), "disk full", False), (KeyError("x"), "fault", True)]
)
async def test_an_error_is_told_and_a_fault_is_logged(
    error: Exception, told: str, is_fault: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours is not shown to who asked."""
    monkeypatch.setattr(logging.getLogger("receiver"), "propagate", True)
    commands = Commands(error=error)
    commands.gate.set()
    there = jobs(commands)
    job = there.start(PollRequest(), kind="sync")
    assert job is not None
    await job.done.wait()
    await asyncio.sleep(0)
    assert (job.has_failed, told in (job.error or ""), job.ended) == (True, True, 5.0)
    assert bool(caplog.records) is is_fault
