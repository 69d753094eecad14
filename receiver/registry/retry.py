"""Three tries within seconds, for blips; everything longer is the task queue's. The one home of tenacity."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import tenacity

from receiver.errors import RateLimited, Unavailable

T = TypeVar("T")

ATTEMPTS = 3
_FIRST_WAIT = 0.2
_LONGEST_WAIT = 2.0
"""Seconds; oras-go waits from 0.2 to 3 (registry/remote/retry/policy.go)."""


def is_blip(error: BaseException) -> bool:
    """Whether the same request may succeed within seconds; a registry that asks for time gets it from the queue."""
    return isinstance(error, Unavailable) and not isinstance(error, RateLimited)


class BriefRetry:
    """Runs work until it succeeds, fails with something that seconds cannot cure, or was tried three times."""

    def __init__(self, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_random_exponential(multiplier=_FIRST_WAIT, min=_FIRST_WAIT / 2, max=_LONGEST_WAIT),
            retry=tenacity.retry_if_exception(is_blip),
            sleep=sleep,
            reraise=True,
        )

    async def __call__(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run ``work``; the last error where no try succeeds.

        Raises:
            RegistryError: whatever ``work`` raises.
        """

        async def once() -> T:  # tenacity awaits only what is a coroutine function by its looks, which no lambda is
            return await work()

        return await self._retrying.copy()(once)
