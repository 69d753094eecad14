"""Event identifiers of late, in memory. Pure: when it is, and what is durable, the caller says."""

from itertools import islice

from receiver.tasks.limits import is_duplicate

_SWEEP_EVERY = 1024
"""Identifiers beyond the limit before the oldest are forgotten, in one go."""

Key = tuple[str, str]
"""Sender and event identifier."""


class Recent:
    """When each of the last ``limit`` identifiers was first seen. What was not settled yet can be undone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._first: dict[Key, float] = {}
        self._before: list[tuple[Key, float | None]] = []

    def __len__(self) -> int:
        return len(self._first)

    def is_duplicate(self, key: Key, now: float) -> bool:
        """Whether ``key`` was seen within the window before ``now``."""
        return is_duplicate(self._first.get(key), now)

    def add(self, key: Key, now: float) -> None:
        """``key`` counts as first seen ``now``; one that was seen long ago moves to the end."""
        self._before.append((key, self._first.pop(key, None)))
        self._first[key] = now

    def settle(self) -> None:
        """What was added is durable: it stays, and room is made for more."""
        self._before.clear()
        excess = len(self._first) - self._limit
        if excess >= _SWEEP_EVERY:
            for key in list(islice(self._first, excess)):
                del self._first[key]

    def undo(self) -> None:
        """What was added since the last `settle` was never seen: the sender will say it again."""
        for key, first in reversed(self._before):
            if first is None:
                del self._first[key]
            else:
                self._first[key] = first
        self._before.clear()
