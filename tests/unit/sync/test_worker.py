"""Tasks that are taken, carried out and reported: one look an event, patience, and no addon in the way of another."""

import asyncio
import logging
import threading
from typing import Any

import pytest

from receiver.catalog.record import Hold
from receiver.errors import (
    DigestMismatch,
    InstallError,
    LeaseLost,
    NotInRegistry,
    ProtocolViolation,
    QueueUnavailable,
    RateLimited,
    Unavailable,
    UnsafeArchive,
)
from receiver.sync.leasing import Granted
from receiver.sync.outcome import Surveyed
from receiver.sync.retry import BASE_DELAY, LOOK_AGAIN, MAX_DELAY
from receiver.sync.worker import LEASE_SECONDS
from receiver.tasks.journal import Done, Wanted
from receiver.tasks.task import EVERYTHING, Lease, State, Task, Trigger
from tests.support.sync_fakes import JITTER, NOW, PREFIX, World, until


async def only_task(world: World) -> Task:
    (task,) = await world.queue.tasks()
    return task


async def test_an_event_leads_to_one_look_and_one_installation() -> None:
    """The whole way, once."""
    world = World()
    digest = world.registry.push("monitoring")
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
    (outcome,) = world.outcomes
    assert (outcome.status, outcome.digest, outcome.tag, outcome.parked) == ("installed", str(digest), "v1.0.0", False)
    assert (outcome.files, outcome.fetched, outcome.trigger) == (1, len(b"one"), Trigger.EVENT)
    assert world.registry.looks("monitoring") == 1
    assert world.catalogue.installed == {"monitoring": digest}
    assert await world.queue.tasks() == []


async def test_a_push_during_a_sync_leads_to_exactly_one_more() -> None:
    """Never none, never ten."""
    world = World()
    first = world.registry.push("monitoring", b"one")
    gate = world.catalogue.gate = threading.Event()
    async with world.working():
        await world.ask("monitoring")
        await until(world.catalogue.entered.is_set)
        second = world.registry.push("monitoring", b"two")
        for _ in range(10):
            await world.ask("monitoring")
        gate.set()
        await world.settled()
    assert [release.digest for release in world.catalogue.releases] == [first, second]
    assert world.registry.looks("monitoring") == 2
    assert await world.queue.tasks() == []


async def test_an_event_that_finds_the_old_state_looks_again_and_then_settles() -> None:
    """Distribution announces a manifest before it links its tag."""
    world = World()
    world.catalogue.installed["monitoring"] = world.registry.push("monitoring")
    async with world.working():
        await world.ask("monitoring")
        for looks, delay in enumerate(LOOK_AGAIN, start=1):
            await world.settled()
            assert world.told == []
            assert (await only_task(world)).due == world.clock() + delay
            await world.clock.advance(delay / 2)
            await world.settled()
            assert world.registry.looks("monitoring") == looks
            await world.clock.advance(delay / 2)
        await world.settled()
        assert await world.queue.tasks() == []
    assert [outcome.status for outcome in world.outcomes] == ["unchanged"]
    assert world.registry.looks("monitoring") == 1 + len(LOOK_AGAIN)


async def test_looking_again_finds_the_tag_that_became_visible() -> None:
    """That is what it is for, also where the repository itself was not there yet."""
    world = World()
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
        digest = world.registry.push("monitoring")
        await world.clock.advance(LOOK_AGAIN[0])
        await world.settled()
    assert [outcome.status for outcome in world.outcomes] == ["installed"]
    assert world.catalogue.installed == {"monitoring": digest}


@pytest.mark.parametrize("trigger", [Trigger.POLL, Trigger.REPLAY, Trigger.COMMAND])
async def test_only_events_look_again(trigger: Trigger) -> None:
    """Nobody pushed just now."""
    world = World()
    world.catalogue.installed["monitoring"] = world.registry.push("monitoring")
    async with world.working():
        await world.ask("monitoring", "gone", trigger=trigger)
        await world.settled()
        assert await world.queue.tasks() == []
    assert sorted(outcome.status for outcome in world.outcomes) == ["absent", "unchanged"]


