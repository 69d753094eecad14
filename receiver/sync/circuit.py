"""Whether the registry may be asked now: one circuit for its host, and the pause that it asked for. Pure.

A host that does not answer is asked by one addon at a time, and rarely; the others wait without an attempt of theirs
being spent. When it answers again, everybody goes on at once, at most as many side by side as the settings allow.
"""

from receiver.breaker import Breaker
from receiver.errors import RateLimited, ReceiverError, Unavailable


class Circuit(Breaker):
    """Told of every answer; only errors that say that the host is away count."""

    def failed_with(self, error: ReceiverError, now: float, *, jitter: float) -> None:
        """Something failed; ``jitter`` is uniform in 0..1."""
        if isinstance(error, RateLimited):
            self.hold(now, error.retry_after, jitter=jitter)
        elif isinstance(error, Unavailable):
            self.failed(now, jitter=jitter)
