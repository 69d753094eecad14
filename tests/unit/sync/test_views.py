"""Answers: where addons stand and why, who pushed, what happens next; in a world of which all is known."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

import pytest

from receiver.errors import AccessDenied, InvalidNameError, NotInstalled, Unavailable, UnsafeArchive
from receiver.sync.outcome import Surveyed
from receiver.sync.request import (
    EventsRequest,
    HealthRequest,
    HistoryRequest,
    HoldRequest,
    MissedRequest,
    ParkedRequest,
    PollRequest,
    ReplayRequest,
    Request,
    RollbackRequest,
    StatusRequest,
    SyncRequest,
    WhyRequest,
)
from receiver.sync.status import AddonStatus
from receiver.sync.story import Step, Story
from receiver.sync.views import Parked, QueueHealth, ReleaseFacts, View, Views
from receiver.tasks.journal import Activity, Arrival, Aside, Done, Event, Wanted
from tests.support.sync_fakes import NOW, PREFIX, World, until

NAME = PREFIX + "monitoring"


async def done(world: World, *requests: Request) -> None:
    """Carry out each to its end, and write it down."""
    for request in requests:
        async for _ in world.engine.execute(request):
            pass
    await world.chronicle.settle()


@asynccontextmanager
async def at_work() -> AsyncIterator[World]:
    """A world whose workers run."""
    world = World()
    async with world.working():
        yield world


async def settled(world: World) -> None:
    """All is done and written."""
    await world.settled()
    await world.chronicle.settle()


async def told(world: World, leaf: str = "monitoring") -> Story:
    """The story of an addon."""
    (story,) = [answer async for answer in world.views.answer(WhyRequest(addon=leaf))]
    assert isinstance(story, Story)
    return story


def step(story: Story, title: str) -> Step:
    """The one step of that title."""
    (found,) = [one for one in story.steps if one.title == title]
    return found


def titles(story: Story) -> list[str]:
    return [one.title for one in story.steps]


async def status(world: World, leaf: str = "monitoring", *, ask: bool = False) -> AddonStatus:
    (row,) = await world.views.statuses(leaf, ask=ask)
    return row


async def test_status_tells_who_pushed_and_how_it_ended() -> None:
    """The last event, the last sync, the last look; what is desired is what that look saw."""
    async with at_work() as world:
        digest = world.registry.push("monitoring")
        await world.announce("monitoring", digest=digest, actor="alice")
        await settled(world)
        await world.clock.advance(60.0)
        row = await status(world)
    assert row.standing == "current"
    assert row.last_event is not None
    assert (row.last_event.actor, row.last_event.tag, row.last_event.sender) == ("alice", "v1.0.0", "distribution")
    assert (row.last_event.received, row.last_event.digest) == (NOW, str(digest))
    assert row.last_sync is not None
    assert (row.last_sync.outcome, row.last_sync.trigger, row.last_sync.ended) == ("installed", "event", NOW)
    assert row.desired is not None
    assert (row.desired.digest, row.desired.as_of) == (str(digest), NOW)
    assert (row.last_look, row.next_look, row.remedy) == (NOW, None, None)


async def test_offline_what_a_poll_saw_is_newer_than_the_last_sync() -> None:
    """It found the addon as it is: so that was desired then."""
    async with at_work() as world:
        world.registry.push("monitoring")
        await done(world, SyncRequest(addons=("monitoring",)))
        await world.clock.advance(60.0)
        await done(world, PollRequest())
        row = await status(world)
        assert row.desired is not None
        assert (row.desired.as_of, row.last_look) == (NOW + 60, NOW + 60)
        assert row.standing == "current"
        world.registry.push("monitoring", b"two", tag="v2.0.0")
        await world.clock.advance(60.0)
        world.fail("blob", "monitoring", Unavailable("down"))
        await done(world, PollRequest())
        row = await status(world)
    assert (row.standing, row.error) == ("retrying", "down")
    assert row.desired is not None
    assert (row.desired.tag, row.desired.as_of) == ("v2.0.0", NOW + 120)


async def test_a_poll_that_could_not_look_tells_nothing() -> None:
    """What was desired is what was seen before."""
    async with at_work() as world:
        world.registry.push("monitoring")
        await done(world, SyncRequest(addons=("monitoring",)))
        await world.clock.advance(60.0)
        world.registry.errors["repositories", ""] = Unavailable("down")
        await done(world, PollRequest())
        row = await status(world)
    assert row.desired is not None
    assert (row.desired.as_of, row.last_look) == (NOW, NOW)


async def test_a_poll_that_did_not_ask_about_a_held_addon_tells_nothing_of_it() -> None:
    """The registry wants what the last look saw, and not what a person went back to."""
    async with at_work() as world:
        world.registry.push("monitoring")
        await done(world, SyncRequest(addons=("monitoring",)))
        second = world.registry.push("monitoring", b"two", tag="v2.0.0")
        await world.clock.advance(60.0)
        await done(world, SyncRequest(addons=("monitoring",)))
        await world.clock.advance(60.0)
        await done(world, RollbackRequest(addon="monitoring"))
        await world.clock.advance(60.0)
        await done(world, PollRequest())
        row = await status(world)
    assert row.installed is not None
    assert row.desired is not None
    assert (row.standing, row.installed.tag) == ("held", "v1.0.0")
    assert (row.desired.tag, row.desired.digest, row.desired.as_of) == ("v2.0.0", str(second), NOW + 60)
    assert row.last_look == NOW + 60


async def test_a_poll_says_nothing_of_what_was_installed_after_it() -> None:
    """It found the release that a person has gone back from since."""
    async with at_work() as world:
        for tag in ("v1.0.0", "v2.0.0"):
            world.registry.push("monitoring", tag.encode(), tag=tag)
            await done(world, SyncRequest(addons=("monitoring",)))
            await world.clock.advance(60.0)
        await done(world, PollRequest())
        await world.clock.advance(60.0)
        await done(world, RollbackRequest(addon="monitoring"))
        row = await status(world)
    assert row.installed is not None
    assert row.desired is not None
    assert (row.installed.tag, row.desired.tag, row.desired.as_of) == ("v1.0.0", "v2.0.0", NOW + 60)


async def test_a_poll_that_came_right_after_a_look_was_none() -> None:
    """It did not ask again: what is known is as old as the look."""
    async with at_work() as world:
        world.registry.push("monitoring")
        await done(world, SyncRequest(addons=("monitoring",)))
        await world.clock.advance(5.0)
        await done(world, PollRequest())
        row = await status(world)
    assert row.desired is not None
    assert (row.desired.as_of, row.last_look) == (NOW, NOW)


async def test_a_poll_that_did_not_find_a_repository_says_so() -> None:
    """What is installed stays, and is not what the registry wants; once pushed again, it is."""
    async with at_work() as world:
        digest = world.registry.push("monitoring")
        await done(world, SyncRequest(addons=("monitoring",)))
        del world.registry.tagged[NAME]
        await world.clock.advance(60.0)
        await done(world, PollRequest())
        row = await status(world)
        world.registry.push("monitoring")
        await world.clock.advance(60.0)
        await done(world, PollRequest())
        again = await status(world)
    assert row.desired is not None
    assert (row.standing, row.desired.digest, row.desired.as_of, row.last_look) == (
        "unknown",
        None,
        NOW + 60,
        NOW + 60,
    )
    assert "not in the registry" in (row.error or "")
    assert again.desired is not None
    assert (again.standing, again.desired.digest, again.error) == ("current", str(digest), None)


async def test_a_sync_that_found_no_repository_says_so_too() -> None:
    """It has asked; what an earlier poll found is older."""
    async with at_work() as world:
        world.registry.push("monitoring")
        await done(world, SyncRequest(addons=("monitoring",)), PollRequest())
        del world.registry.tagged[NAME]
        await world.clock.advance(60.0)
        await done(world, SyncRequest(addons=("monitoring",)))
        row = await status(world)
    assert (row.standing, row.last_look) == ("unknown", NOW + 60)
    assert row.error == "addons/monitoring is not in the registry"


async def test_a_sync_that_could_not_ask_is_no_look() -> None:
    """The registry was away: nothing was compared."""
    async with at_work() as world:
        world.registry.push("monitoring")
        await done(world, SyncRequest(addons=("monitoring",)))
        await world.clock.advance(60.0)
        world.fail("tags", "monitoring", Unavailable("down"))
        await done(world, SyncRequest(addons=("monitoring",)))
        row = await status(world)
    assert row.last_sync is not None
    assert (row.last_sync.outcome, row.last_sync.ended) == ("failed", NOW + 60)
    assert row.desired is not None
    assert (row.last_look, row.desired.as_of, row.desired.tag) == (NOW, NOW, "v1.0.0")


async def test_an_outage_does_not_hide_the_last_poll_that_could_look() -> None:
    """However many failed since, with another error each, and for who begins in the middle of it."""
    async with at_work() as world:
        world.registry.push("monitoring")
        await done(world, SyncRequest(addons=("monitoring",)))
        await world.clock.advance(60.0)
        await done(world, PollRequest())
        for number in range(250):
            world.registry.errors["repositories", ""] = Unavailable(f"down {number}")
            await world.clock.advance(10.0)
            await done(world, PollRequest())
        views = Views(
            queue=world.queue,
            journal=world.queue,
            catalogue=world.catalogue,
            survey=world.survey,
            prefix=PREFIX,
            clock=world.clock,
        )
        for asked in (world.views, views):
            (row,) = await asked.statuses("monitoring", ask=False)
            assert row.desired is not None
            assert (row.standing, row.desired.as_of, row.last_look) == ("current", NOW + 60, NOW + 60)


async def test_the_next_look_is_that_of_its_task_or_the_next_poll() -> None:
    """Neither is known where nothing polls."""
    async with at_work() as world:
        world.registry.push("monitoring")
        await done(world, SyncRequest(addons=("monitoring",)))
        world.views.next_poll = lambda: NOW + 300
        assert (await status(world)).next_look == NOW + 300
        world.fail("tags", "monitoring", Unavailable("down"))
        await done(world, SyncRequest(addons=("monitoring",)))
        row = await status(world)
    assert row.next_look == row.next_attempt
    assert row.next_look is not None
    assert NOW < row.next_look < NOW + 300


async def test_an_addon_that_nobody_knows_has_a_row_where_it_is_asked_for() -> None:
    """And none in the list; a name that cannot be is refused."""
    world = World()
    assert await world.views.statuses(ask=False) == []
    row = await status(world, "nobody")
    assert (row.repository, row.standing, row.installed, row.desired) == (PREFIX + "nobody", "unknown", None, None)
    story = await told(world, "nobody")
    assert titles(story) == ["asked", "next"]
    assert "the journal knows of no sync" in step(story, "asked").text
    assert "polls are off" in step(story, "next").text
    with pytest.raises(InvalidNameError):
        await world.views.statuses("../etc", ask=False)
    asked = (await status(world, "nobody", ask=True)).desired
    assert asked is not None
    assert (asked.error, asked.error_kind) == ("addons/nobody is not in the registry", "NotInRegistry")


async def test_status_says_that_the_registry_could_not_list_its_addons() -> None:
    """Of a host on which nothing is known, there is no row that could."""
    world = World()
    world.registry.errors["repositories", ""] = Unavailable("down")
    (failure,) = [answer async for answer in world.views.answer(StatusRequest())]
    assert isinstance(failure, Surveyed)
    assert failure.error == "down"
    assert [answer async for answer in world.views.answer(StatusRequest(ask=False))] == []


async def test_the_story_of_a_push_that_led_to_nothing_names_it() -> None:
    """It was announced, and the registry had no such repository: the event is told all the same."""
    async with at_work() as world:
        await world.announce("monitoring", actor="alice")
        for _ in range(4):
            await settled(world)
            await world.clock.advance(10.0)
        await settled(world)
        story = await told(world)
    assert story.status.last_event is not None
    assert story.status.last_event.actor == "alice"
    assert step(story, "absent").text.endswith("is not in the registry")
    assert "by alice" in step(story, "asked").facts[0]


async def test_repositories_of_projects_are_named_by_their_leaf() -> None:
    """``project/addons/`` is a prefix as any other."""
    world = World()
    views = Views(
        queue=world.queue,
        journal=world.queue,
        catalogue=world.catalogue,
        survey=world.survey,
        prefix="project/addons/",
        clock=world.clock,
    )
    event = Event(repository="project/addons/monitoring", tag="v1", actor="alice")
    world.queue.note(Aside(received=NOW, sender="zot", verdict="duplicate", events=(event,)))
    for name in ("monitoring", "project/addons/monitoring"):
        (row,) = await views.statuses(name, ask=False)
        assert row.repository == "project/addons/monitoring"
        assert row.last_event is not None
        assert row.last_event.actor == "alice"


async def test_a_pull_of_an_addon_is_no_event_of_it() -> None:
    """Our own syncs make them, also in one delivery with a push of another."""
    world = World()
    pull = Event(repository=NAME, tag="v9", left_out="pull")
    world.queue.note(Aside(received=NOW, sender="distribution", verdict="ignored", events=(pull,)))
    assert (await status(world)).last_event is None
    push = Event(repository=NAME, tag="v1", actor="alice")
    world.queue.note(Aside(received=NOW, sender="distribution", verdict="duplicate", events=(pull, push)))
    event = (await status(world)).last_event
    assert event is not None
    assert (event.tag, event.actor) == ("v1", "alice")


async def test_the_story_of_an_event() -> None:
    """Step by step, with the facts: the tags, the rule, the digests, the layers."""
    async with at_work() as world:
        digest = world.registry.push("monitoring", tag="v1.0.0")
        await world.announce("monitoring", digest=digest, actor="alice")
        await settled(world)
        story = await told(world)
        second = world.registry.push("monitoring", b"two", tag="v1.1.0")
        await world.clock.advance(60.0)
        await world.announce("monitoring", tag="v1.1.0", digest=second)
        await settled(world)
        again = await told(world)
    assert titles(story) == ["asked", "tag", "digest", "layers", "installed", "next"]
    asked = step(story, "asked")
    assert (asked.text, asked.when, len(asked.facts)) == ("an event asked for a look", NOW, 1)
    assert "distribution announced v1.0.0 by alice; accepted" in asked.facts[0]
    assert step(story, "tag").facts == ("the registry has 1 tags: v1.0.0",)
    assert step(story, "digest").facts == ("nothing was installed before",)
    assert step(story, "layers").facts == ("manifests: 3 bytes, fetched",)
    assert step(again, "tag").facts == ("the registry has 2 tags: v1.0.0, v1.1.0",)
    assert step(again, "digest").facts == (f"another digest was installed: {digest}",)
    assert [fact for fact in step(again, "asked").facts if "v1.1.0" in fact]
    assert len(step(again, "asked").facts) == 1


async def test_the_story_of_a_poll_names_no_event() -> None:
    """None announced it."""
    async with at_work() as world:
        world.registry.push("monitoring")
        await done(world, PollRequest())
        story = await told(world)
    assert (step(story, "asked").text, step(story, "asked").facts) == ("a poll found a difference", ())
    assert titles(story)[-2:] == ["installed", "next"]


async def test_the_story_of_a_command_and_of_nothing_to_do() -> None:
    """The second time there is nothing to do: that does not hide how it was installed."""
    async with at_work() as world:
        world.registry.push("monitoring")
        await done(world, SyncRequest(addons=("monitoring",)))
        assert step(await told(world), "asked").text == "a person asked for a look"
        await done(world, SyncRequest(addons=("monitoring",), force=False))
        story = await told(world)
    assert titles(story) == ["asked", "tag", "digest", "layers", "installed", "looked", "next"]
    assert step(story, "looked").text.startswith("asked for by command: there was nothing new, v1.0.0 is sha256:")


async def test_the_story_of_a_replay_names_what_was_replayed() -> None:
    """Whence it came: the delivery that is fed in again, though it arrived long before."""
    async with at_work() as world:
        world.registry.push("monitoring")
        await world.announce("monitoring", event_id="e1")
        await settled(world)
        await world.clock.advance(3600.0)
        (arrival,) = (await world.queue.entries(Wanted(arrivals=True), limit=9)).entries
        await done(world, ReplayRequest(numbers=(arrival.id,)))
        story = await told(world)
    (fact,) = step(story, "looked").facts
    assert fact.endswith(f"distribution announced v1.0.0 by ci; replayed, from delivery {arrival.id}")


async def test_the_notes_of_a_replayed_file_are_the_causes_of_its_looks() -> None:
    """They were written while the file was read, before its looks were asked for."""
    async with at_work() as world:
        world.registry.push("monitoring")
        asked = world.clock()
        event = Event(repository=NAME, event_id="e1", tag="v1.0.0")
        note = Aside(received=asked, sender="zot", verdict="replayed", origin="events.jsonl, line 4", events=(event,))
        await world.queue.replayed([note])
        await world.clock.advance(30.0)
        await done(world, ReplayRequest(repositories=(NAME,), asked=asked))
        story = await told(world)
    (fact,) = step(story, "asked").facts
    assert fact.endswith("replayed, from events.jsonl, line 4")
    assert step(story, "asked").when == asked


async def test_the_causes_of_a_retry_are_those_of_the_first_attempt() -> None:
    """An event that came since belongs to it too; what another sync has answered does not."""
    async with at_work() as world:
        world.registry.push("monitoring")
        await world.announce("monitoring", actor="first")
        await settled(world)
        await world.clock.advance(60.0)
        world.registry.push("monitoring", b"two", tag="v2.0.0")
        world.fail("manifest", "monitoring", Unavailable("down"))
        await world.announce("monitoring", tag="v2.0.0", actor="second")
        await settled(world)
        failed = await told(world)
        await world.clock.advance(0.1)
        await world.announce("monitoring", tag="v2.0.0", actor="third")
        world.fail("manifest", "monitoring", None)
        await world.clock.advance(300.0)
        await settled(world)
        story = await told(world)
    assert titles(failed)[-2:] == ["failed", "next"]
    assert step(failed, "failed").text == "down"
    assert step(failed, "next").when == failed.status.next_attempt
    assert any(fact.startswith("remedy: nothing, it is tried again") for fact in step(failed, "failed").facts)
    facts = step(story, "asked").facts
    assert [actor for fact in facts for actor in ("first", "second", "third") if actor in fact] == ["second", "third"]


async def test_the_story_of_what_is_parked_says_what_cures_it() -> None:
    """Also after the next poll has found it as it was."""
    async with at_work() as world:
        world.registry.push("monitoring")
        world.catalogue.errors["monitoring"] = UnsafeArchive("a path leads out of the addon")
        await world.announce("monitoring")
        await settled(world)
        for _ in range(2):
            story = await told(world)
            assert story.status.standing == "parked"
            assert step(story, "failed").text == "a path leads out of the addon"
            assert step(story, "failed").facts == ("remedy: push a corrected artifact: a new digest is tried at once",)
            assert "until another digest is pushed" in step(story, "next").text
            await world.clock.advance(60.0)
            await done(world, PollRequest())
        (parked,) = [answer async for answer in world.views.answer(ParkedRequest())]
    assert isinstance(parked, Parked)
    assert (parked.repository, parked.attempts, parked.since) == (NAME, 1, NOW)


async def test_the_story_of_what_is_held_says_how_that_ends() -> None:
    """Whatever was pushed since."""
    async with at_work() as world:
        world.registry.push("monitoring")
        await done(world, SyncRequest(addons=("monitoring",)), HoldRequest(addon="monitoring", reason="audit"))
        world.registry.push("monitoring", b"two", tag="v2.0.0")
        await world.announce("monitoring", tag="v2.0.0")
        await settled(world)
        story = await told(world)
    assert story.status.standing == "held"
    assert titles(story) == ["asked", "held", "held"]
    assert "audit" in story.steps[-1].text
    assert story.steps[-1].facts == ("'addon-sync release monitoring' ends that",)
    assert step_texts(story)[0] == "an event asked for a look"


def step_texts(story: Story) -> Sequence[str]:
    return [one.text for one in story.steps]


async def test_a_failure_without_its_own_remedy_is_told_all_the_same() -> None:
    """The registry refuses: who may pull must be configured."""
    async with at_work() as world:
        world.registry.push("monitoring")
        world.fail("tags", "monitoring", AccessDenied("401"))
        await done(world, SyncRequest(addons=("monitoring",)))
        story = await told(world)
    assert story.status.remedy is not None
    assert "ADDON_SYNC_REGISTRY_USERNAME" in story.status.remedy


async def test_history_tells_who_pushed_each_release_first() -> None:
    """By digest; a replay pushes nothing, and what nobody announced has no name."""
    async with at_work() as world:
        first = world.registry.push("monitoring")
        await done(world, SyncRequest(addons=("monitoring",)))
        second = world.registry.push("monitoring", b"two", tag="v2.0.0")
        event = Event(repository=NAME, tag="v2.0.0", digest=str(second), actor="replayer")
        await world.queue.replayed([Aside(received=NOW, sender="zot", verdict="replayed", origin="x", events=(event,))])
        for actor in ("alice", "bob"):
            await world.announce("monitoring", tag="v2.0.0", digest=second, actor=actor)
            await settled(world)
        releases = [answer async for answer in world.views.answer(HistoryRequest(addon="monitoring"))]
    newer, older = (release for release in releases if isinstance(release, ReleaseFacts))
    assert [(one.digest, one.installed) for one in (newer, older)] == [(str(second), True), (str(first), False)]
    assert newer.event is not None
    assert newer.event.actor == "alice"
    assert older.event is None
    with pytest.raises(NotInstalled):
        await world.views.history("nobody")


async def test_a_deletion_is_told_as_one_and_pushed_nothing() -> None:
    """In the last event, in what led to a look, and not in who pushed a release."""
    async with at_work() as world:
        digest = world.registry.push("monitoring")
        await done(world, SyncRequest(addons=("monitoring",)))
        await world.clock.advance(60.0)
        await world.announce("monitoring", digest=digest, actor="bob", deleted=True)
        for _ in range(5):
            await settled(world)
            await world.clock.advance(60.0)
        story = await told(world)
        (release,) = await world.views.history("monitoring")
    assert release.event is None
    (fact,) = step(story, "looked").facts
    assert fact.endswith("distribution announced the deletion of v1.0.0 by bob; accepted")
    event = story.status.last_event
    assert event is not None
    assert (event.tag, event.actor, event.deleted) == ("v1.0.0", "bob", True)


async def test_a_deletion_that_led_to_no_sync_is_told_as_one() -> None:
    """Where nothing has looked since."""
    world = World()
    await world.announce("monitoring", deleted=True)
    assert step(await told(world), "event").text == "distribution announced the deletion of v1.0.0, which was accepted"


async def test_health_counts_tasks_and_entries() -> None:
    """Of every state there is a number."""
    world = World()
    await world.ask("a", "b")
    await world.announce("a")
    (health,) = [answer async for answer in world.views.answer(HealthRequest())]
    assert isinstance(health, QueueHealth)
    assert dict(health.tasks) == {"queued": 2, "leased": 0, "parked": 0}
    assert (health.journal.entries, health.journal.newest) == (1, NOW)


async def test_asking_changes_nothing() -> None:
    """No task, no entry."""
    world = World()
    world.registry.push("monitoring")
    for request in (StatusRequest(), WhyRequest(addon="monitoring"), EventsRequest(), MissedRequest()):
        async for _ in world.engine.execute(request):
            pass
    assert (await world.queue.tasks(), await world.queue.newest()) == ([], -1)


def activity(number: int) -> Activity:
    return Activity(at=NOW + number, kind="operation", outcome=f"{number}", repository=None, document=b"{}")


async def test_the_last_events_are_given_the_oldest_first() -> None:
    """However many others lie between; and those before a number, to page on."""
    world = World()
    for number in range(30):
        await world.queue.record([activity(number)])
        if number % 10 == 0:
            await world.announce("monitoring", event_id=str(number))

    async def listed(request: EventsRequest) -> list[int]:
        return [entry.id async for entry in world.views.answer(request) if isinstance(entry, Arrival | Done)]

    everything = await listed(EventsRequest(limit=100))
    assert everything == sorted(everything)
    assert len(everything) == 33
    assert await listed(EventsRequest(limit=5)) == everything[-5:]
    assert await listed(EventsRequest(limit=5, before=everything[-5])) == everything[-10:-5]
    assert len(await listed(EventsRequest(limit=2, wanted=Wanted(sender="distribution")))) == 2


async def test_following_gives_every_entry_once() -> None:
    """What is there, what comes while it is told, and bursts of more than are read at once."""
    world = World()
    for number in range(10):
        await world.queue.record([activity(number)])
    found: list[View] = []

    async def follow() -> None:
        async with aclosing(world.views.answer(EventsRequest(limit=5, follow=True))) as entries:
            async for entry in entries:
                found.append(entry)
                if len(found) == 7:
                    # Comes while nobody waits: the consumer is busy with this one.
                    await world.queue.record([activity(1000)])
                await asyncio.sleep(0)

    following = asyncio.create_task(follow())
    await until(lambda: len(found) == 5)
    await world.queue.record([activity(10), activity(11)])
    await until(lambda: len(found) == 8)
    await world.queue.record([activity(2000 + number) for number in range(1000)])
    await until(lambda: len(found) == 1008)
    following.cancel()
    names = [entry.activity.outcome for entry in found if isinstance(entry, Done)]
    assert names == [*map(str, range(5, 12)), "1000", *map(str, range(2000, 3000))]


async def test_what_arrives_while_following_begins_is_not_told_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the newest number and the first page."""
    world = World()
    await world.queue.record([activity(0)])
    newest = world.queue.newest

    async def and_another() -> int:
        number = await newest()
        await world.queue.record([activity(1)])
        return number

    monkeypatch.setattr(world.queue, "newest", and_another)
    found: list[str] = []
    async with aclosing(world.views.answer(EventsRequest(follow=True))) as entries:
        async for entry in entries:
            assert isinstance(entry, Done)
            found.append(entry.activity.outcome)
            if len(found) == 2:
                break
    assert found == ["0", "1"]
