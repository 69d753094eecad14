"""What becomes of a failed attempt. Pure: the one place that decides between trying again and giving up."""

from receiver.document import Value
from receiver.errors import DowngradeDoubted, RateLimited, ReceiverError
from receiver.sync.downgrade import SECONDS as DOUBT_SECONDS

BASE_DELAY = 2.0
MAX_DELAY = 300.0
"""Seconds. Exponential with full jitter (AWS Architecture Blog, "Exponential Backoff and Jitter"): many hosts that lost
the same registry must not come back at the same instant."""

LOOK_AGAIN = (0.25, 1.0, 3.0)
"""Seconds until the next look, where an event brought nothing new: Distribution announces a manifest before it links
its tag, and a store behind the registry may take a moment."""


class Retry(Value, frozen=True):
    """Try again after ``delay`` seconds."""

    delay: float


class Park(Value, frozen=True):
    """Repetition does not cure it; ``reason`` for people."""

    reason: str


def after_failure(error: ReceiverError, attempts: int, *, alike: int, jitter: float) -> Retry | Park:
    """Decide after the failure number ``attempts`` (1 is the first); ``jitter`` is uniform in 0..1.

    ``alike`` of them in a row, this one included, were of its kind: an outage before it says nothing about a digest.
    """
    if not error.retryable or (error.max_attempts is not None and alike >= error.max_attempts):
        return Park(str(error))
    if isinstance(error, DowngradeDoubted):
        return Retry(DOUBT_SECONDS + jitter * BASE_DELAY)
    if isinstance(error, RateLimited):
        # Never earlier than asked; the spread keeps addons of one host apart.
        return Retry(error.retry_after + jitter * BASE_DELAY)
    ceiling = min(MAX_DELAY, BASE_DELAY * 2 ** min(attempts - 1, 16))
    return Retry(jitter * ceiling)
