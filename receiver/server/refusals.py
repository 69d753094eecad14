"""Which refusals are worth a line in the log: the first of an address, then one an hour with their number. Pure.

A sender with a wrong credential is the commonest fault of all, and repeats itself for ever; whoever means harm has many
addresses. So what is remembered has a bound, and by that the lines of an hour.
"""

from collections.abc import Callable
from dataclasses import dataclass

from receiver.server.failures import site_of

_MOST_ADDRESSES = 64
_PAUSE = 3600.0
_OTHERS = "another address"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What to tell: ``count`` of them came from ``address`` within ``seconds``."""

    address: str
    count: int
    seconds: float


@dataclass(slots=True)
class _Known:
    told: float
    last: float
    untold: int = 0


class Refusals:
    """Counts by address; ``clock`` in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def count(self, address: str) -> Refusal | None:
        """Count one, and say what is to be told now; None where it was told lately."""
        now = self._clock()
        name = self._name(site_of(address), now)
        known = self._known.get(name)
        if known is None:
            self._known[name] = _Known(now, now)
            return Refusal(name, 1, 0.0)
        known.untold += 1
        known.last = now
        seconds = now - known.told
        if 0 <= seconds < _PAUSE:
            return None
        told = Refusal(name, known.untold, abs(seconds))
        known.told, known.untold = now, 0
        return told

    def _name(self, site: str, now: float) -> str:
        """The address itself; where there are too many, one name for all others."""
        if site not in self._known and len(self._known) >= _MOST_ADDRESSES:
            self._known = {name: known for name, known in self._known.items() if abs(now - known.last) < _PAUSE}
        return site if site in self._known or len(self._known) < _MOST_ADDRESSES else _OTHERS
