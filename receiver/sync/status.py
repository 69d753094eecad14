"""Where each addon stands: what is desired, installed, queued, failed and why. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from receiver.tasks.task import EVERYTHING, State, Task

Standing = Literal["current", "outdated", "missing", "held", "queued", "syncing", "retrying", "parked", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledFacts:
    """What is installed from a repository; ``present`` where all its folders are there."""

    tag: str
    version: str | None
    digest: str
    installed: float
    present: bool
    replaced: tuple[str, ...] = ()
    """The operator's files that it had to replace, as they lie in the backups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldFacts:
    """Since when (seconds since the epoch) and why an addon is held."""

    since: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredFacts:
    """What the registry wants, or why that could not be told."""

    tag: str | None = None
    digest: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonStatus:
    """One addon repository; times in seconds since the epoch."""

    repository: str
    standing: Standing
    installed: InstalledFacts | None
    desired: DesiredFacts | None
    hold: HoldFacts | None
    next_attempt: float | None
    attempts: int
    error: str | None
    """Why the last attempt failed, or why the registry could not be asked."""


def statuses(
    *,
    installed: Mapping[str, InstalledFacts],
    desired: Mapping[str, DesiredFacts],
    tasks: Iterable[Task],
    holds: Mapping[str, HoldFacts],
) -> list[AddonStatus]:
    """One row for every repository that is installed, desired, held, or has a task; by name."""
    by_repository: dict[str, dict[State, Task]] = {}
    for task in tasks:
        if task.repository != EVERYTHING:
            by_repository.setdefault(task.repository, {})[task.state] = task
    names = sorted({*installed, *desired, *by_repository, *holds})
    return [
        _status(name, installed.get(name), desired.get(name), by_repository.get(name, {}), holds.get(name))
        for name in names
    ]


def _status(
    name: str,
    installed: InstalledFacts | None,
    desired: DesiredFacts | None,
    tasks: Mapping[State, Task],
    hold: HoldFacts | None,
) -> AddonStatus:
    queued, parked = tasks.get(State.QUEUED), tasks.get(State.PARKED)
    error = next((task.error for task in (queued, parked) if task is not None and task.error), None)
    return AddonStatus(
        repository=name,
        standing=_standing(installed, desired, tasks, held=hold is not None),
        installed=installed,
        desired=desired,
        hold=hold,
        next_attempt=queued.due if queued else None,
        attempts=max((task.attempts for task in tasks.values()), default=0),
        error=error or (desired.error if desired else None),
    )


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
