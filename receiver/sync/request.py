"""What may be asked of a receiver. Types only; addons are named by the last part of their repositories."""

from dataclasses import dataclass, field

from receiver.tasks.journal import Aside, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """Sync ``addons`` (repository leaves), or all that the registry has; ``force`` installs even the unchanged."""

    addons: tuple[str, ...] = ()
    force: bool = True
    allow_downgrade: bool = False
    """A lower version than the installed one is meant, and need not be seen twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollRequest:
    """One pass as the poller makes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """Feed in again: ``repositories`` that a file named, or what the journal holds by the other fields."""

    repositories: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    """Deliveries by their numbers in the journal."""
    event_ids: tuple[str, ...] = ()
    """Deliveries by the senders' identifiers of their events."""
    sender: str | None = None
    since: float | None = None
    until: float | None = None
    addon: str | None = None
    journal: bool = False
    failed: bool = False
    """What failed the last time, parked or not."""
    parked: bool = False
    """What is parked."""
    quarantined: bool = False
    dry_run: bool = False
    """Only say what it would lead to."""
    asked: float | None = None
    """When a person asked for it, in seconds since the epoch, where what they gave was read since; None: just now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberRequest:
    """Keep in the journal which events of a file are fed in again; the looks are asked for afterwards."""

    asides: tuple[Aside, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardRequest:
    """Forget the parked tasks of ``addons``, or all; what is installed stays, and a new digest is tried."""

    addons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedRequest:
    """Compare the registry with the journal and the catalogue; ``sync`` looks at what no event announced."""

    sync: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackRequest:
    """Bring back a kept release of ``addon`` and hold it: ``to`` a digest, version or tag, or the one before."""

    addon: str
    to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequest:
    """Leave ``addon`` as it is until it is released; ``reason`` for people."""

    addon: str
    reason: str = "by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest:
    """End the hold of ``addon``, and look at it."""

    addon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UninstallRequest:
    """Remove what was delivered of ``addon``, and hold it."""

    addon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """Compare ``addons``, or all that are installed, with what was installed; ``repair`` brings that back."""

    addons: tuple[str, ...] = ()
    repair: bool = False


OperatorRequest = RollbackRequest | HoldRequest | ReleaseRequest | UninstallRequest | VerifyRequest
"""Done at once, and not through the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRequest:
    """Where ``addon`` stands, or each; with ``ask``, the registry is asked what is desired now."""

    addon: str | None = None
    ask: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyRequest:
    """The story of ``addon``."""

    addon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRequest:
    """The releases of ``addon`` that are kept, with who pushed each."""

    addon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsRequest:
    """Entries of the journal: the last ``limit``, the oldest of them first; ``follow`` goes on with what comes."""

    wanted: Wanted = field(default_factory=Wanted)
    limit: int = 50
    before: int | None = None
    follow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedRequest:
    """The tasks that are not tried again by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRequest:
    """How journal and queue are."""


ViewRequest = StatusRequest | WhyRequest | HistoryRequest | EventsRequest | ParkedRequest | HealthRequest
"""Answered from what is there; nothing changes."""

Request = (
    SyncRequest
    | PollRequest
    | ReplayRequest
    | RememberRequest
    | DiscardRequest
    | MissedRequest
    | OperatorRequest
    | ViewRequest
)
