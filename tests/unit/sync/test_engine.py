"""Requests: what they queue, and which outcomes answer them."""

import asyncio
import json
import threading
from contextlib import aclosing
from typing import Any

import pytest

from receiver.errors import InvalidNameError, QueueUnavailable, Unavailable, UnsafeArchive, WrongRepository
from receiver.sync.engine import Report
from receiver.sync.operations import Changed
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.replayed import Replayed
from receiver.sync.request import (
    DiscardRequest,
    HoldRequest,
    PollRequest,
    ReplayRequest,
    Request,
    StatusRequest,
    SyncRequest,
)
from receiver.sync.status import AddonStatus
from receiver.tasks.journal import Event, Kept
from receiver.tasks.queue import Intake
from receiver.tasks.task import Trigger
from tests.support.sync_fakes import NOW, World, until


async def answers(world: World, request: Request) -> list[Report]:
    """Carry out ``request`` to its end."""
    async with asyncio.timeout(30), aclosing(world.engine.execute(request)) as reports:
        return [report async for report in reports]


def told(reports: list[Report]) -> list[tuple[str, str]]:
    """Repository and status of the outcomes."""
    return sorted((report.repository, report.status) for report in reports if isinstance(report, Outcome))


async def deliver(
    world: World,
    *repositories: str,
    received: float = NOW,
    verdict: Kept = "accepted",
    body: bytes | None = None,
    named: bool = True,
) -> None:
    """Put a delivery of Distribution into the journal, and take its tasks out of the list."""
    events = [{"id": name, "action": "push", "target": {"repository": name, "tag": "v1.0.0"}} for name in repositories]
    intake = Intake(
        sender="distribution",
        received=received,
        verdict=verdict,
        reason=None,
        headers=b"{}",
        body=json.dumps({"events": events}).encode() if body is None else body,
        events=tuple(Event(repository=name) for name in repositories) if named else (),
    )
    await world.queue.ingest(intake, now=received)
    while (lease := await world.queue.lease(now=NOW + 10**6, seconds=1)) is not None:
        await world.queue.complete(lease, unpark=True)


@pytest.mark.parametrize("name", ["monitoring", "addons/monitoring"])
async def test_addons_are_synced_by_leaf_and_by_full_name(name: str) -> None:
    """And only those."""
    world = World()
    world.registry.push("monitoring")
    world.registry.push("security")
    async with world.working():
        assert told(await answers(world, SyncRequest(addons=(name,)))) == [("addons/monitoring", "installed")]
    assert list(world.catalogue.installed) == ["monitoring"]


async def test_sync_without_names_is_all_that_the_registry_has() -> None:
    """Forced or not, as asked."""
    world = World()
    world.registry.push("new")
    world.catalogue.installed["same"] = world.registry.push("same")
    async with world.working():
        first = await answers(world, SyncRequest(force=False))
        second = await answers(world, SyncRequest())
    assert told(first) == [("addons/new", "installed"), ("addons/same", "unchanged")]
    assert told(second) == [("addons/new", "installed"), ("addons/same", "installed")]
    assert {report.trigger for report in first if isinstance(report, Outcome)} == {Trigger.COMMAND}


async def test_an_empty_registry_is_nothing_to_do() -> None:
    """The stream ends at once."""
    assert await answers(World(), SyncRequest()) == []


async def test_a_name_that_cannot_be_an_addon_queues_nothing() -> None:
    """Not even the good ones beside it."""
    world = World()
    with pytest.raises(InvalidNameError):
        await answers(world, SyncRequest(addons=("monitoring", "../etc")))
    assert await world.queue.tasks() == []


async def test_what_cannot_be_queued_is_said() -> None:
    """And nobody listens on for nothing."""
    world = World()
    world.queue.broken["enqueue"] = QueueUnavailable("disk full")
    with pytest.raises(QueueUnavailable):
        await answers(world, SyncRequest(addons=("monitoring",)))
    assert world.workers._listeners == [world.told.append, world.chronicle]


async def test_without_a_catalogue_sync_says_why() -> None:
    """As a poll would; nothing was queued."""
    world = World()
    world.registry.errors["repositories", ""] = Unavailable("down")
    [surveyed] = await answers(world, SyncRequest())
    assert isinstance(surveyed, Surveyed)
    assert surveyed.error == "down"
    assert await world.queue.tasks() == []


async def test_a_failure_is_an_answer_and_a_retry_is_not_waited_for() -> None:
    """The command ends with exit code 1; the task goes on."""
    world = World()
    world.registry.push("monitoring")
    world.fail("tags", "monitoring", Unavailable("down"))
    async with world.working():
        assert told(await answers(world, SyncRequest(addons=("monitoring",)))) == [("addons/monitoring", "failed")]


