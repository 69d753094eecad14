"""Where each addon stands, in one word."""

import pytest

from receiver.sync.status import DesiredFacts, Facts, HoldFacts, InstalledFacts, statuses
from receiver.tasks.task import EVERYTHING, State, Task, Trigger

NAME = "addons/monitoring"


def installed(digest: str = "one", *, present: bool = True) -> InstalledFacts:
    return InstalledFacts(tag="v1", version="1", digest=digest, installed=1.0, present=present)


def task(state: State, *, attempts: int = 0, error: str | None = None, name: str = NAME) -> Task:
    return Task(
        repository=name, state=state, trigger=Trigger.POLL, due=7.0, created=1.0, attempts=attempts, error=error
    )


@pytest.mark.parametrize(
    ("there", "wanted", "standing"),
    [
        (installed("one"), DesiredFacts(digest="one"), "current"),
        (installed("one"), DesiredFacts(digest="two"), "outdated"),
        (installed("one", present=False), DesiredFacts(digest="one"), "missing"),
        (installed("one", present=False), None, "missing"),
        (None, DesiredFacts(digest="one"), "missing"),
        (installed("one"), None, "unknown"),
        (installed("one"), DesiredFacts(error="down"), "unknown"),
    ],
)
def test_installed_is_compared_with_desired(
    there: InstalledFacts | None, wanted: DesiredFacts | None, standing: str
) -> None:
    """Where nothing is queued."""
    (row,) = statuses(
        Facts(installed={NAME: there} if there else {}, desired={NAME: wanted} if wanted else {}, tasks=[], holds={})
    )
    assert (row.standing, row.installed, row.desired, row.attempts) == (standing, there, wanted, 0)
    assert row.error == (wanted.error if wanted else None)


@pytest.mark.parametrize(
    ("tasks", "standing", "error"),
    [
        ([task(State.QUEUED)], "queued", None),
        ([task(State.QUEUED, attempts=2, error="down")], "retrying", "down"),
        ([task(State.PARKED, error="bad")], "parked", "bad"),
        ([task(State.PARKED, error="bad"), task(State.QUEUED)], "queued", "bad"),
        ([task(State.PARKED, error="bad"), task(State.QUEUED, attempts=1, error="down")], "retrying", "down"),
        ([task(State.LEASED), task(State.QUEUED), task(State.PARKED)], "syncing", None),
    ],
)
def test_tasks_say_more_than_the_comparison(tasks: list[Task], standing: str, error: str | None) -> None:
    """And why the last attempt failed, with when the next one is."""
    (row,) = statuses(
        Facts(installed={NAME: installed()}, desired={NAME: DesiredFacts(digest="one")}, tasks=tasks, holds={})
    )
    assert (row.standing, row.error) == (standing, error)
    queued = any(one.state is State.QUEUED for one in tasks)
    assert row.next_attempt == (7.0 if queued else None)


def test_every_repository_has_one_row_by_name_and_polls_have_none() -> None:
    """Installed, desired, or queued."""
    rows = statuses(
        Facts(
            installed={"addons/b": installed()},
            desired={"addons/a": DesiredFacts(digest="x"), "addons/b": DesiredFacts(digest="x")},
            tasks=[task(State.QUEUED, name="addons/c"), task(State.QUEUED, name=EVERYTHING)],
            holds={"addons/d": HoldFacts(since=1.0, reason="audit")},
        )
    )
    assert [row.repository for row in rows] == ["addons/a", "addons/b", "addons/c", "addons/d"]


@pytest.mark.parametrize(
    ("there", "tasks", "standing"),
    [
        (installed("one"), [], "held"),
        (None, [], "held"),
        (installed("one"), [task(State.QUEUED, attempts=1)], "held"),
        (installed("one"), [task(State.LEASED)], "syncing"),
        (installed("one", present=False), [], "missing"),
    ],
)
def test_a_hold_says_why_nothing_newer_comes(there: InstalledFacts | None, tasks: list[Task], standing: str) -> None:
    """Whatever waits; but a folder that is gone is worse."""
    hold = HoldFacts(since=1.0, reason="audit")
    (row,) = statuses(
        Facts(
            installed={NAME: there} if there else {},
            desired={NAME: DesiredFacts(digest="two")},
            tasks=tasks,
            holds={NAME: hold},
        )
    )
    assert (row.standing, row.hold) == (standing, hold)
