"""Hosts that the registry sends us to and that do not answer: spared for a while, each by itself. Pure.

The registry's own host is the workers' business (`receiver.sync.circuit`): without it nothing can be done. A token
service or a store of blobs may be away while it answers, and would be asked again for every addon.
"""

from dataclasses import dataclass

FAILURES = 3
"""Connections in a row that came to nothing."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 30.0
"""Seconds; as for the registry itself."""


@dataclass(slots=True)
class Breaker:
    """One host; times are seconds of a clock that never goes back."""

    _failures: int = 0
    _pause: float = 0.0
    _until: float = 0.0

    def wait(self, now: float) -> float:
        """Seconds until the host may be asked again; 0 where it may be now."""
        return max(self._until - now, 0.0) if self._pause else 0.0

    def failed(self, now: float) -> None:
        """It did not answer."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._pause = min(max(self._pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
            self._until = now + self._pause

    def answered(self) -> None:
        """It did, whatever it said."""
        self._failures, self._pause, self._until = 0, 0.0, 0.0