async def test_a_poll_tells_the_survey_and_then_what_changed() -> None:
    """As the scheduled poller makes it."""
    world = World()
    world.registry.push("a")
    world.registry.push("b")
    world.catalogue.installed["same"] = world.registry.push("same")
    async with world.working():
        first, *rest = await answers(world, PollRequest())
    assert isinstance(first, Surveyed)
    assert (first.changed, first.unchanged) == (("addons/a", "addons/b"), 1)
    assert told(rest) == [("addons/a", "installed"), ("addons/b", "installed")]


async def test_what_ends_before_the_survey_is_told_is_not_lost() -> None:
    """What the survey queued may be done before the survey itself is reported as done."""
    world = World()
    world.registry.push("a")
    complete = world.queue.complete

    async def complete_late(lease: object, *, unpark: bool) -> None:
        if lease.task.repository == "*":  # type: ignore[attr-defined] # a lease, as in MemoryQueue
            await until(lambda: len(world.outcomes) == 1)
        await complete(lease, unpark=unpark)  # type: ignore[arg-type] # as above

    world.queue.complete = complete_late  # type: ignore[method-assign] # a slow disk
    async with world.working():
        first, *rest = await answers(world, PollRequest())
    assert isinstance(first, Surveyed)
    assert told(rest) == [("addons/a", "installed")]


async def test_a_poll_that_fails_is_an_answer() -> None:
    """With its reason."""
    world = World()
    world.registry.errors["repositories", ""] = Unavailable("down")
    async with world.working():
        (report,) = await answers(world, PollRequest())
    assert isinstance(report, Surveyed)
    assert report.error == "down"


async def test_an_outcome_that_began_before_the_request_is_no_answer_to_it() -> None:
    """It may have looked before the push that the person has in mind; the clock stands still here, as clocks do."""
    world = World()
    world.registry.push("monitoring", b"one")
    gate = world.catalogue.gate = threading.Event()
    async with world.working():
        await world.ask("monitoring")
        await until(world.catalogue.entered.is_set)
        digest = world.registry.push("monitoring", b"two")
        asked = asyncio.create_task(answers(world, SyncRequest(addons=("monitoring",))))
        await until(lambda: len(world.workers._listeners) == 2)
        gate.set()
        (report,) = await asked
    assert isinstance(report, Outcome)
    assert (report.digest, report.trigger) == (str(digest), Trigger.COMMAND)
    assert len(world.outcomes) == 2


async def test_a_task_that_was_taken_but_had_not_begun_is_no_answer_either() -> None:
    """It was taken without the force of the request."""
    world = World()
    world.catalogue.installed["monitoring"] = world.registry.push("monitoring")
    take, hold, held = world.queue.lease, asyncio.Event(), asyncio.Event()

    async def slowly(**arguments: Any) -> object:
        lease = await take(**arguments)
        if lease is not None and not held.is_set():
            held.set()
            await hold.wait()
        return lease

    world.queue.lease = slowly  # type: ignore[method-assign,assignment] # a slow disk
    async with world.working():
        await world.ask("monitoring", trigger=Trigger.POLL)
        await held.wait()
        asked = asyncio.create_task(answers(world, SyncRequest(addons=("monitoring",))))
        await until(lambda: len(world.queue.queued()) == 2)
        await world.clock.advance(1)
        hold.set()
        assert told(await asked) == [("addons/monitoring", "installed")]


async def test_outcomes_of_others_are_not_passed_on() -> None:
    """Each request gets its own."""
    world = World()
    world.registry.push("a")
    world.registry.push("b")
    async with world.working():
        await world.ask("b")
        assert told(await answers(world, SyncRequest(addons=("a", "a")))) == [("addons/a", "installed")]


async def test_a_replay_of_named_repositories_looks_at_them() -> None:
    """What a file named; without force."""
    world = World()
    world.catalogue.installed["same"] = world.registry.push("same")
    world.registry.push("new")
    request = ReplayRequest(repositories=("addons/new", "addons/same"))
    async with world.working():
        first, *rest = await answers(world, request)
    assert isinstance(first, Replayed)
    assert told(rest) == [("addons/new", "installed"), ("addons/same", "unchanged")]


