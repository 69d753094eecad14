"""Where each addon stands: what is desired, installed, queued, failed and why. Pure."""

from collections.abc import Iterable, Mapping
from typing import Literal

from receiver.document import Moment, Value, field
from receiver.sync.remedy import remedy
from receiver.tasks.task import EVERYTHING, State, Task

Standing = Literal["current", "outdated", "missing", "held", "queued", "syncing", "retrying", "parked", "unknown"]


class InstalledFacts(Value, frozen=True):
    """What is installed from a repository; ``present`` where all its folders are there."""

    tag: str
    version: str | None
    digest: str
    installed: Moment
    present: bool
    replaced: tuple[str, ...] = ()
    """The operator's files that it had to replace, as they lie in the backups."""


class HoldFacts(Value, frozen=True):
    """Since when and why an addon is held."""

    since: Moment
    reason: str


class DesiredFacts(Value, frozen=True):
    """What the registry wants, or why that could not be told."""

    tag: str | None = None
    digest: str | None = None
    error: str | None = None
    error_kind: str | None = None
    """Name of its class in `receiver.errors`, where the registry was asked just now."""
    as_of: Moment | None = None
    """When the registry said so; None: just now."""


class EventFacts(Value, frozen=True):
    """The last delivery that named an addon."""

    number: int
    received: Moment
    sender: str
    verdict: str
    actor: str | None = None
    tag: str | None = None
    digest: str | None = None
    deleted: bool = False
    """It told of a deletion, and of no push."""


class SyncFacts(Value, frozen=True):
    """How the last sync of an addon ended."""

    number: int
    ended: Moment
    outcome: str
    trigger: str
    tag: str | None = None
    digest: str | None = None
    error: str | None = None
    error_kind: str | None = None


class AddonStatus(Value, frozen=True):
    """One addon repository."""

    repository: str
    standing: Standing
    installed: InstalledFacts | None
    desired: DesiredFacts | None
    hold: HoldFacts | None
    next_attempt: Moment | None
    attempts: int
    error: str | None
    """Why the last attempt failed, or why the registry could not be asked."""
    remedy: str | None = None
    """What to do about the error; None where there is none, or nothing to do."""
    last_event: EventFacts | None = None
    last_sync: SyncFacts | None = None
    last_look: Moment | None = None
    """When it was last compared with the registry: by a sync, or by a poll."""
    next_look: Moment | None = None
    """When it will be: its task's time, or that of the next poll; None where neither is known."""


def is_unknown(status: AddonStatus) -> bool:
    """Whether this host never heard of it: neither catalogue, queue nor journal, as far as ``status`` tells."""
    facts = (status.installed, status.hold, status.next_attempt, status.last_event, status.last_sync)
    return status.standing == "unknown" and not any(facts)


class Facts(Value, frozen=True):
    """All that is known, by repository where it is of one."""

    installed: Mapping[str, InstalledFacts]
    desired: Mapping[str, DesiredFacts] = field(default_factory=dict)
    tasks: Iterable[Task] = ()
    holds: Mapping[str, HoldFacts] = field(default_factory=dict)
    events: Mapping[str, EventFacts] = field(default_factory=dict)
    syncs: Mapping[str, SyncFacts] = field(default_factory=dict)
    looks: Mapping[str, float] = field(default_factory=dict)
    """When each was last compared with the registry."""
    next_poll: float | None = None
    named: str | None = None
    """A repository that was asked for by name: it has a row whether or not anything is known of it."""


def statuses(facts: Facts) -> list[AddonStatus]:
    """One row for every repository that is installed, desired, held, named, or has a task; by name."""
    by_repository: dict[str, dict[State, Task]] = {}
    for task in facts.tasks:
        if task.repository != EVERYTHING:
            by_repository.setdefault(task.repository, {})[task.state] = task
    names = {*facts.installed, *facts.desired, *by_repository, *facts.holds}
    if facts.named is not None:
        names.add(facts.named)
    return [_status(name, facts, by_repository.get(name, {})) for name in sorted(names)]


def _status(name: str, facts: Facts, tasks: Mapping[State, Task]) -> AddonStatus:
    installed, desired, hold = facts.installed.get(name), facts.desired.get(name), facts.holds.get(name)
    queued, parked = tasks.get(State.QUEUED), tasks.get(State.PARKED)
    failed = next((task for task in (queued, parked) if task is not None and task.error), None)
    error = failed.error if failed is not None else None
    return AddonStatus(
        repository=name,
        standing=_standing(installed, desired, tasks, held=hold is not None),
        installed=installed,
        desired=desired,
        hold=hold,
        next_attempt=queued.due if queued else None,
        attempts=max((task.attempts for task in tasks.values()), default=0),
        error=error or (desired.error if desired else None),
        remedy=_remedy(name, failed),
        last_event=facts.events.get(name),
        last_sync=facts.syncs.get(name),
        last_look=facts.looks.get(name),
        next_look=queued.due if queued else facts.next_poll,
    )


def _remedy(name: str, failed: Task | None) -> str | None:
    if failed is None:
        return None
    return remedy(failed.error_kind, addon=name.rpartition("/")[2], parked=failed.state is State.PARKED)


def _standing(
    installed: InstalledFacts | None, desired: DesiredFacts | None, tasks: Mapping[State, Task], *, held: bool
) -> Standing:
    if State.LEASED in tasks:
        return "syncing"
    if held:
        return "held" if installed is None or installed.present else "missing"
    if State.QUEUED in tasks:
        return "retrying" if tasks[State.QUEUED].attempts else "queued"
    if State.PARKED in tasks:
        return "parked"
    return _compared(installed, desired)


def _compared(installed: InstalledFacts | None, desired: DesiredFacts | None) -> Standing:
    if installed is not None and not installed.present:
        return "missing"
    if desired is None or desired.digest is None:
        return "unknown"
    if installed is None:
        return "missing"
    return "current" if installed.digest == desired.digest else "outdated"
