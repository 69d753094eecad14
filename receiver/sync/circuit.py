"""Whether the registry may be asked now: one circuit for its host, and the pause that it asked for. Pure.

A host that does not answer is asked by one addon at a time, and rarely; the others wait without an attempt of theirs
being spent. When it answers again, everybody goes on at once, at most as many side by side as the settings allow.
"""

from dataclasses import dataclass

from receiver.errors import RateLimited, ReceiverError, Unavailable

FAILURES = 3
"""In a row, of whatever addons, for the host to count as away: one addon's blobs may be unreachable by themselves."""
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 30.0
"""Seconds between two looks whether it is back: an outage of an hour costs some 120 of them, and ends half a minute
after the registry does."""


@dataclass(slots=True)
class Circuit:
    """Told of every answer; times are those of a clock that may be set back, in seconds."""

    _failures: int = 0
    _pause: float = 0.0
    _until: float = 0.0
    _since: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the host counts as away, or has asked for a pause."""
        return self._pause > 0

    def wait(self, now: float) -> float:
        """Seconds until it may be asked again; 0 where it may be now."""
        if not self.is_open or now < self._since:  # the clock was set back: nobody knows how long it has been
            return 0.0
        return max(self._until - now, 0.0)

    def succeeded(self) -> bool:
        """It has answered; whether it was away until now."""
        was_open = self.is_open
        self._failures, self._pause, self._until = 0, 0.0, 0.0
        return was_open

    def failed(self, error: ReceiverError, now: float, *, jitter: float) -> None:
        """Something failed; ``jitter`` is uniform in 0..1. Only what says that the host is away counts."""
        if isinstance(error, RateLimited):
            self._stay_away(now, max(error.retry_after, self._until - now), jitter)
            return
        if not isinstance(error, Unavailable):
            return
        self._failures += 1
        if self._failures >= FAILURES:
            longer = min(max(self._pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
            self._stay_away(now, longer, jitter)

    def _stay_away(self, now: float, pause: float, jitter: float) -> None:
        self._pause = min(max(pause, FIRST_PAUSE / 5), 300.0)
        self._since = now
        # Many hosts that lost the same registry must not look for it at the same instant.
        self._until = now + self._pause * (1 + jitter / 4)
