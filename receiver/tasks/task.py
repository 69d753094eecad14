"""A task: one addon repository that needs a look, and the states that it goes through."""

from enum import StrEnum

from receiver.document import Moment, Value

EVERYTHING = "*"
"""In the place of a repository: look at all of them (a poll)."""


class Trigger(StrEnum):
    """What asked for the look."""

    EVENT = "event"
    POLL = "poll"
    REPLAY = "replay"
    COMMAND = "command"
    OVERRIDE = "override"
    """A command of a person who wants a lower version too."""

    @property
    def downgrades(self) -> bool:
        """Whether a person said that a lower version is meant; a replay feeds in hints and says no such thing."""
        return self is Trigger.OVERRIDE

    @property
    def revives(self) -> bool:
        """Whether a person asked: then a parked digest is tried again."""
        return self in {Trigger.REPLAY, Trigger.COMMAND, Trigger.OVERRIDE}

    @property
    def rank(self) -> int:
        """Of two that join, the higher one stays: nobody's later word takes away what somebody asked for."""
        return _RANKS[self]


_RANKS = {Trigger.POLL: -1, Trigger.EVENT: 0, Trigger.REPLAY: 1, Trigger.COMMAND: 1, Trigger.OVERRIDE: 2}
"""Stored with each task; an earlier version stored 1 for what a person asked for, and 0 for the rest."""


class State(StrEnum):
    """Where a task is; a task that is done is no longer in the list."""

    QUEUED = "queued"
    LEASED = "leased"
    PARKED = "parked"


TRANSITIONS: dict[tuple[State, str], State | None] = {
    (State.QUEUED, "lease"): State.LEASED,
    (State.LEASED, "complete"): None,
    (State.LEASED, "retry"): State.QUEUED,
    (State.LEASED, "look_again"): State.QUEUED,
    (State.LEASED, "park"): State.PARKED,
    (State.LEASED, "recover"): State.QUEUED,
    (State.PARKED, "discard"): None,
}
"""Every transition there is; None is the end. At most one queued, one leased and one parked task a repository."""


class Task(Value, frozen=True, kw_only=True):
    """A row of the list."""

    repository: str
    """The full repository name, or `EVERYTHING`."""
    state: State
    trigger: Trigger
    due: Moment
    created: Moment
    attempts: int = 0
    """Failed attempts so far."""
    looks: int = 0
    """Looks so far that found nothing new after an event (the tag may not be visible yet)."""
    force: bool = False
    """Install even where nothing changed."""
    error: str | None = None
    """Why the last attempt failed."""
    error_kind: str | None = None
    """Name of its class in `receiver.errors`, by which a remedy is found."""
    digest: str | None = None
    """Parked: the digest that cannot be installed."""


class Lease(Value, frozen=True, kw_only=True):
    """The right to work on ``task`` until ``until``; ``token`` proves it when reporting."""

    task: Task
    token: str
    until: float
