"""What is remembered of each addon is what the journal would say."""

from collections.abc import Collection, Mapping
from typing import Literal

import pytest

from receiver.sync import recall
from receiver.sync.chronicle import written
from receiver.sync.outcome import Surveyed
from receiver.sync.recall import Recall
from receiver.tasks.journal import DOCTOR, Activity, Aside, Event, Latest
from receiver.tasks.task import Trigger
from tests.support.outcomes import outcome
from tests.support.sync_fakes import NOW, ClockedQueue, ManualClock


class Counting(ClockedQueue):
    """Counts what is asked of each addon."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.asked: list[str] = []

    async def latest(self, repositories: Collection[str]) -> Mapping[str, Latest]:
        self.asked += repositories
        return await super().latest(repositories)


async def sync(journal: Counting, name: str, outcome: str = "installed") -> None:
    await journal.record([Activity(at=NOW, kind="sync", outcome=outcome, repository=name, document=b"{}")])


async def push(journal: Counting, *events: Event) -> None:
    await journal.replayed([Aside(received=NOW, sender="zot", verdict="replayed", events=events)])


async def test_what_comes_later_is_seen_without_asking_anew() -> None:
    """Of each addon the last push and the last sync, as the journal itself says it."""
    journal = Counting()
    found = Recall(journal)
    names = ["addons/a", "addons/b", "addons/c"]
    await push(journal, Event(repository="addons/a", tag="v1"))
    await sync(journal, "addons/a")
    assert await found.latest(names) == await journal.latest(names)
    journal.asked.clear()
    await push(
        journal,
        Event(repository="addons/a", tag="v2"),
        Event(repository="addons/b", left_out="blob"),
        Event(repository="addons/c", left_out="duplicate"),
    )
    await sync(journal, "addons/b", "failed")
    await sync(journal, "addons/never-asked-for")
    await journal.record([Activity(at=NOW, kind="operation", outcome="held", repository="addons/a", document=b"{}")])
    remembered = await found.latest(names)
    assert journal.asked == []
    assert remembered == await journal.latest(names)


async def test_a_trial_of_the_endpoint_takes_no_events_place() -> None:
    """Neither in what is asked for nor in what comes later."""
    journal = Counting()
    found = Recall(journal)
    await push(journal, Event(repository="addons/a", tag="v1"))
    before = await found.latest(["addons/a"])
    await push(journal, Event(repository="addons/a", tag="v1", actor=DOCTOR))
    assert await found.latest(["addons/a"]) == before == await journal.latest(["addons/a"])


async def test_another_addon_is_asked_for_once() -> None:
    """Those that are known are not."""
    journal = Counting()
    found = Recall(journal)
    await found.latest(["addons/a"])
    await sync(journal, "addons/b")
    await found.latest(["addons/a", "addons/b"])
    await found.latest(["addons/a", "addons/b"])
    assert journal.asked == ["addons/a", "addons/b"]


async def test_after_a_flood_everything_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is lost."""
    monkeypatch.setattr(recall, "_MOST_NEWS", 2)
    journal = Counting()
    found = Recall(journal)
    await found.latest(["addons/a"])
    for _ in range(3):
        await push(journal, Event(repository="addons/a", tag="v1"))
    await sync(journal, "addons/a")
    assert await found.latest(["addons/a"]) == await journal.latest(["addons/a"])
    await sync(journal, "addons/a", "failed")
    assert await found.latest(["addons/a"]) == await journal.latest(["addons/a"])


async def looked(journal: Counting, name: str, status: Literal["absent", "failed"]) -> None:
    """Write down a sync: the registry answered the absent ones."""
    look = outcome(status, Trigger.POLL, at=NOW, repository=name, error="x")
    await journal.record([written(look, at=NOW)])


async def polled(journal: Counting, error: str | None = None) -> None:
    await journal.record([written(Surveyed(started=NOW, duration=0.0, error=error), at=NOW)])


@pytest.mark.parametrize("most", [2, 512])
async def test_the_last_look_is_found_behind_all_that_could_not_ask(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Of an addon and of all, whether it is remembered or the journal is asked anew after a flood."""
    monkeypatch.setattr(recall, "_MOST_NEWS", most)
    monkeypatch.setattr(recall, "_POLLS", 2)
    journal = Counting()
    found, later = Recall(journal), Recall(journal)
    assert (await found.look(), await found.looks(["addons/a"])) == (None, {})
    await looked(journal, "addons/a", "absent")
    await polled(journal)
    seen = await found.look(), await found.looks(["addons/a", "addons/b"])
    assert seen[0] is not None
    assert list(seen[1]) == ["addons/a"]
    for number in range(5):
        await looked(journal, "addons/a", "failed")
        await polled(journal, f"down {number}")
        assert (await found.look(), await found.looks(["addons/a", "addons/b"])) == seen
    assert (await later.look(), await later.looks(["addons/a", "addons/b"])) == seen
    await polled(journal)
    await looked(journal, "addons/a", "absent")
    for one in (found, later):
        newer = await one.look(), (await one.looks(["addons/a"]))["addons/a"]
        assert newer[0] is not None
        assert newer[0].id > seen[0].id
        assert newer[1].id > seen[1]["addons/a"].id


async def test_polls_are_caught_up_with_where_no_addon_is_known() -> None:
    """On a host without an addon nobody asks for anything else; its last look must not stand still."""
    journal = Counting()
    found = Recall(journal)
    assert await found.look() is None
    for _ in range(2):
        await polled(journal)
        look = await found.look()
        assert look is not None
        assert look.id == await journal.newest()
