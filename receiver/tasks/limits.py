"""How much the queue and the journal hold. Pure."""

from collections.abc import Collection, Mapping

from receiver.document import Value

DUPLICATE_WINDOW = 24 * 3600.0
"""Seconds in which a second event with the same sender and identifier is a duplicate (hazards, endpoint rules)."""
LEAST_WEIGHT = 1024
"""Bytes that the smallest delivery counts: a row has a cost of its own, and a flood may be of empty bodies."""


class Limits(Value, frozen=True, kw_only=True):
    """Global caps: what a sender can make the receiver store, whatever it sends."""

    repositories: int = 10_000
    """Names that are known, and by that tasks of a kind; beyond them new names are refused until some are done."""
    journal_bytes: int = 128 * 1024 * 1024
    """Bytes of deliveries (`weight`); beyond them the oldest are forgotten."""
    seen: int = 50_000
    """Event identifiers, of as many deliveries as the journal keeps; beyond them the oldest are forgotten: dropping
    duplicates is a courtesy, not a defence."""
    instances: int = 16
    """Processes remembered a sender."""


def weight(headers: bytes, body: bytes, events: bytes) -> int:
    """What a delivery counts in the journal, in bytes; ``events`` as JSON."""
    return max(LEAST_WEIGHT, len(headers) + len(body) + len(events))


def is_duplicate(first: float | None, now: float) -> bool:
    """Whether an event first seen at ``first`` comes again at ``now``; the clock may have been set back meanwhile."""
    return first is not None and abs(now - first) < DUPLICATE_WINDOW


_MEET_AGAIN = 3600.0
"""Seconds between two notes of when a process was last heard: no write for each event."""


def is_long_unheard(last: float | None, now: float) -> bool:
    """Whether it is to be noted that a process is heard ``now`` that was noted ``last``."""
    return last is None or abs(now - last) >= _MEET_AGAIN


def too_many(met: Mapping[str, float], most: int, *, just: Collection[str]) -> list[str]:
    """The processes to forget, those first that were noted the longest ago; never one that was heard ``just`` now.

    Where the clock was put back, that one may have the lowest time, and would be new at each of its events.
    """
    others = sorted((last, name) for name, last in met.items() if name not in just)
    return [name for _, name in others[: max(len(met) - most, 0)]]


LONGEST_WAIT = 900.0
"""Seconds. Three times as long as any retry waits (`receiver.sync.retry.MAX_DELAY`, and the longest Retry-After that is
honoured): what is due later than that was queued by a clock that has been put back since, and is due now."""
