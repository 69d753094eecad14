"""A lower version is installed when the registry wants it twice, or a person says so."""

import pytest

from receiver.catalog.record import Doubt
from receiver.sync.downgrade import SECONDS, is_believed
from receiver.sync.request import SyncRequest
from receiver.sync.retry import LOOK_AGAIN
from receiver.tasks.task import State, Trigger
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


@pytest.mark.parametrize("trigger", [Trigger.EVENT, Trigger.POLL, Trigger.COMMAND])
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
    """By the flag of the command, or by a replay."""
    world = await installed()
    async with world.working():
        request = SyncRequest(addons=("monitoring",), allow_downgrade=True)
        reports = [report async for report in world.engine.execute(request)]
        assert len(reports) == 1
    assert tags(world) == ["v2.0.0", "v1.0.0"]
    world = await installed()
    async with world.working():
        await world.ask("monitoring", trigger=Trigger.REPLAY)
        await world.settled()
    assert tags(world) == ["v2.0.0", "v1.0.0"]


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
