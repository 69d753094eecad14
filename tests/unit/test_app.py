"""A request that is carried out in this process."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from receiver import app
from receiver.errors import QueueUnavailable
from receiver.sync.engine import Report
from receiver.sync.replayed import Replayed


async def _reports(*given: Report) -> AsyncGenerator[Report, None]:
    for report in given:
        yield report


async def _silence() -> AsyncGenerator[Report, None]:
    await asyncio.Event().wait()
    yield Replayed()


async def test_reports_are_passed_on_to_the_last() -> None:
    """None says that there are no more."""
    running = asyncio.create_task(asyncio.Event().wait())
    report, reports = Replayed(), _reports(Replayed())
    assert await app._next_while(running, reports) == report  # type: ignore[arg-type]  # it only is awaited
    assert await app._next_while(running, reports) is None  # type: ignore[arg-type]  # as above
    running.cancel()


async def test_a_request_does_not_wait_for_workers_that_have_failed() -> None:
    """Their error is raised instead of waiting for ever."""

    async def fail() -> None:
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        await asyncio.wait_for(app._next_while(asyncio.create_task(fail()), _silence()), 10)


async def test_a_request_does_not_wait_for_workers_that_have_ended() -> None:
    """Nothing more can come."""

    async def end() -> None:
        return

    with pytest.raises(QueueUnavailable):
        await asyncio.wait_for(app._next_while(asyncio.create_task(end()), _silence()), 10)
