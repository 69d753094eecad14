"""A look at everything: it counts, compares, and installs nothing."""

import logging
import threading

import pytest

from receiver.catalog.record import Hold
from receiver.catalog.release import Drift
from receiver.errors import AccessDenied, InstallError, NotInRegistry, Unavailable
from receiver.sync.engine import Report
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.request import PollRequest
from receiver.tasks.task import EVERYTHING, Trigger
from tests.support.sync_fakes import World


async def test_changed_unchanged_absent_and_failed_are_told_apart() -> None:
    """What cannot be compared gets a task of its own; what has no tag is left as it is."""
    world = World()
    world.catalogue.installed["same"] = world.registry.push("same")
    world.registry.push("new")
    world.registry.push("broken")
    world.fail("resolve", "broken", Unavailable("cut off"))
    world.registry.tagged["addons/empty"] = {}
    world.registry.tagged["charts/other"] = {}
    surveyed = await world.survey.run()
    assert surveyed == Surveyed(
        started=world.clock(),
        duration=0.0,
        changed=("addons/broken", "addons/new"),
        unchanged=2,
        absent=("addons/empty",),
    )
    assert world.catalogue.releases == []


async def test_a_record_that_cannot_be_read_is_a_failed_comparison() -> None:
    """Its task will say so."""
    world = World()
    world.registry.push("monitoring")

    def damaged(*_: object) -> bool:
        raise InstallError("damaged")

    world.catalogue.is_current = damaged  # type: ignore[method-assign,assignment] # fails
    assert (await world.survey.run()).changed == ("addons/monitoring",)


async def test_a_fault_is_not_hidden() -> None:
    """The worker tells it."""
    world = World()
    world.registry.push("monitoring")
    world.fail("tags", "monitoring", ZeroDivisionError("a bug"))
    with pytest.RaisesGroup(ZeroDivisionError):
        await world.survey.run()


async def test_configured_repositories_are_polled_where_the_registry_has_no_catalogue() -> None:
    """And beside those that it lists."""
    world = World(configured=["addons/configured"])
    world.registry.push("listed")
    assert [str(found) for found in await world.survey.discover()] == ["addons/configured", "addons/listed"]
    world.registry.errors["repositories", ""] = AccessDenied("no catalogue")
    assert [str(found) for found in await world.survey.discover()] == ["addons/configured"]


async def test_without_a_catalogue_and_without_a_list_there_is_nothing_to_poll() -> None:
    """That is an error, and not "nothing to do"."""
    world = World()
    world.registry.errors["repositories", ""] = NotInRegistry("no catalogue")
    with pytest.raises(NotInRegistry):
        await world.survey.run()


async def test_repositories_that_hold_no_addon_are_left_out_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """One, and not one a poll."""
    world = World()
    world.registry.tagged = {"addons/deep/er": {}, "addons/con": {}, "addonsx": {}}
    for _ in range(3):
        assert await world.survey.discover() == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


async def test_desired_says_what_the_registry_wants_or_why_that_is_not_known() -> None:
    """For the status, in which one broken addon must not hide the others."""
    world = World()
    digest = world.registry.push("monitoring")
    facts = await world.survey.desired(["addons/monitoring", "addons/gone", "elsewhere/x"])
    assert (facts["addons/monitoring"].tag, facts["addons/monitoring"].digest) == ("v1.0.0", str(digest))
    assert "not in the registry" in (facts["addons/gone"].error or "")
    assert facts["elsewhere/x"].error


async def _held(world: World) -> None:
    world.registry.push("monitoring")
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
    world.catalogue.hold("addons/monitoring", "monitoring", Hold(since=1.0, reason="audit"))


async def test_a_held_addon_is_left_alone_while_it_is_there() -> None:
    """Whatever the registry has; a poll stays quiet about it, and asks for none of its tags."""
    world = World()
    await _held(world)
    world.registry.push("monitoring", b"two", tag="v2.0.0")
    looks = world.registry.looks("monitoring")
    surveyed = await world.survey.run()
    assert (surveyed.changed, surveyed.unchanged, world.registry.looks("monitoring")) == ((), 1, looks)
    assert surveyed.held == ("addons/monitoring",)
    assert not surveyed.has_asked("addons/monitoring")


async def test_a_held_addon_that_is_gone_is_brought_back_as_it_was() -> None:
    """By the poll, at the release that it is held at."""
    world = World()
    await _held(world)
    world.registry.push("monitoring", b"two", tag="v2.0.0")
    world.catalogue.gone.add("monitoring")
    async with world.working():
        await world.queue.enqueue([EVERYTHING], trigger=Trigger.POLL, now=world.clock())
        await world.settled()
    assert world.catalogue.gone == set()
    assert [release.tag for release in world.catalogue.releases] == ["v1.0.0", "v1.0.0"]
    assert world.outcomes[-1].tag == "v1.0.0"