async def test_the_unchanged_is_skipped_unless_forced(caplog: pytest.LogCaptureFixture) -> None:
    """Forced means again, and the log does not claim a change."""
    caplog.set_level(logging.INFO)
    world = World()
    world.catalogue.installed["monitoring"] = world.registry.push("monitoring")
    async with world.working():
        await world.ask("monitoring", trigger=Trigger.COMMAND)
        await world.settled()
        assert world.catalogue.releases == []
        await world.ask("monitoring", trigger=Trigger.COMMAND, force=True)
        await world.settled()
    assert [outcome.status for outcome in world.outcomes] == ["unchanged", "installed"]
    assert len(world.catalogue.releases) == 1
    assert "Digest changed" not in caplog.text


async def test_a_new_artifact_is_announced_word_for_word(caplog: pytest.LogCaptureFixture) -> None:
    """Contract, "Log lines"."""
    caplog.set_level(logging.INFO)
    world = World()
    world.registry.push("monitoring")
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
    assert "Digest changed -- proceeding with full sync" in caplog.messages


async def parked_world() -> World:
    """An addon whose installation was refused for good, in a world that does not work now."""
    world = World()
    world.registry.push("monitoring", b"bad")
    world.catalogue.errors["monitoring"] = UnsafeArchive("a link in the archive")
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
    assert (await only_task(world)).state is State.PARKED
    return reopened(world)


def reopened(world: World) -> World:
    """The same queue, registry and catalogue after a restart."""
    new = World()
    for member in ("clock", "queue", "registry", "blobs", "catalogue"):
        for owner in (new.workers, new.workers._leasing, new.syncer, new.survey, new.engine):
            if hasattr(owner, f"_{member}"):
                setattr(owner, f"_{member}", getattr(world, member))
        setattr(new, member, getattr(world, member))
    new.engine._journal = world.queue
    return new


async def test_a_failure_that_names_a_file_in_no_utf_8_is_tried_again() -> None:
    """It was taken for a fault of the program, which parks: no such text can be stored in a queue or a journal."""
    world = World()
    world.registry.push("monitoring")
    world.catalogue.errors["monitoring"] = InstallError("gr\udcfcn.txt is held open")
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
        task = await only_task(world)
    assert (task.state, task.error, task.error_kind) == (State.QUEUED, r"gr\udcfcn.txt is held open", "InstallError")
    (outcome,) = world.outcomes
    assert (outcome.error, outcome.parked) == (task.error, False)


async def test_what_repetition_cannot_cure_is_parked_with_digest_and_reason() -> None:
    """Shown in the status until something changes."""
    world = await parked_world()
    task = await only_task(world)
    assert (task.digest, task.error) == (
        str(world.registry.tagged["addons/monitoring"]["v1.0.0"]),
        "a link in the archive",
    )


@pytest.mark.parametrize("trigger", [Trigger.EVENT, Trigger.POLL])
async def test_a_parked_digest_is_not_tried_again_by_itself(trigger: Trigger) -> None:
    """Every poll would download and refuse it again."""
    world = await parked_world()
    world.catalogue.errors.clear()
    async with world.working():
        await world.ask("monitoring", trigger=trigger)
        for delay in LOOK_AGAIN:
            await world.settled()
            await world.clock.advance(delay)
        await world.settled()
    assert world.catalogue.releases == []
    (outcome,) = world.outcomes
    assert (outcome.status, outcome.parked, outcome.error) == ("failed", True, "a link in the archive")
    assert (await only_task(world)).state is State.PARKED


async def test_what_is_parked_stays_so_while_it_is_held() -> None:
    """It is not looked at; after the hold it would be fetched and refused once more."""
    world = await parked_world()
    world.catalogue.hold("addons/monitoring", "monitoring", Hold(since=NOW, reason="audit"))
    async with world.working():
        await world.ask("monitoring", trigger=Trigger.COMMAND)
        await world.settled()
    assert [outcome.status for outcome in world.outcomes] == ["held"]
    assert (await only_task(world)).state is State.PARKED


