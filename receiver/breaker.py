"""A host that does not answer is spared for a while, and the pauses grow. Pure.

One for the registry (`receiver.sync.circuit`), and one for each host that it names (`receiver.registry.transport`).
"""

from receiver.document import Mutable

FAILURES = 3
"""In a row, for a host to count as away: one addon's blobs may be unreachable by themselves."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 30.0
"""Seconds between two looks whether it is back: an outage of an hour costs some 120 of them, and ends half a minute
after the host does."""
_LEAST_HOLD, _LONGEST_HOLD = 1.0, 300.0
"""Seconds, of the pauses that a host asks for."""


class Breaker(Mutable):
    """One host; times are seconds of any clock, also of one that is set back."""

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

    def answered(self) -> bool:
        """It did, whatever it said; whether it was away until now."""
        was_open = self.is_open
        self._failures, self._pause, self._until = 0, 0.0, 0.0
        return was_open

    def failed(self, now: float, *, jitter: float = 0.0) -> None:
        """It did not answer; ``jitter`` is uniform in 0..1."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._stay_away(now, min(max(self._pause * 2, FIRST_PAUSE), LONGEST_PAUSE), jitter)

    def hold(self, now: float, seconds: float, *, jitter: float = 0.0) -> None:
        """It asked for a pause of ``seconds``."""
        self._stay_away(now, min(max(seconds, _LEAST_HOLD), _LONGEST_HOLD), jitter)

    def _stay_away(self, now: float, pause: float, jitter: float) -> None:
        left = self.wait(now)
        self._pause, self._since = pause, now
        # Many hosts that lost the same registry must not look for it at the same instant; and what was asked for holds.
        self._until = now + max(pause * (1 + jitter / 4), left)
