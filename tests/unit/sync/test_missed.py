"""Pushes that nobody announced are counted and told, and nothing else is."""

import logging

import pytest

from receiver.document import replaced
from receiver.errors import NO_CREDENTIAL, QueueUnavailable
from receiver.sync.heard import heard
from receiver.sync.missed import MissedEvents, Reason
from receiver.tasks.journal import DOCTOR, Arrival, Aside, Event
from receiver.tasks.queue import Intake
from receiver.tasks.task import EVERYTHING, Trigger
from tests.support.sync_fakes import PREFIX, World, until


async def announce(world: World, leaf: str, number: int = 1, actor: str = "ci") -> None:
    await world.queue.ingest(
        Intake(
            sender="distribution",
            received=world.clock(),
            verdict="accepted",
            reason=None,
            headers=b"{}",
            body=b"{}",
            events=(Event(repository=PREFIX + leaf, event_id=f"{leaf}-{number}", actor=actor),),
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
    assert "none at all arrived since addon-sync began here (0 s ago): was it pushed before that?" in caplog.text


async def test_a_journal_of_more_than_a_day_has_listened_for_a_day(caplog: pytest.LogCaptureFixture) -> None:
    """It tells of what it looked through, and of no more."""
    world = World()
    await world.announce("security")
    await world.clock.advance(25 * 3600.0)
    world.registry.push("monitoring")
    assert await polled(world) == ["unannounced"]
    assert "none at all arrived within a day: are notifications switched on" in caplog.text


async def test_what_was_refused_has_arrived(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong token is the likeliest cause of all, and it stands in the journal."""
    world = World()
    note = Aside(received=world.clock(), sender="unknown", verdict="refused", reason=NO_CREDENTIAL, address="10.0.0.7")
    world.queue.note(replaced(note, count=28))
    world.queue.note(replaced(note, origin=DOCTOR, address="127.0.0.1"))
    world.registry.push("monitoring")
    assert await polled(world) == ["unannounced"]
    assert "28 arrived since addon-sync began here (0 s ago) and were refused, the last from 10.0.0.7: " in caplog.text
    assert "a valid credential is required; compare ADDON_SYNC_TOKEN" in caplog.text
    assert "none at all" not in caplog.text
    caplog.clear()
    await announce(world, "security")
    world.registry.push("ingress")
    assert await polled(world) == ["unannounced"]
    assert "others arrived" in caplog.text
    assert "or it is among those that were not let in: 28 arrived" in caplog.text


async def test_what_was_ignored_has_arrived(caplog: pytest.LogCaptureFixture) -> None:
    """Another prefix than the registry's is told with an example."""
    world = World()
    events = (Event(repository="x", left_out="pull"), Event(repository="p/addons/a", left_out="other repository"))
    world.queue.note(Aside(received=world.clock(), sender="zot", verdict="ignored", events=events))
    world.registry.push("monitoring")
    assert await polled(world) == ["unannounced"]
    assert "all were ignored (other repository, such as p/addons/a)" in caplog.text
    assert "ADDON_SYNC_REPOSITORY_PREFIX" in caplog.text


async def test_a_trial_of_the_endpoint_announces_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It comes from this host, and is for an addon that is there."""
    world = World()
    world.registry.push("monitoring")
    await announce(world, "monitoring")
    async with world.working():
        await world.settled()
    await world.clock.advance(90_000.0)
    await announce(world, "monitoring", 2, actor=DOCTOR)
    for _ in range(9):  # it is looked for a while, as after any event
        async with world.working():
            await world.settled()
        await world.clock.advance(60.0)
    world.registry.push("monitoring", b"two", tag="v2.0.0")
    assert await polled(world) == ["unannounced"]
    assert "none at all arrived within a day" in caplog.text


async def test_where_others_arrive_it_was_lost_on_the_way(caplog: pytest.LogCaptureFixture) -> None:
    """That is another fault, with another remedy."""
    world = World()
    world.registry.push("monitoring")
    await announce(world, "security")
    assert await polled(world) == ["unannounced"]
    assert "others arrived since addon-sync began here (0 s ago), so this one was lost on the way" in caplog.text


async def test_an_announced_push_is_not_missed_however_it_was_found() -> None:
    """The event came while the registry was away, say; the poll was faster than its retry."""
    world = World()
    world.registry.push("monitoring")
    await announce(world, "monitoring")
    assert await polled(world) == []


async def test_a_deletion_announces_no_push(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever cleans up old tags hides no push that is lost then, nor one that was announced before."""
    for is_announced in (False, True):
        world = World()
        world.registry.push("monitoring")
        await announce(world, "monitoring")
        await world.clock.advance(1.0)
        assert await polled(world) == []
        await world.announce("monitoring", tag="v0.9.0", deleted=True)
        async with world.working():
            for _ in range(5):
                await world.settled()
                await world.clock.advance(60.0)
        world.registry.push("monitoring", b"two", tag="v1.1.0")
        if is_announced:
            await announce(world, "monitoring", 2)
        assert await polled(world) == ([] if is_announced else ["unannounced"])
    assert "so this one was lost on the way" in caplog.text


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
    await world.clock.advance(1.0)
    async with world.working():
        await world.settled()
    await world.clock.advance(60.0)
    world.catalogue.gone.add("monitoring")
    assert await polled(world) == []
    assert world.catalogue.gone == set()


async def test_what_a_person_asked_for_was_not_found_by_a_poll() -> None:
    """Whoever pushes and syncs by hand waits for no event."""
    world = World()
    world.registry.push("monitoring")
    found: list[Reason] = []
    listener = MissedEvents(journal=world.queue, clock=world.clock, missed=found.append)
    world.workers.subscribe(listener)
    async with world.working():
        await world.ask("monitoring", trigger=Trigger.COMMAND)
        await world.settled()
        await until(lambda: not listener._asking)
    assert (world.outcomes[-1].status, found) == ("installed", [])


async def test_where_the_journal_cannot_be_read_nothing_is_called_missed(caplog: pytest.LogCaptureFixture) -> None:
    """It is said that it cannot be told."""
    world = World()
    world.registry.push("monitoring")

    async def broken(*_: object, **__: object) -> object:
        raise QueueUnavailable("the disk is gone")

    world.queue.entries = broken  # type: ignore[method-assign,assignment] # as a disk that fails
    assert await polled(world) == []
    assert "whether an event was missed cannot be told: the disk is gone" in caplog.messages


def test_what_could_not_be_read_has_arrived_too() -> None:
    """A sender that is heard, whatever it says, reaches this host."""
    nothing = {"answered": None, "sender": "zot", "reason": None, "address": None, "origin": None, "events": ()}
    arrival = Arrival(id=1, received=1.0, verdict="quarantined", size=2, **nothing)  # type: ignore[arg-type] # as named
    assert heard([arrival]).last == arrival