@pytest.mark.parametrize("trigger", [Trigger.REPLAY, Trigger.COMMAND])
async def test_a_person_revives_a_parked_digest(trigger: Trigger) -> None:
    """And what succeeds is parked no more."""
    world = await parked_world()
    world.catalogue.errors.clear()
    async with world.working():
        await world.ask("monitoring", trigger=trigger)
        await world.settled()
    assert [outcome.status for outcome in world.outcomes] == ["installed"]
    assert await world.queue.tasks() == []


async def test_a_new_digest_is_tried_although_another_one_is_parked() -> None:
    """A push cures it."""
    world = await parked_world()
    world.catalogue.errors.clear()
    world.registry.push("monitoring", b"good")
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
    assert [outcome.status for outcome in world.outcomes] == ["installed"]
    assert await world.queue.tasks() == []


async def test_what_time_may_cure_goes_back_with_a_growing_jittered_delay() -> None:
    """Full jitter: a uniform share of a ceiling that doubles, up to five minutes."""
    world = World()
    world.registry.push("monitoring")
    world.fail("tags", "monitoring", Unavailable("the registry is down"))
    async with world.working():
        await world.ask("monitoring")
        for attempt in range(1, 12):
            await world.settled()
            task = await only_task(world)
            delay = JITTER * min(MAX_DELAY, BASE_DELAY * 2 ** (attempt - 1))
            assert (task.state, task.attempts, task.due) == (State.QUEUED, attempt, world.clock() + delay)
            assert task.error == "the registry is down"
            await world.clock.advance(delay)
        world.fail("tags", "monitoring", None)
        await world.clock.advance(MAX_DELAY)
        await world.settled()
    assert world.outcomes[-1].status == "installed"
    assert all(outcome.status == "failed" and not outcome.parked for outcome in world.outcomes[:-1])


async def test_a_registry_that_asks_for_time_gets_at_least_that() -> None:
    """429 with Retry-After is answered by the queue, not by a sleeping worker."""
    world = World()
    world.registry.push("monitoring")
    world.fail("tags", "monitoring", RateLimited("slow down", retry_after=120))
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
        assert world.clock() + 120 <= (await only_task(world)).due <= world.clock() + 120 + BASE_DELAY


async def test_a_broken_blob_is_given_up_after_its_attempts() -> None:
    """Repetition cures transport, not content."""
    world = World()
    world.registry.push("monitoring")
    world.fail("blob", "monitoring", DigestMismatch("other bytes"))
    async with world.working():
        await world.ask("monitoring")
        for _ in range(5):
            await world.settled()
            await world.clock.advance(MAX_DELAY)
        task = await only_task(world)
    assert [outcome.parked for outcome in world.outcomes] == [False, False, True]
    assert (task.state, task.digest) == (State.PARKED, world.outcomes[-1].digest)


async def test_a_manifest_that_vanished_between_two_requests_is_asked_for_again() -> None:
    """Not "absent": a tag pointed at it a moment ago."""
    world = World()
    world.registry.push("monitoring")
    world.fail("manifest", "monitoring", NotInRegistry("gone"))
    async with world.working():
        await world.ask("monitoring", trigger=Trigger.POLL)
        await world.settled()
        assert (await only_task(world)).state is State.QUEUED
    assert [outcome.status for outcome in world.outcomes] == ["failed"]


async def test_one_failing_addon_does_not_hold_the_others() -> None:
    """Even with a single worker."""
    world = World(concurrency=1)
    for leaf in ("a", "b", "c"):
        world.registry.push(leaf)
    world.fail("tags", "a", Unavailable("down"))
    world.catalogue.errors["b"] = InstallError("a file is held open")
    async with world.working():
        await world.ask("a", "b", "c")
        await world.settled()
    assert {outcome.repository: outcome.status for outcome in world.outcomes} == {
        "addons/a": "failed",
        "addons/b": "failed",
        "addons/c": "installed",
    }


async def test_so_many_run_at_once_and_no_more() -> None:
    """The operator's bound on connections and disk."""
    world = World(concurrency=3)
    leaves = [f"addon{number}" for number in range(8)]
    gate = asyncio.Event()
    for leaf in leaves:
        world.registry.push(leaf)
        world.registry.gates[PREFIX + leaf] = gate
    async with world.working():
        await world.ask(*leaves)
        await until(lambda: world.registry.now.total() == 3)
        assert world.workers.busy == 3
        gate.set()
        await world.settled()
    assert world.registry.most == 3
    assert len(world.catalogue.installed) == 8


