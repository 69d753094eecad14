"""What may be asked of a receiver. Types only; addons are named by the last part of their repositories."""

from dataclasses import dataclass


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
    since: float | None = None
    until: float | None = None
    addon: str | None = None
    journal: bool = False
    failed: bool = False
    quarantined: bool = False


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """Install ``addons``, or all, of the archive at ``path``, which is absolute and on the host of the catalogue."""

    path: str
    addons: tuple[str, ...] = ()
    allow_downgrade: bool = False
    """A lower version than the installed one is meant."""
    hold: bool = False
    """Leave them at these releases, whatever a registry has."""


OperatorRequest = RollbackRequest | HoldRequest | ReleaseRequest | UninstallRequest | VerifyRequest | ImportRequest
"""Done at once, and not through the queue."""

Request = SyncRequest | PollRequest | ReplayRequest | OperatorRequest