@pytest.mark.parametrize("held", [False, True])
async def test_a_poll_repairs_changed_files_only_where_that_is_configured(*, held: bool) -> None:
    """A missing folder it repairs always; edits of an operator it leaves, unless told otherwise."""
    for repair_drift, tags in ((False, ["v1.0.0"]), (True, ["v1.0.0", "v1.0.0"])):
        world = World(repair_drift=repair_drift)
        await _held(world)
        if not held:
            world.catalogue.hold("addons/monitoring", "monitoring", None)
        world.catalogue.drifts["monitoring"] = [Drift(path="monitoring/values.yaml", problem="changed")]
        async with world.working():
            await world.queue.enqueue([EVERYTHING], trigger=Trigger.POLL, now=world.clock())
            await world.settled()
        assert [release.tag for release in world.catalogue.releases] == tags


async def test_a_poll_does_not_ask_for_what_an_event_has_just_brought() -> None:
    """But for what it brought a while ago, and whatever else asks for a look at everything asks for all."""
    world = World()
    world.registry.push("monitoring")
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
        looks = []
        for trigger, pause in ((Trigger.POLL, 1.0), (Trigger.EVENT, 0.0), (Trigger.POLL, 30.0)):
            await world.clock.advance(pause)
            await world.queue.enqueue([EVERYTHING], trigger=trigger, now=world.clock())
            await world.settled()
            looks.append(world.registry.looks("monitoring"))
    assert looks == [1, 2, 3]


async def test_a_clock_that_was_put_back_keeps_no_poll_from_asking() -> None:
    """What an event brought lies in the future then, which is not just now."""
    world = World()
    world.registry.push("monitoring")
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
        await world.clock.advance(-3600.0)
        await world.queue.enqueue([EVERYTHING], trigger=Trigger.POLL, now=world.clock())
        await world.settled()
    assert world.registry.looks("monitoring") == 2


async def test_a_poll_asks_again_for_what_a_poll_has_just_brought() -> None:
    """Who has a registry without events polled every two seconds waits two seconds, and not for the end of a pause."""
    world = World()
    async with world.working():
        for tag in ("v1.0.0", "v1.1.0"):
            world.registry.push("monitoring", tag=tag)
            await world.queue.enqueue([EVERYTHING], trigger=Trigger.POLL, now=world.clock())
            await world.settled()
            await world.clock.advance(2.0)
    assert [release.tag for release in world.catalogue.releases] == ["v1.0.0", "v1.1.0"]


async def test_a_poll_waits_for_an_addon_that_has_a_task_already() -> None:
    """Who asked for the poll is told of it, and a command does not end in the middle of its installation."""
    world = World()
    world.registry.push("monitoring")
    world.catalogue.gate = threading.Event()  # it is still being installed when the survey ends
    await world.ask("monitoring", trigger=Trigger.COMMAND)
    reports: list[Report] = []
    async with world.working():
        async for report in world.engine.execute(PollRequest()):
            reports.append(report)
            world.catalogue.gate.set()
    assert [type(report) for report in reports] == [Surveyed, Outcome]
    assert len(world.catalogue.releases) == 1


async def test_what_is_installed_and_no_longer_listed_is_asked_for() -> None:
    """A listing that has shrunk hides no update, and removes nothing."""
    world = World()
    world.registry.push("monitoring")
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
    world.registry.push("monitoring", b"two", tag="v2.0.0")
    listed = world.registry.repositories

    async def shrunk() -> list[str]:
        assert await listed()
        return []

    world.registry.repositories = shrunk  # type: ignore[method-assign] # a listing that has lost everything
    assert (await world.survey.run()).changed == ("addons/monitoring",)


async def test_without_a_catalogue_everything_that_was_ever_named_is_polled(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once; a registry that is merely away is not one without a catalogue."""
    world = World()

    async def known() -> list[str]:
        return ["addons/announced", "charts/other"]

    world.survey._known = known
    world.registry.errors["repositories", ""] = AccessDenied("no catalogue")
    for _ in range(2):
        assert [str(found) for found in await world.survey.discover()] == ["addons/announced"]
    assert caplog.text.count("were ever announced are polled") == 1
    world.registry.errors["repositories", ""] = Unavailable("away")
    with pytest.raises(Unavailable):
        await world.survey.discover()