async def test_an_addon_is_never_synced_twice_at_once_also_after_a_long_sleep_of_the_computer() -> None:
    """All leases look run out then: those that are worked on are renewed before any is ended."""
    world = World()
    world.registry.push("monitoring")
    gate = world.registry.gates["addons/monitoring"] = asyncio.Event()
    async with world.working():
        await world.ask("monitoring")
        await until(lambda: world.registry.now["addons/monitoring"] == 1)
        await world.ask("monitoring")
        for _ in range(3):
            await world.clock.advance(10 * LEASE_SECONDS)
            await world.ask("monitoring")
            await until(lambda: world.workers._kept == world.clock())
        gate.set()
        await world.settled()
    assert not world.registry.overlapped
    assert world.outcomes[0].status == "installed"


async def test_stopping_gives_the_task_back_as_it_was() -> None:
    """Nothing that was acknowledged is lost."""
    world = World()
    world.registry.push("monitoring")
    world.registry.gates["addons/monitoring"] = asyncio.Event()
    async with world.working():
        await world.ask("monitoring")
        before = world.queue.queued()
        await until(lambda: world.registry.now["addons/monitoring"] == 1)
    assert await world.queue.tasks() == before
    assert world.told == []


async def test_what_is_being_given_back_is_so_although_it_is_cancelled_again() -> None:
    """Else it would stay with a worker that is gone, until its lease is over."""
    world = World()
    world.registry.push("monitoring")
    world.registry.gates["addons/monitoring"] = asyncio.Event()
    give_back, giving, given = world.queue.give_back, asyncio.Event(), asyncio.Event()

    async def slowly(lease: Lease) -> None:
        giving.set()
        await given.wait()
        await give_back(lease)

    world.queue.give_back = slowly  # type: ignore[method-assign] # a disk that takes its time
    async with world.working():
        await world.ask("monitoring")
        before = world.queue.queued()
        await until(lambda: world.registry.now["addons/monitoring"] == 1)
        (sync,) = world.workers._running
        sync.cancel()
        await giving.wait()
        sync.cancel()
        await asyncio.sleep(0)
        world.workers.stop()
        given.set()
        await asyncio.wait({sync})
    assert await world.queue.tasks() == before


async def test_what_had_not_begun_is_given_back_too() -> None:
    """A task that is cancelled before its first step cannot do it itself."""
    world = World()
    await world.ask("monitoring")
    lease = await world.queue.lease(now=world.clock(), seconds=LEASE_SECONDS)
    assert lease is not None
    world.workers._begin(Granted(lease))
    await world.workers.give_back()
    assert [task.state for task in await world.queue.tasks()] == [State.QUEUED]


async def test_a_task_that_is_taken_while_stopping_is_not_begun() -> None:
    """Who stops the workers has given back what ran, and looks no more."""
    world = World()
    await world.ask("monitoring")
    take = world.queue.lease

    async def take_late(**arguments: Any) -> object:
        lease = await take(**arguments)
        world.workers.stop()
        return lease

    world.queue.lease = take_late  # type: ignore[method-assign,assignment] # a stop at the worst moment
    await world.workers.run()
    assert [task.state for task in await world.queue.tasks()] == [State.QUEUED]
    assert world.registry.asked == []


async def test_an_installation_that_has_begun_is_brought_to_its_end() -> None:
    """Cancelled twice, it still ends, and is told: journal, log, metrics and Flux hear of it now or never."""
    world = World()
    digest = world.registry.push("monitoring")
    gate = world.catalogue.gate = threading.Event()
    running = asyncio.create_task(world.workers.run())
    await world.ask("monitoring")
    await until(world.catalogue.entered.is_set)
    world.workers.stop()
    (sync,) = world.workers._running
    sync.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    sync.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not sync.done()
    gate.set()
    await running
    assert sync.cancelled()
    assert world.catalogue.installed == {"monitoring": digest}
    assert [(outcome.status, outcome.digest) for outcome in world.outcomes] == [("installed", str(digest))]
    assert await world.queue.tasks() == []
    await world.chronicle.settle()
    (entry,) = (await world.queue.entries(Wanted(kind="sync"), limit=10)).entries
    assert isinstance(entry, Done)
    assert (entry.activity.repository, entry.activity.outcome) == ("addons/monitoring", "installed")