async def test_a_replay_of_the_journal_counts_and_looks() -> None:
    """By time, and by addon."""
    world = World()
    await deliver(world, "addons/a", "addons/b", received=NOW - 100)
    await deliver(world, "addons/b", received=NOW - 10)
    for leaf in ("a", "b"):
        world.registry.push(leaf)
    async with world.working():
        everything = await answers(world, ReplayRequest(journal=True))
        recent = await answers(world, ReplayRequest(journal=True, since=NOW - 50))
        early = await answers(world, ReplayRequest(journal=True, until=NOW - 50, addon="b"))
    assert isinstance(everything[0], Replayed)
    assert everything[0].repositories == {"addons/a": 1, "addons/b": 2}
    assert (everything[0].documents, everything[0].events, everything[0].problems) == (2, 3, [])
    assert told(recent) == [("addons/b", "unchanged")]
    assert isinstance(early[0], Replayed)
    assert (early[0].repositories, early[0].events) == ({"addons/b": 1}, 1)


async def test_a_replay_of_the_quarantined_reads_them_by_todays_rules() -> None:
    """What was not understood then names no repository in the journal; what still is not, is told."""
    world = World()
    await deliver(world, "addons/accepted")
    await deliver(world, "addons/a", "addons/b", verdict="quarantined", named=False)
    await deliver(world, verdict="quarantined", body=b"\xff{")
    world.registry.push("a")
    async with world.working():
        found, *rest = await answers(world, ReplayRequest(quarantined=True, addon="a"))
    assert isinstance(found, Replayed)
    assert (found.documents, found.repositories, len(found.problems)) == (2, {"addons/a": 1}, 1)
    assert "distribution" in found.problems[0]
    assert told(rest) == [("addons/a", "installed")]


async def test_a_replay_of_what_failed_revives_it() -> None:
    """The parked and those that wait for their next try; not what merely waits."""
    world = World()
    for leaf in ("parked", "late", "waiting"):
        world.registry.push(leaf)
    world.catalogue.errors["parked"] = UnsafeArchive("bad")
    world.fail("tags", "late", Unavailable("down"))
    async with world.working():
        await world.ask("parked", "late")
        await world.settled()
        await world.queue.enqueue(["addons/waiting"], trigger=Trigger.POLL, now=NOW, due=NOW + 99)
        world.catalogue.errors.clear()
        world.fail("tags", "late", None)
        one = await answers(world, ReplayRequest(failed=True, addon="late"))
        rest = await answers(world, ReplayRequest(failed=True))
    assert told(one) == [("addons/late", "installed")]
    assert told(rest) == [("addons/parked", "installed")]


async def test_a_replay_that_finds_nothing_says_so() -> None:
    """And ends."""
    (found,) = await answers(World(), ReplayRequest(failed=True))
    assert found == Replayed()


async def test_who_goes_away_is_not_told_any_more() -> None:
    """What was asked for happens all the same."""
    world = World()
    world.registry.push("a")
    world.registry.push("b")
    async with world.working():
        async with aclosing(world.engine.execute(SyncRequest())) as reports:
            await anext(reports)
        assert world.workers._listeners == [world.told.append, world.chronicle]
        await world.settled()
    assert len(world.catalogue.installed) == 2


async def test_the_list_of_tasks_can_be_seen() -> None:
    """For the status."""
    world = World()
    await world.ask("monitoring")
    (row,) = [report async for report in world.engine.execute(StatusRequest(ask=False))]
    assert isinstance(row, AddonStatus)
    assert (row.repository, row.standing) == ("addons/monitoring", "queued")


async def test_a_repository_of_the_wrong_name_is_kept_quiet_as_its_remedy_says() -> None:
    """Discarded alone, it is tried again and parked again, since the registry still has it; held, it is not."""
    world = World()
    world.registry.push("helo")
    world.catalogue.errors["helo"] = WrongRepository("addons/helo delivers the addon hello")
    async with world.working():
        await answers(world, PollRequest())
        for _ in range(2):
            (row,) = await world.views.statuses("helo", ask=False)
            assert row.standing == "parked"
            assert "delete this one from the registry" in (row.remedy or "")
            assert "'addon-sync hold helo' and 'addon-sync parked discard helo' keep it quiet" in (row.remedy or "")
            (changed,) = await answers(world, DiscardRequest(addons=("helo",)))
            assert isinstance(changed, Changed)
            assert "the next look tries again what the registry has then" in changed.note
            await answers(world, PollRequest())
        for request in (HoldRequest(addon="helo"), DiscardRequest(addons=("helo",))):
            await answers(world, request)
        looks = world.registry.looks("helo")
        await answers(world, PollRequest())
    assert (await world.queue.tasks(), world.registry.looks("helo")) == ([], looks)
