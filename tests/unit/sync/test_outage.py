"""A registry that is away: asked rarely and by one, found again soon, and not overrun when it is back."""

import random

import pytest

from receiver.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE
from receiver.errors import AccessDenied, InstallError, NotInRegistry, RateLimited, Unavailable
from receiver.sync.circuit import Circuit
from receiver.sync.engine import Report
from receiver.sync.outcome import Outcome
from receiver.sync.request import SyncRequest
from receiver.tasks.task import State, Trigger
from tests.support.sync_fakes import World, until

AWAY = Unavailable("connection refused")


def test_a_few_failures_in_a_row_open_the_circuit_and_one_answer_closes_it() -> None:
    """Fewer do not: one addon's blobs may be unreachable by themselves."""
    circuit = Circuit()
    for _ in range(FAILURES - 1):
        circuit.failed_with(AWAY, 0.0, jitter=0.0)
    assert circuit.wait(0.0) == 0.0
    assert not circuit.answered()
    for _ in range(FAILURES):
        assert not circuit.is_open
        circuit.failed_with(AWAY, 0.0, jitter=0.0)
    assert circuit.wait(0.0) == FIRST_PAUSE
    assert circuit.answered()
    assert circuit.wait(0.0) == 0.0


def test_the_pauses_grow_to_a_bound() -> None:
    """An outage of hours costs two looks a minute, not two a second."""
    circuit, now, pauses = Circuit(), 0.0, []
    for _ in range(FAILURES + 6):
        circuit.failed_with(AWAY, now, jitter=0.0)
        pauses.append(circuit.wait(now))
        now += circuit.wait(now)
    assert pauses[FAILURES - 1 :] == [5.0, 10.0, 20.0, 30.0, 30.0, 30.0, 30.0]
    circuit.failed_with(AWAY, now, jitter=1.0)
    assert circuit.wait(now) == LONGEST_PAUSE * 1.25


def test_what_the_registry_asks_for_holds_for_everybody() -> None:
    """A Retry-After is about the host, not about one addon; a shorter one does not shorten it."""
    circuit = Circuit()
    circuit.failed_with(RateLimited("slow down", retry_after=120.0), 0.0, jitter=0.0)
    assert circuit.wait(0.0) == 120.0
    circuit.failed_with(RateLimited("slow down", retry_after=1.0), 20.0, jitter=0.0)
    assert circuit.wait(20.0) == 100.0
    for _ in range(2 * FAILURES):
        circuit.failed_with(AWAY, 30.0, jitter=0.0)
    assert circuit.wait(30.0) == 90.0


@pytest.mark.parametrize("error", [InstallError("disk"), NotInRegistry("gone"), AccessDenied("no")])
def test_what_is_not_an_absence_does_not_count(error: InstallError) -> None:
    """A full disk, a missing repository and a wrong password are not the host's being away."""
    circuit = Circuit()
    for _ in range(2 * FAILURES):
        circuit.failed_with(error, 0.0, jitter=0.0)
    assert not circuit.is_open


def test_a_clock_that_is_set_back_opens_the_way() -> None:
    """Else a pause of seconds would last for months."""
    circuit = Circuit()
    for _ in range(FAILURES):
        circuit.failed_with(AWAY, 1e9, jitter=0.0)
    assert circuit.wait(1e9 - 1e7) == 0.0


async def test_an_outage_of_hours_is_quiet_and_ends_at_once(seeded: random.Random) -> None:
    """200 addons, six hours: a few looks a minute by one addon at a time; then all come, four side by side."""
    world = World(circuit=Circuit())
    names = [f"addon-{number}" for number in range(200)]
    for name in names:
        world.registry.push(name)
        world.fail("tags", name, AWAY)
    hours = 6
    async with world.working():
        await world.ask(*names)
        for _ in range(hours * 3600 // 10):
            await world.clock.advance(10.0)
        await until(lambda: not world.workers.busy)
        asked = len(world.registry.asked)
        assert asked < hours * 3600 / LONGEST_PAUSE * 1.5 + 50
        assert world.catalogue.releases == []
        for name in names:
            world.fail("tags", name, None)
        world.registry.most = 0
        for _ in range(20):
            await world.clock.advance(LONGEST_PAUSE / 10)
        await until(lambda: len(world.catalogue.releases) == len(names) and not world.workers.busy)
    assert world.registry.most <= 4
    assert await world.queue.tasks() == []


async def test_what_waits_spends_no_attempt(seeded: random.Random) -> None:
    """The delays that follow a failure grow with attempts; who was never asked has had none."""
    world = World(circuit=Circuit(), concurrency=1)
    names = [f"addon-{number}" for number in range(20)]
    for name in names:
        world.registry.push(name)
        world.fail("tags", name, AWAY)
    async with world.working():
        await world.ask(*names)
        await until(lambda: len(world.registry.asked) == FAILURES and not world.workers.busy)
        tasks = await world.queue.tasks()
    assert sorted(task.attempts for task in tasks) == [0] * 17 + [1] * 3


async def test_who_waits_at_a_command_is_told_at_once() -> None:
    """Through a receiver that knows of the outage; the task stays in the queue."""
    world = World(circuit=Circuit())
    for name in ("a", "b", "c", "d"):
        world.registry.push(name)
        world.fail("tags", name, AWAY)
    async with world.working():
        await world.ask("a", "b", "c")
        await until(lambda: len(world.outcomes) == FAILURES and not world.workers.busy)
        reports: list[Report] = [report async for report in world.engine.execute(SyncRequest(addons=("d",)))]
        (outcome,) = reports
        assert isinstance(outcome, Outcome)
        assert outcome.status == "failed"
        assert "not asked" in (outcome.error or "")
        assert world.registry.looks("d") == 0
        tasks = {task.repository: task for task in await world.queue.tasks()}
    assert (tasks["addons/d"].state, tasks["addons/d"].trigger) == (State.QUEUED, Trigger.COMMAND)


async def test_a_command_by_itself_asks_in_any_weather() -> None:
    """Without a receiver nobody knows of an outage: each addon is asked for, and told."""
    world = World()
    names = ("a", "b", "c", "d", "e")
    for name in names:
        world.registry.push(name)
        world.fail("tags", name, AWAY)
    async with world.working():
        reports = [report async for report in world.engine.execute(SyncRequest(addons=names))]
    assert len(reports) == len(names)
    assert all(world.registry.looks(name) == 1 for name in names)
