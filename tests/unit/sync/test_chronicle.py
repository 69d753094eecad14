"""What was done is written down, each kind of it, and reads back as it was."""

import asyncio
import logging
from collections.abc import Sequence

import pytest

from receiver.catalog.release import Drift
from receiver.errors import QueueUnavailable
from receiver.sync.chronicle import Chronicle, Deed, read, written
from receiver.sync.operations import Changed, Verified
from receiver.sync.outcome import Surveyed
from receiver.sync.request import HoldRequest, PollRequest, SyncRequest, VerifyRequest
from receiver.tasks.journal import Activity, Arrival, Done, Entry, Wanted
from receiver.tasks.memory import MemoryQueue
from receiver.tasks.task import Trigger
from tests.support.outcomes import DECISION, outcome
from tests.support.sync_fakes import NOW, PREFIX, World

OUTCOME = outcome(at=NOW, started=NOW + 1)
DEEDS: list[tuple[Deed, str, str]] = [
    (OUTCOME, "sync", "installed"),
    (
        outcome(
            "failed",
            Trigger.POLL,
            at=NOW,
            error="line\nbreak, \x1b, ü and 😀",
            error_kind="Unavailable",
            attempts=3,
            retry_at=NOW + 9,
            decision=DECISION,
            turn=4,
        ),
        "sync",
        "failed",
    ),
    (Surveyed(started=NOW, duration=0.5, changed=("addons/a",), drifted=("addons/a",), unchanged=3), "poll", "looked"),
    (Surveyed(started=NOW, duration=0.5, error="down"), "poll", "failed"),
    *[
        (Changed(repository="addons/a", action=action, note="x"), "operation", action)
        for action in ("rolled back", "held", "released", "uninstalled", "discarded")
    ],
    (
        Verified(repository="addons/a", drift=(Drift(path="a/b", problem="mode"),), repaired=True),
        "operation",
        "repaired",
    ),
    (Verified(repository="addons/a", error="unreadable"), "operation", "failed"),
]


async def entries(world: World) -> Sequence[Entry]:
    """All that the journal holds, the oldest first."""
    return (await world.queue.entries(Wanted(), limit=100)).entries[::-1]


@pytest.mark.parametrize(
    ("deed", "kind", "outcome"), DEEDS, ids=lambda value: getattr(value, "action", str(value)[:20])
)
def test_every_deed_reads_back_as_it_was(deed: Deed, kind: str, outcome: str) -> None:
    """With its time, and by what it is found."""
    activity = written(deed, at=NOW + 7)
    assert (activity.kind, activity.outcome, activity.at) == (kind, outcome, NOW + 7)
    assert activity.repository == (None if isinstance(deed, Surveyed) else "addons/a")
    assert read(activity) == deed


@pytest.mark.parametrize("document", [b"{}", b"[]", b"{", b'{"repository": 7}', b"\xff"])
def test_what_another_version_wrote_is_no_fault(document: bytes) -> None:
    """It is left out of answers, and the rest is told."""
    assert read(Activity(at=NOW, kind="sync", outcome="installed", repository="addons/a", document=document)) is None


async def test_syncs_polls_and_operations_are_in_the_journal() -> None:
    """In the order in which they ended; a look that changes nothing is not among them."""
    world = World()
    world.registry.push("monitoring")
    async with world.working():
        for request in (
            PollRequest(),
            SyncRequest(addons=("monitoring",)),
            HoldRequest(addon="monitoring", reason="audit"),
            VerifyRequest(),
        ):
            async for _ in world.engine.execute(request):
                pass
    await world.chronicle.settle()
    found = [entry.activity for entry in await entries(world) if isinstance(entry, Done)]
    # Workers tell the poll's own outcome after those that it queued, or before: both are true.
    assert sorted((one.kind, one.outcome, one.repository) for one in found[:2]) == [
        ("poll", "looked", None),
        ("sync", "installed", PREFIX + "monitoring"),
    ]
    assert [(one.kind, one.outcome) for one in found[2:]] == [("sync", "installed"), ("operation", "held")]


