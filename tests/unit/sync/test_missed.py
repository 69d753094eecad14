"""Pushes that nobody announced are counted and told, and nothing else is."""

import logging

import pytest

from receiver.sync.missed import MissedEvents, Reason
from receiver.tasks.journal import Event
from receiver.tasks.queue import Intake
from receiver.tasks.task import EVERYTHING, Trigger
from tests.support.sync_fakes import PREFIX, World, until


async def announce(world: World, leaf: str, number: int = 1) -> None:
    await world.queue.ingest(
        Intake(
            sender="distribution",
            received=world.clock(),
            verdict="accepted",
            reason=None,
            headers=b"{}",
            body=b"{}",
            events=(Event(repository=PREFIX + leaf, event_id=f"{leaf}-{number}"),),
        ),
        now=world.clock(),
    )


async def polled(world: World) -> list[Reason]:
    """What is missed by a poll of ``world``."""
    found: list[Reason] = []
    listener = MissedEvents(journal=world.queue, clock=world.clock, missed=found.append)
    unsubscribe = world.workers.subscribe(listener)
    async with world.working():
        await world.queue.enqueue([EVERYTHING], trigger=Trigger.POLL, now=world.clock())
        await world.settled()
        await until(lambda: not listener._asking)
    unsubscribe()
    return found


async def test_a_push_that_nobody_announced_is_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """Where nothing ever arrived, the registry is probably not configured to send."""
    world = World()
    world.registry.push("monitoring")
    with caplog.at_level(logging.WARNING):
        assert await polled(world) == ["unannounced"]
    assert "addons/monitoring: v1.0.0 was found by a poll" in caplog.text
    assert "none at all arrived within a day" in caplog.text


async def test_where_others_arrive_it_was_lost_on_the_way(caplog: pytest.LogCaptureFixture) -> None:
    """That is another fault, with another remedy."""
    world = World()
    world.registry.push("monitoring")
    await announce(world, "security")
    assert await polled(world) == ["unannounced"]
    assert "others arrived within a day" in caplog.text


async def test_an_announced_push_is_not_missed_however_it_was_found() -> None:
    """The event came while the registry was away, say; the poll was faster than its retry."""
    world = World()
    world.registry.push("monitoring")
    await announce(world, "monitoring")
    assert await polled(world) == []


async def test_an_event_of_the_release_before_announces_nothing_newer() -> None:
    """Only what arrived after that was installed counts."""
    world = World()
    world.registry.push("monitoring")
    await announce(world, "monitoring")
    await world.clock.advance(1.0)
    async with world.working():
        await world.settled()
    await world.clock.advance(60.0)
    world.registry.push("monitoring", b"two", tag="v2.0.0")
    assert await polled(world) == ["unannounced"]


async def test_an_event_right_after_the_poll_is_waited_for() -> None:
    """A receiver that comes back looks at once; the registry sends again a second later."""
    world = World()
    world.registry.push("monitoring")
    found: list[Reason] = []
    listener = MissedEvents(journal=world.queue, clock=world.clock, missed=found.append, grace=0.2)
    world.workers.subscribe(listener)
    async with world.working():
        await world.queue.enqueue([EVERYTHING], trigger=Trigger.POLL, now=world.clock())
        await world.settled()
        assert listener._asking
        await announce(world, "monitoring")
        await until(lambda: not listener._asking)
    assert found == []


async def test_a_repair_is_no_push() -> None:
    """The folder was gone; nobody pushed anything."""
    world = World()
    world.registry.push("monitoring")
    await announce(world, "monitoring")
    async with world.working():
        await world.settled()
    await world.clock.advance(60.0)
    world.catalogue.gone.add("monitoring")
    assert await polled(world) == []
    assert world.catalogue.gone == set()
