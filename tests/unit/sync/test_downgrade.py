"""A lower version is installed when the registry wants it twice, or a person says so."""

import asyncio
import json
from contextlib import aclosing

import pytest

from receiver.catalog.record import Doubt
from receiver.sync.downgrade import SECONDS, is_believed
from receiver.sync.outcome import Outcome
from receiver.sync.request import ReplayRequest, SyncRequest
from receiver.sync.retry import LOOK_AGAIN
from receiver.tasks.task import State, Trigger
from tests.support.deliveries import event, intake
from tests.support.sync_fakes import PREFIX, World


async def installed(version: str = "v2.0.0") -> World:
    """A world with ``version`` installed, whose registry has only v1.0.0 now."""
    world = World()
    world.registry.push("monitoring", b"new", tag=version)
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
    del world.registry.tagged[PREFIX + "monitoring"]
    world.registry.push("monitoring", b"old", tag="v1.0.0")
    return world


def tags(world: World) -> list[str]:
    return [release.tag for release in world.catalogue.releases]


@pytest.mark.parametrize("trigger", [Trigger.EVENT, Trigger.POLL, Trigger.REPLAY, Trigger.COMMAND])
async def test_a_lower_version_is_believed_when_it_is_wanted_again(trigger: Trigger) -> None:
    """A listing that lost its newest tag, or a registry from a backup, wants old releases for a moment."""
    world = await installed()
    async with world.working():
        await world.ask("monitoring", trigger=trigger)
        await world.settled()
        assert tags(world) == ["v2.0.0"]
        assert "lower than the installed v2.0.0" in (world.outcomes[-1].error or "")
        assert "--allow-downgrade monitoring" in (world.outcomes[-1].error or "")
        (task,) = await world.queue.tasks()
        assert (task.state, task.due >= world.clock() + SECONDS) == (State.QUEUED, True)
        await world.ask("monitoring", trigger=trigger)
        await world.settled()
        assert tags(world) == ["v2.0.0"]
        await world.clock.advance(SECONDS + 5)
        await world.settled()
    assert tags(world) == ["v2.0.0", "v1.0.0"]
    assert world.catalogue.known["monitoring"].doubt is None


async def test_a_listing_that_comes_back_whole_changes_nothing() -> None:
    """The second look finds what is installed, and the doubt is forgotten with the next release."""
    world = await installed()
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
        world.registry.push("monitoring", b"new", tag="v2.0.0")
        await world.clock.advance(SECONDS + 5)
        for pause in (0.0, *LOOK_AGAIN):
            await world.clock.advance(pause)
            await world.settled()
    assert tags(world) == ["v2.0.0"]
    assert await world.queue.tasks() == []


async def test_another_lower_version_begins_anew() -> None:
    """Two different accidents do not add up to a wish."""
    world = await installed("v3.0.0")
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
        world.registry.push("monitoring", b"other", tag="v2.0.0")
        await world.clock.advance(SECONDS + 5)
        await world.settled()
    assert tags(world) == ["v3.0.0"]


async def test_who_says_so_gets_it_at_once() -> None:
    """By the flag of the command."""
    world = await installed()
    async with world.working():
        request = SyncRequest(addons=("monitoring",), allow_downgrade=True)
        reports = [report async for report in world.engine.execute(request)]
        assert len(reports) == 1
    assert tags(world) == ["v2.0.0", "v1.0.0"]


@pytest.mark.parametrize(
    "request_",
    [
        ReplayRequest(addon="monitoring", journal=True),
        ReplayRequest(failed=True),
        ReplayRequest(parked=True),
        ReplayRequest(repositories=(PREFIX + "monitoring",)),
    ],
)
async def test_no_replay_and_no_retry_of_the_parked_goes_around_the_doubt(request_: ReplayRequest) -> None:
    """After a registry came back from a backup, `replay --failed` must not downgrade the whole catalogue."""
    world = await installed()
    await world.queue.enqueue([PREFIX + "monitoring"], trigger=Trigger.EVENT, now=world.clock())
    lease = await world.queue.lease(now=world.clock(), seconds=60)
    assert lease is not None
    await world.queue.park(lease, digest="sha256:old", error="it was damaged", now=world.clock())
    pushed = {"id": "1", "action": "push", "target": {"repository": PREFIX + "monitoring", "tag": "v1.0.0"}}
    delivery = intake(event(PREFIX + "monitoring", "1"), body=json.dumps({"events": [pushed]}).encode())
    await world.queue.ingest(delivery, now=world.clock())
    async with world.working():
        async with asyncio.timeout(30), aclosing(world.engine.execute(request_)) as reports:
            assert [report.status async for report in reports if isinstance(report, Outcome)] == ["failed"]
        assert tags(world) == ["v2.0.0"]
        assert "lower than the installed v2.0.0" in (world.outcomes[-1].error or "")
        await world.clock.advance(SECONDS + 5)
        await world.settled()
    assert tags(world) == ["v2.0.0", "v1.0.0"]
    assert await world.queue.tasks() == []


@pytest.mark.parametrize("version", ["latest", "nightly"])
async def test_what_is_no_version_is_no_downgrade(version: str) -> None:
    """Nothing can be compared, and the registry is the truth."""
    world = await installed(version)
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
    assert tags(world) == [version, "v1.0.0"]


def test_a_clock_that_was_set_back_does_not_make_a_doubt_eternal() -> None:
    """It was set down before; how long ago nobody knows."""
    doubt = Doubt(digest="sha256:x", since=1e9)
    assert is_believed(doubt, "sha256:x", 1e8)
    assert not is_believed(doubt, "sha256:x", 1e9 + 1)
    assert not is_believed(None, "sha256:x", 1e9)
