"""Addons and tasks as rows: the order, the words, and what may be asked for."""

import pytest

from receiver.document import replaced
from receiver.server.page.board import counts, matching, queue, row, rows, tone, verbs
from receiver.sync.status import (
    AddonStatus,
    DesiredFacts,
    EventFacts,
    Facts,
    HoldFacts,
    InstalledFacts,
    Standing,
    statuses,
)
from receiver.tasks.task import EVERYTHING, State, Task, Trigger


def installed(digest: str = "one") -> InstalledFacts:
    return InstalledFacts(tag="v1", version="1", digest=digest, installed=1.0, present=True)


def task(leaf: str, state: State, *, attempts: int = 0, due: float = 7.0) -> Task:
    repository = EVERYTHING if leaf == EVERYTHING else f"addons/{leaf}"
    error = "it broke" if attempts else None
    return Task(
        repository=repository,
        state=state,
        trigger=Trigger.EVENT,
        due=due,
        created=1.0,
        attempts=attempts,
        error=error,
    )


def one(standing: Standing, **changes: object) -> AddonStatus:
    status = AddonStatus(
        repository="addons/monitoring",
        standing=standing,
        installed=installed(),
        desired=DesiredFacts(tag="v1", digest="one"),
        hold=None,
        next_attempt=None,
        attempts=0,
        error=None,
    )
    return replaced(status, **changes)


def test_what_needs_somebody_comes_first() -> None:
    """Then what is on its way, then what is well; by name among those that stand alike."""
    facts = Facts(
        installed={f"addons/{leaf}": installed() for leaf in ("b-current", "a-current", "held", "outdated", "queued")},
        desired={
            **{f"addons/{leaf}": DesiredFacts(digest="one") for leaf in ("a-current", "b-current", "held", "queued")},
            "addons/outdated": DesiredFacts(digest="two"),
        },
        tasks=[
            task("queued", State.QUEUED),
            task("z-parked", State.PARKED, attempts=1),
            task("retrying", State.QUEUED, attempts=2),
            task("syncing", State.LEASED),
        ],
        holds={"addons/held": HoldFacts(since=1.0, reason="audit")},
    )
    found = rows(statuses(facts))
    assert [each.leaf for each in found] == [
        "z-parked", "retrying", "outdated", "syncing", "queued", "held", "a-current", "b-current",
    ]  # fmt: skip
    assert [(count.standing, count.number) for count in counts(found)][-1] == ("current", 2)
    assert sum(count.number for count in counts(found)) == len(found)


@pytest.mark.parametrize(
    ("status", "offered"),
    [
        (one("current"), ("sync", "hold", "rollback")),
        (one("parked"), ("retry", "hold", "rollback")),
        (one("held", hold=HoldFacts(since=1.0, reason="audit")), ("release", "rollback")),
        (one("syncing", hold=HoldFacts(since=1.0, reason="audit")), ("release", "rollback")),
    ],
)
def test_only_what_makes_sense_is_offered(status: AddonStatus, offered: tuple[str, ...]) -> None:
    """A held addon is not synced, and one that is parked is retried."""
    assert verbs(status) == offered


def test_a_row_changes_only_with_what_it_shows() -> None:
    """A poll that finds everything as it was makes no page exchange 200 rows."""
    before = row(one("current", last_look=1.0, next_look=5.0))
    assert row(one("current", last_look=2.0, next_look=9.0)).stamp == before.stamp
    event = EventFacts(number=7, received=1.0, sender="zot", verdict="accepted")
    for other in (one("queued"), one("current", last_event=event), one("current", error="down", remedy="wait")):
        assert row(other).stamp != before.stamp


def test_an_unknown_addon_with_an_error_is_louder() -> None:
    """That the registry refuses to answer for it must be seen."""
    assert (tone(one("unknown")), tone(one("unknown", error="denied"))) == ("plain", "warn")


def test_a_filter_takes_several_words_of_what_is_seen() -> None:
    """Name, state, tag and who; in any case."""
    event = EventFacts(number=7, received=1.0, sender="zot", verdict="accepted", actor="Alice")
    found = [row(one("current", last_event=event)), row(one("held", repository="addons/logging"))]
    for words, leaves in (
        ("", ["monitoring", "logging"]),
        ("ALICE mon", ["monitoring"]),
        ("held", ["logging"]),
        ("alice held", []),
        ("v1 zot", ["monitoring"]),
    ):
        assert [each.leaf for each in matching(found, words)] == leaves


def test_the_queue_lists_what_runs_first_and_not_more_than_people_read() -> None:
    """A look at all addons has no name."""
    tasks = [task(f"a{number:02}", State.QUEUED, due=100.0 - number) for number in range(40)]
    found = queue([*tasks, task("bad", State.PARKED, attempts=1), task(EVERYTHING, State.LEASED)])
    assert (found.lines[0].name, found.lines[0].state, found.lines[0].due) == ("", "syncing", None)
    assert (found.lines[1].name, found.lines[1].due) == ("a39", 61.0)
    assert (len(found.lines), found.more) == (30, 12)
