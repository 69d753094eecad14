"""What is brought to its end although its caller is cancelled: its result is not lost, and the cancellation is not."""

import asyncio

import pytest

from receiver.sync.uninterrupted import uninterrupted


@pytest.mark.parametrize("cancellations", [0, 1, 2])
async def test_the_result_comes_first_and_the_cancellation_strikes_at_the_next_wait(cancellations: int) -> None:
    """Up to there the caller can tell what was done."""
    gate, told = asyncio.Event(), list[str]()

    async def work() -> str:
        await gate.wait()
        return "done"

    async def caller() -> None:
        told.append(await uninterrupted(work()))
        await asyncio.sleep(0)
        told.append("went on")

    calling = asyncio.create_task(caller())
    await asyncio.sleep(0)
    for _ in range(cancellations):
        calling.cancel()
        await asyncio.sleep(0)
    assert not calling.done()
    assert calling.cancelling() == cancellations
    gate.set()
    await asyncio.wait({calling})
    assert told == (["done"] if cancellations else ["done", "went on"])
    assert calling.cancelled() == bool(cancellations)
    assert calling.cancelling() == cancellations


async def test_a_time_that_runs_out_meanwhile_is_still_told_as_such() -> None:
    """`asyncio.timeout` counts the cancellations of its task."""
    gate = asyncio.Event()
    asyncio.get_running_loop().call_later(0.02, gate.set)

    async def late() -> None:
        async with asyncio.timeout(0.001):
            await uninterrupted(gate.wait())
            await asyncio.sleep(5)

    with pytest.raises(TimeoutError):
        await late()


async def test_an_error_of_the_work_is_raised_though_the_caller_is_cancelled() -> None:
    """Who tells results tells failures too."""
    gate = asyncio.Event()

    async def work() -> None:
        await gate.wait()
        raise OSError("the disk is full")

    calling = asyncio.create_task(uninterrupted(work()))
    await asyncio.sleep(0)
    calling.cancel()
    await asyncio.sleep(0)
    gate.set()
    await asyncio.wait({calling})
    assert str(calling.exception()) == "the disk is full"
