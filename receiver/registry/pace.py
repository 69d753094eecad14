"""How many requests a second: a bucket of tokens, so that a moment may be busy and an hour may not."""

import asyncio
import time
from collections.abc import Awaitable, Callable

BURST_SECONDS = 3.0
"""What the bucket holds, in seconds of its rate: 20 addons at once are some 140 requests, and should not wait."""


class Pace:
    """Lets ``rate`` requests a second pass, in the order in which they came; 0 lets all pass at once."""

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._tokens = self._most = max(rate * BURST_SECONDS, 1.0)
        self._filled = clock()

    async def step(self) -> None:
        """Return when one more request may be sent."""
        if not self._rate:
            return
        now = self._clock()
        self._tokens = min(self._tokens + (now - self._filled) * self._rate, self._most)
        self._filled = now
        # Below zero are those that wait already: each comes a request's time after the one before.
        self._tokens -= 1
        if self._tokens < 0:
            await self._sleep(-self._tokens / self._rate)