async def test_a_verification_that_failed_or_repaired_is_in_the_journal() -> None:
    """Unlike one that only looked, whatever it found."""
    world, drift = World(), (Drift(path="a/b", problem="changed"),)
    for verified in (
        Verified(repository="addons/a"),
        Verified(repository="addons/a", drift=drift),
        Verified(repository="addons/b", drift=drift, error="unreadable"),
        Verified(repository="addons/c", drift=drift, repaired=True),
    ):
        world.chronicle(verified)
    await world.chronicle.settle()
    found = [
        (entry.activity.repository, entry.activity.outcome) for entry in await entries(world) if isinstance(entry, Done)
    ]
    assert found == [("addons/b", "failed"), ("addons/c", "repaired")]


async def test_an_event_is_an_arrival_and_its_sync_comes_after_it() -> None:
    """The numbers are one list."""
    world = World()
    world.registry.push("monitoring")
    await world.announce("monitoring")
    async with world.working():
        await world.settled()
    await world.chronicle.settle()
    arrival, done = await entries(world)
    assert isinstance(arrival, Arrival)
    assert isinstance(done, Done)
    assert arrival.id < done.id


async def test_a_journal_that_cannot_be_written_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An error line with the number of what is lost; addons are synced, and what comes later is written."""
    world = World()
    record = world.queue.record

    async def broken(activities: Sequence[Activity]) -> None:
        raise QueueUnavailable("the disk is full")

    world.queue.record = broken  # type: ignore[method-assign] # as a full disk does
    world.registry.push("monitoring")
    await world.ask("monitoring")
    async with world.working():
        await world.settled()
        await world.chronicle.settle()
        assert "could not be written into the journal (1 entries): the disk is full" in caplog.text
        assert [line.levelno for line in caplog.records if line.name == "receiver.sync.chronicle"] == [logging.ERROR]
        world.queue.record = record  # type: ignore[method-assign] # there is room again
        await world.ask("monitoring", force=True)
        await world.settled()
    await world.chronicle.settle()
    assert list(world.catalogue.installed) == ["monitoring"]
    assert [type(entry) for entry in await entries(world)] == [Done]


async def test_what_is_told_while_it_writes_is_written_too() -> None:
    """A slow disk: nothing is lost, and the order stays."""
    queue, gate, batches = MemoryQueue(), asyncio.Event(), list[int]()
    chronicle = Chronicle(queue, clock=lambda: NOW)
    record = queue.record

    async def slow(activities: Sequence[Activity]) -> None:
        await gate.wait()
        batches.append(len(activities))
        await record(activities)

    queue.record = slow  # type: ignore[method-assign] # as a disk that takes its time
    chronicle(OUTCOME)
    await asyncio.sleep(0)
    for number in range(20):
        chronicle(Changed(repository=f"addons/a{number}", action="held"))
    gate.set()
    await chronicle.settle()
    found = (await queue.entries(Wanted(), limit=100)).entries[::-1]
    names = [entry.activity.repository for entry in found if isinstance(entry, Done)]
    assert names == ["addons/a", *(f"addons/a{number}" for number in range(20))]
    assert batches == [1, 20]


async def test_nothing_to_write_is_settled_at_once() -> None:
    """Also before anything was told."""
    await Chronicle(MemoryQueue(), clock=lambda: NOW).settle()


async def test_an_outage_is_written_down_once_an_hour() -> None:
    """Polls that fail alike are one entry; another error, and what comes after it, are others.

    A clock that is put back does not make it quiet for longer.
    """
    world = World()
    for pause, error in (
        (0, "down"),
        (30, "down"),
        (30, "denied"),
        (30, "down"),
        (3601, "down"),
        (5, None),
        (5, "down"),
        (-7200, "down"),
    ):
        await world.clock.advance(pause)
        world.chronicle(Surveyed(started=world.clock(), duration=0.0, error=error))
    await world.chronicle.settle()
    found = [
        (entry.activity.at - NOW, entry.activity.outcome) for entry in await entries(world) if isinstance(entry, Done)
    ]
    assert [at for at, _ in found] == [0, 60, 90, 3691, 3696, 3701, -3499]
    assert [outcome for _, outcome in found] == ["failed"] * 4 + ["looked", "failed", "failed"]
