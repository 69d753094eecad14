"""What may be asked of a receiver. Types only; addons are named by the last part of their repositories."""

from receiver.document import Value, field
from receiver.tasks.journal import Aside, Wanted


class SyncRequest(Value, frozen=True):
    """Sync ``addons`` (repository leaves), or all that the registry has; ``force`` installs even the unchanged."""

    addons: tuple[str, ...] = ()
    force: bool = True
    allow_downgrade: bool = False
    """A lower version than the installed one is meant, and need not be seen twice."""


class PollRequest(Value, frozen=True):
    """One pass as the poller makes it."""


class ReplayRequest(Value, frozen=True):
    """Feed in again: ``repositories`` that a file named, or what the journal holds by the other fields."""

    repositories: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    """Deliveries by their numbers in the journal; where it has none of that number, an event's identifier."""
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


class RememberRequest(Value, frozen=True):
    """Keep in the journal which events of a file are fed in again; the looks are asked for afterwards."""

    asides: tuple[Aside, ...]


class DiscardRequest(Value, frozen=True):
    """Forget the parked tasks of ``addons``, or all; what is installed stays, and the next look tries again."""

    addons: tuple[str, ...] = ()


class MissedRequest(Value, frozen=True):
    """Compare the registry with the journal and the catalogue; ``sync`` looks at what no event announced."""

    sync: bool = False


class RollbackRequest(Value, frozen=True):
    """Bring back a kept release of ``addon`` and hold it: ``to`` a digest, version or tag, or the one before."""

    addon: str
    to: str | None = None


BY_HAND = "by hand"
"""The reason of who gives none."""


class HoldRequest(Value, frozen=True):
    """Leave ``addon`` as it is until it is released; ``reason`` for people."""

    addon: str
    reason: str = BY_HAND


class ReleaseRequest(Value, frozen=True):
    """End the hold of ``addon``, and look at it."""

    addon: str


class UninstallRequest(Value, frozen=True):
    """Remove what was delivered of ``addon``, and hold it."""

    addon: str


class VerifyRequest(Value, frozen=True):
    """Compare ``addons``, or all that are installed, with what was installed; ``repair`` brings that back."""

    addons: tuple[str, ...] = ()
    repair: bool = False


class ImportRequest(Value, frozen=True):
    """Install ``addons``, or all, of the archive at ``path``, which is absolute and on the host of the catalogue."""

    path: str
    addons: tuple[str, ...] = ()
    allow_downgrade: bool = False
    """A lower version than the installed one is meant."""
    hold: bool = False
    """Leave them at these releases, whatever a registry has."""


OperatorRequest = RollbackRequest | HoldRequest | ReleaseRequest | UninstallRequest | VerifyRequest | ImportRequest
"""Done at once, and not through the queue."""


class StatusRequest(Value, frozen=True):
    """Where ``addon`` stands, or each; with ``ask``, the registry is asked what is desired now."""

    addon: str | None = None
    ask: bool = True


class WhyRequest(Value, frozen=True):
    """The story of ``addon``."""

    addon: str


class HistoryRequest(Value, frozen=True):
    """The releases of ``addon`` that are kept, with who pushed each."""

    addon: str


class EventsRequest(Value, frozen=True):
    """Entries of the journal: the last ``limit``, the oldest of them first; ``follow`` goes on with what comes."""

    wanted: Wanted = field(default_factory=Wanted)
    limit: int = 50
    before: int | None = None
    follow: bool = False


class ParkedRequest(Value, frozen=True):
    """The tasks that are not tried again by themselves."""


class TasksRequest(Value, frozen=True):
    """The list of tasks."""


class HealthRequest(Value, frozen=True):
    """How journal and queue are."""


ViewRequest = StatusRequest | WhyRequest | HistoryRequest | EventsRequest | ParkedRequest | TasksRequest | HealthRequest
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