async def test_an_installation_that_fails_while_the_workers_stop_is_told_too() -> None:
    """With its attempt counted and its cause, as if nobody had stopped anything."""
    world = World()
    world.registry.push("monitoring")
    world.catalogue.errors["monitoring"] = InstallError("the disk is full")
    gate = world.catalogue.gate = threading.Event()
    async with world.working():
        await world.ask("monitoring")
        await until(world.catalogue.entered.is_set)
        (sync,) = world.workers._running
        sync.cancel()
        gate.set()
    task = await only_task(world)
    assert (task.state, task.attempts, task.error) == (State.QUEUED, 1, "the disk is full")
    assert [outcome.error for outcome in world.outcomes] == ["the disk is full"]


async def test_a_result_that_is_being_stored_when_the_workers_stop_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither lost nor reported twice, which would look like another worker's lease."""
    world = World()
    world.registry.push("monitoring")
    complete, storing, stored = world.queue.complete, asyncio.Event(), asyncio.Event()

    async def slowly(lease: Lease, *, unpark: bool) -> None:
        storing.set()
        await stored.wait()
        await complete(lease, unpark=unpark)

    world.queue.complete = slowly  # type: ignore[method-assign] # a disk that takes its time
    async with world.working():
        await world.ask("monitoring")
        await storing.wait()
        (sync,) = world.workers._running
        sync.cancel()
        await asyncio.sleep(0)
        stored.set()
    assert [outcome.status for outcome in world.outcomes] == ["installed"]
    assert await world.queue.tasks() == []
    assert "another worker" not in caplog.text


async def test_a_fault_of_the_program_is_told_and_parked_and_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    """With the digest, so that no poll repeats it; and with the stack, so that it can be mended."""
    world = World(concurrency=1)
    world.registry.push("monitoring")
    world.registry.push("security")
    world.fail("manifest", "monitoring", ZeroDivisionError("a bug"))
    async with world.working():
        await world.ask("monitoring", "security")
        await world.settled()
        task = await only_task(world)
        await world.ask("monitoring", trigger=Trigger.POLL)
        await world.settled()
    first, second, third = world.outcomes
    assert (first.repository, first.status, first.parked) == ("addons/monitoring", "failed", True)
    assert "ZeroDivisionError" in (first.error or "")
    assert (second.repository, second.status) == ("addons/security", "installed")
    assert (task.state, task.digest) == (State.PARKED, first.digest)
    assert third.parked
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]


async def test_a_fault_while_looking_at_everything_is_told() -> None:
    """Who waits for a poll must not wait for ever."""
    world = World()
    world.registry.errors["repositories", ""] = ZeroDivisionError("a bug")
    async with world.working():
        await world.queue.enqueue([EVERYTHING], trigger=Trigger.POLL, now=world.clock())
        await world.settled()
    (told,) = world.told
    assert isinstance(told, Surveyed)
    assert "ZeroDivisionError" in (told.error or "")


@pytest.mark.parametrize(
    "error", [LeaseLost("somebody else has it"), QueueUnavailable("disk full")], ids=["lost", "full"]
)
async def test_a_result_that_cannot_be_stored_does_not_end_the_workers(error: LeaseLost | QueueUnavailable) -> None:
    """It is told, and the task runs again when its lease is over."""
    world = World()
    world.registry.push("monitoring")
    async with world.working():
        world.queue.broken["complete"] = error
        await world.ask("monitoring", trigger=Trigger.POLL)
        await until(lambda: len(world.told) == 1 and not world.workers.busy)
        assert (await only_task(world)).state is State.LEASED
        world.queue.broken.clear()
        await world.clock.advance(LEASE_SECONDS + 1)
        await until(lambda: len(world.told) == 2)
        assert await world.queue.tasks() == []
    assert [outcome.status for outcome in world.outcomes] == ["installed", "unchanged"]
    assert len(world.catalogue.releases) == 1


