"""Three tries within seconds, for blips and for nothing else."""

import asyncio

import pytest

from receiver.errors import (
    AccessDenied,
    DigestMismatch,
    NotInRegistry,
    ProtocolViolation,
    RateLimited,
    ReceiverError,
    Unavailable,
)
from receiver.registry.retry import ATTEMPTS, BriefRetry


class Work:
    """Fails with each of ``errors``, then gives 7."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return 7


def retry_with(waits: list[float]) -> BriefRetry:
    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    return BriefRetry(sleep=sleep)


async def test_a_blip_is_tried_again() -> None:
    """Twice unavailable, then there; the waits are short and not all the same."""
    waits: list[float] = []
    work = Work(Unavailable("a"), Unavailable("b"))

    assert await retry_with(waits)(work) == 7
    assert work.calls == 3
    assert len(waits) == 2
    assert all(0 < wait <= 2 for wait in waits)


async def test_the_last_error_comes_out_after_three_tries() -> None:
    """As it was raised, not wrapped."""
    work = Work(*[Unavailable(str(number)) for number in range(9)])

    with pytest.raises(Unavailable, match="2"):
        await retry_with([])(work)
    assert work.calls == ATTEMPTS == 3


async def test_waits_are_jittered() -> None:
    """Many clients after one outage do not come back together."""
    waits: list[float] = []
    for _ in range(20):
        await retry_with(waits)(Work(Unavailable("a"), Unavailable("b")))
    assert len(set(waits)) > 10


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("x", retry_after=9),
        AccessDenied("x"),
        NotInRegistry("x"),
        ProtocolViolation("x"),
        DigestMismatch("x"),
    ],
)
async def test_what_seconds_cannot_cure_is_not_tried_again(error: ReceiverError) -> None:
    """A registry that asks for time gets it from the task queue, not from a sleeping worker."""
    work = Work(error)

    with pytest.raises(type(error)):
        await retry_with([])(work)
    assert work.calls == 1


async def test_cancellation_is_not_retried() -> None:
    """A stop is a stop."""
    work = Work(asyncio.CancelledError())

    with pytest.raises(asyncio.CancelledError):
        await retry_with([])(work)
    assert work.calls == 1


async def test_runs_side_by_side_count_for_themselves() -> None:
    """One retry object serves all requests; their tries do not add up."""
    retry = retry_with([])
    works = [Work(Unavailable("a"), Unavailable("b")) for _ in range(5)]

    assert await asyncio.gather(*(retry(work) for work in works)) == [7] * 5
