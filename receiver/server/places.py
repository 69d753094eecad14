"""Who holds a place among the connections, and who goes first where a newcomer finds none free. Pure.

A cap alone would let a stranger keep every sender out by opening connections and doing nothing with them.
"""

from collections.abc import Callable, Hashable
from enum import IntEnum
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Standing(IntEnum):
    """What is known of who holds a place; the lower, the earlier it must go."""

    STRANGER = 0
    FAMILIAR = 1
    """Somebody at its address presented a valid credential a while ago."""
    SENDER = 2
    """It presented one itself."""


class Places(Generic[T]):
    """At most ``count`` holders; ``evict`` is told who loses its place."""

    def __init__(self, count: int, *, evict: Callable[[T], None]) -> None:
        self._count = count
        self._evict = evict
        self._standing: dict[T, Standing] = {}
        # In the order in which they fell idle, so that the first one is always the one to go.
        self._idle: dict[Standing, dict[T, None]] = {standing: {} for standing in Standing}

    def __len__(self) -> int:
        return len(self._standing)

    def take(self, holder: T, standing: Standing) -> bool:
        """Give ``holder`` a place, idle at first, if need be that of another idle one; False where all are at work."""
        if len(self._standing) >= self._count:
            going = next((holder for idle in self._idle.values() for holder in idle), None)
            if going is None:
                return False
            self.leave(going)
            self._evict(going)
        self._standing[holder] = standing
        self._idle[standing][holder] = None
        return True

    def begin(self, holder: T) -> None:
        """``holder`` has work in progress and keeps its place."""
        standing = self._standing.get(holder)
        if standing is not None:
            self._idle[standing].pop(holder, None)

    def end(self, holder: T, standing: Standing) -> None:
        """The work is done; from now on ``holder`` is the last of its standing to go."""
        if holder in self._standing:
            self._standing[holder] = standing
            self._idle[standing][holder] = None

    def leave(self, holder: T) -> None:
        """Give the place back, if there is one."""
        standing = self._standing.pop(holder, None)
        if standing is not None:
            self._idle[standing].pop(holder, None)