@pytest.mark.parametrize("verb", ["lease", "next_due", "renew"])
async def test_a_queue_that_cannot_be_read_means_a_pause_and_not_the_end(verb: str) -> None:
    """The disk is full for a while, and is not again."""
    world = World()
    world.registry.push("monitoring")
    gate = world.registry.gates["addons/other"] = asyncio.Event()
    async with world.working():
        await world.ask("other", trigger=Trigger.POLL)
        await until(lambda: world.registry.now["addons/other"] == 1)
        world.queue.broken[verb] = QueueUnavailable("disk full")
        await world.clock.advance(LEASE_SECONDS)
        await until(lambda: 1.0 in world.clock.slept)
        world.queue.broken.clear()
        await world.ask("monitoring")
        await world.clock.advance(1.0)
        await until(lambda: len(world.outcomes) == 1)
        gate.set()
        await world.settled()
    assert [outcome.status for outcome in world.outcomes] == ["installed", "absent"]


async def test_looking_at_everything_queues_what_changed() -> None:
    """As polls, which look once."""
    world = World()
    world.catalogue.installed["same"] = world.registry.push("same")
    digest = world.registry.push("new")
    async with world.working():
        await world.queue.enqueue([EVERYTHING], trigger=Trigger.EVENT, now=world.clock())
        await world.settled()
    surveyed = next(told for told in world.told if isinstance(told, Surveyed))
    assert (surveyed.changed, surveyed.unchanged, surveyed.error) == (("addons/new",), 1, None)
    assert [(outcome.repository, outcome.trigger) for outcome in world.outcomes] == [("addons/new", Trigger.POLL)]
    assert world.catalogue.installed["new"] == digest


async def test_a_poll_that_fails_is_tried_again_and_never_hammers() -> None:
    """Not even a registry that answers nonsense, where trying is of little use."""
    world = World()
    world.registry.errors["repositories", ""] = ProtocolViolation("nonsense")
    async with world.working():
        await world.queue.enqueue([EVERYTHING], trigger=Trigger.POLL, now=world.clock())
        delays = []
        for _ in range(8):
            await world.settled()
            task = await only_task(world)
            assert task.state is State.QUEUED
            delays.append(task.due - world.clock())
            await world.clock.advance(delays[-1])
    assert delays == [1.0, 2.0, 4.0, 8.0, *[MAX_DELAY] * 4]
    assert {told.error for told in world.told if isinstance(told, Surveyed)} == {"nonsense"}


async def test_a_poll_whose_findings_cannot_be_queued_is_repeated() -> None:
    """Otherwise what changed would be forgotten until the next poll, and who waits would wait for ever."""
    world = World()
    world.registry.push("monitoring")
    async with world.working():
        await world.queue.enqueue([EVERYTHING], trigger=Trigger.POLL, now=world.clock())
        world.queue.broken["enqueue"] = QueueUnavailable("disk full")
        await until(lambda: world.queue.leased[EVERYTHING] == 1 and not world.workers.busy)
        assert world.told == []
        world.queue.broken.clear()
        await world.clock.advance(LEASE_SECONDS + 1)
        await until(lambda: len(world.outcomes) == 1)
    assert world.outcomes[0].status == "installed"


async def test_an_outage_before_it_does_not_make_a_wrong_byte_final() -> None:
    """What is parked is never tried again by itself, so only failures of its own kind count, in a row."""
    world = World()
    world.registry.push("monitoring")
    failures = (
        [Unavailable("away")] * 5 + [DigestMismatch("flipped")] * 2 + [Unavailable("away"), DigestMismatch("flipped")]
    )
    async with world.working():
        await world.ask("monitoring")
        for error in failures:
            world.fail("manifest", "monitoring", error)
            await world.clock.advance(MAX_DELAY)
            await world.settled()
        assert (await only_task(world)).state is State.QUEUED
        world.fail("manifest", "monitoring", DigestMismatch("flipped"))
        for _ in range(2):
            await world.clock.advance(MAX_DELAY)
            await world.settled()
        assert (await only_task(world)).state is State.PARKED
