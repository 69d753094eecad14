"""Requests a second, whoever asks: a burst at once, then as fast as was said, and in order."""

import asyncio

import pytest

from receiver.registry.pace import BURST_SECONDS, Pace


class Time:
    """Stands still but for what is slept."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_a_burst_passes_at_once_and_the_rest_in_turn() -> None:
    """Each waits a request's time longer than the one before."""
    time = Time()
    pace = Pace(10.0, clock=time, sleep=time.sleep)
    await asyncio.gather(*(pace.step() for _ in range(int(10 * BURST_SECONDS) + 3)))
    assert time.slept == [pytest.approx(0.1), pytest.approx(0.2), pytest.approx(0.3)]


async def test_time_fills_the_bucket_again_and_never_beyond_its_size() -> None:
    """A quiet hour earns no flood."""
    time = Time()
    pace = Pace(10.0, clock=time, sleep=time.sleep)
    for _ in range(30):
        await pace.step()
    time.now += 3600.0
    for _ in range(31):
        await pace.step()
    assert time.slept == [pytest.approx(0.1)]


async def test_without_a_rate_nobody_waits() -> None:
    """0 turns it off."""
    time = Time()
    pace = Pace(0.0, clock=time, sleep=time.sleep)
    for _ in range(1000):
        await pace.step()
    assert time.slept == []
