"""What a replay from the journal feeds in again: what was meant, all of it, and nothing else; and whence it came."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from receiver.document import replaced
from receiver.errors import InvalidNameError, Unavailable, UnsafeArchive
from receiver.sync.engine import Planned, Report
from receiver.sync.outcome import Outcome
from receiver.sync.replayed import Replayed
from receiver.sync.request import ReplayRequest, SyncRequest
from receiver.tasks.journal import Arrival, Event, Kept, StoredDelivery, Wanted
from receiver.tasks.queue import Intake
from receiver.webhook.decode import decode
from receiver.webhook.event import Decoded, Delivery
from tests.support.sync_fakes import NOW, PREFIX, World


async def deliver(
    world: World,
    leaf: str,
    *,
    event_id: str | None = None,
    sender: str = "distribution",
    received: float = NOW,
    verdict: Kept = "accepted",
    body: bytes | None = None,
) -> int:
    """Put a delivery into the journal; its number."""
    event = {"id": event_id, "action": "push", "target": {"repository": PREFIX + leaf, "tag": "v1.0.0"}}
    named = (Event(repository=PREFIX + leaf, event_id=event_id, tag="v1.0.0"),)
    await world.queue.ingest(
        Intake(
            sender=sender,
            received=received,
            verdict=verdict,
            reason=None,
            headers=b"{}",
            body=json.dumps({"events": [event]}).encode() if body is None else body,
            events=() if verdict == "quarantined" else named,
        ),
        now=received,
    )
    for task in await world.queue.tasks():
        lease = await world.queue.lease(now=NOW + 10**6, seconds=1)
        assert lease is not None, task
        await world.queue.complete(lease, unpark=True)
    return await world.queue.newest()


async def replay(world: World, request: ReplayRequest) -> tuple[Replayed, list[Report]]:
    """What was found, and what came of it."""
    async with world.working():
        first, *rest = [report async for report in world.engine.execute(request)]
    assert isinstance(first, Replayed)
    return first, rest


async def found(world: World, request: ReplayRequest) -> dict[str, int]:
    """Leaves and how many events named each."""
    first, rest = await replay(world, request)
    assert sorted(one.repository for one in rest if isinstance(one, Outcome)) == sorted(first.repositories)
    return {name.removeprefix(PREFIX): count for name, count in first.repositories.items()}


async def origins(world: World) -> list[tuple[str | None, tuple[Event, ...]]]:
    page = await world.queue.entries(Wanted(verdict="replayed"), limit=100)
    return [(entry.origin, entry.events) for entry in page.entries if isinstance(entry, Arrival)][::-1]


async def test_a_delivery_by_its_number() -> None:
    """And what is not there (any more) is a problem that is named, beside what is."""
    world = World()
    await deliver(world, "a", event_id="1")
    number = await deliver(world, "b", event_id="2")
    first, _ = await replay(world, ReplayRequest(numbers=(number, 10**9)))
    assert (dict(first.repositories), first.events, first.documents) == ({PREFIX + "b": 1}, 1, 1)
    assert first.problems == [f"the journal keeps no body of delivery {10**9}, nor of an event {10**9}, (any more)"]


async def test_a_replayed_event_keeps_its_identifier_and_says_whence_it_came() -> None:
    """The chain leads to the original, also of one that is replayed again."""
    world = World()
    number = await deliver(world, "a", event_id="e-1")
    for _ in range(2):
        await replay(world, ReplayRequest(numbers=(number,)))
    event = Event(repository=PREFIX + "a", event_id="e-1", tag="v1.0.0")
    assert await origins(world) == [(f"delivery {number}", (event,))] * 2


async def test_a_delivery_by_the_identifier_of_its_event() -> None:
    """Of several addons, and only those; one that nobody has sent is a problem."""
    world = World()
    for leaf in "abc":
        await deliver(world, leaf, event_id=f"id-{leaf}")
    first, _ = await replay(world, ReplayRequest(event_ids=("id-a", "id-c", "id-x")))
    assert set(first.repositories) == {PREFIX + "a", PREFIX + "c"}
    assert first.problems == ["the journal keeps no body of event id-x (any more)"]


async def test_an_identifier_of_digits_is_found_where_no_delivery_has_that_number() -> None:
    """Google counts its messages; the journal's own number comes first."""
    world = World()
    number = await deliver(world, "a", event_id="2070443601311540")
    await deliver(world, "b", event_id=str(number))
    first, _ = await replay(world, ReplayRequest(numbers=(2070443601311540,)))
    assert (dict(first.repositories), first.problems) == ({PREFIX + "a": 1}, [])
    first, _ = await replay(world, ReplayRequest(numbers=(number,)))
    assert dict(first.repositories) == {PREFIX + "a": 1}


@pytest.mark.parametrize(
    ("request_", "leaves"),
    [
        (ReplayRequest(journal=True, since=NOW + 10), {"b", "c"}),
        (ReplayRequest(journal=True, until=NOW + 10), {"a"}),
        (ReplayRequest(journal=True, since=NOW + 5, until=NOW + 15), {"b"}),
        (ReplayRequest(journal=True, sender="zot"), {"b"}),
        (ReplayRequest(journal=True, addon="c"), {"c"}),
        (ReplayRequest(journal=True, addon="c", sender="zot"), set()),
        (ReplayRequest(journal=True), {"a", "b", "c"}),
    ],
)
async def test_deliveries_by_time_sender_and_addon(request_: ReplayRequest, leaves: set[str]) -> None:
    """All must hold."""
    world = World()
    await deliver(world, "a", received=NOW)
    await deliver(world, "b", received=NOW + 10, sender="zot")
    await deliver(world, "c", received=NOW + 20)
    assert set(await found(world, request_)) == leaves


async def test_of_a_delivery_of_several_addons_only_the_wanted_is_replayed() -> None:
    """The note names it alone."""
    world = World()
    events = [{"id": leaf, "action": "push", "target": {"repository": PREFIX + leaf}} for leaf in "ab"]
    number = await deliver(world, "a", body=json.dumps({"events": events}).encode())
    assert await found(world, ReplayRequest(numbers=(number,), addon="a")) == {"a": 1}
    ((_, kept),) = await origins(world)
    assert [event.repository for event in kept] == [PREFIX + "a"]


async def test_many_events_of_one_addon_are_one_sync() -> None:
    """However many; and their number is told."""
    world = World()
    world.registry.push("a")
    for number in range(600):
        await deliver(world, "a", event_id=str(number))
    first, rest = await replay(world, ReplayRequest(journal=True))
    assert first.repositories == {PREFIX + "a": 600}
    assert [one.status for one in rest if isinstance(one, Outcome)] == ["installed"]
    assert world.registry.looks("a") == 1
    assert len(await origins(world)) == 100  # of 600, on the first page
    assert len({origin for origin, _ in await origins(world)}) == 100


async def test_the_quarantined_are_read_by_todays_rules() -> None:
    """What still cannot be read is told with its number, and does not stop the rest."""
    world = World()
    bad = await deliver(world, "-", verdict="quarantined", body=b"?")
    good = json.dumps({"events": [{"action": "push", "target": {"repository": PREFIX + "a"}}]}).encode()
    await deliver(world, "-", verdict="quarantined", body=good)
    await deliver(world, "b")
    first, _ = await replay(world, ReplayRequest(quarantined=True))
    assert (set(first.repositories), first.documents) == ({PREFIX + "a"}, 2)
    (problem,) = first.problems
    assert problem.startswith(f"delivery {bad} from distribution: ")


async def failing(world: World) -> None:
    """One that is parked, one that is tried again, and one that is well."""
    for leaf in ("parked", "retrying", "well"):
        world.registry.push(leaf)
    world.catalogue.errors["parked"] = UnsafeArchive("bad")
    world.fail("tags", "retrying", Unavailable("down"))
    async with world.working():
        async for _ in world.engine.execute(SyncRequest(addons=("parked", "retrying", "well"))):
            pass
    world.catalogue.errors.clear()
    world.fail("tags", "retrying", None)


@pytest.mark.parametrize(
    ("request_", "leaves"),
    [
        (ReplayRequest(failed=True), {"parked", "retrying"}),
        (ReplayRequest(parked=True), {"parked"}),
        (ReplayRequest(failed=True, addon="retrying"), {"retrying"}),
        (ReplayRequest(failed=True, addon="well"), set()),
    ],
)
async def test_what_failed_is_tried_again_now(request_: ReplayRequest, leaves: set[str]) -> None:
    """Parked or not, as asked."""
    world = World()
    await failing(world)
    assert set(await found(world, request_)) == leaves
    assert all(world.catalogue.installed[leaf] for leaf in leaves)


async def test_a_dry_run_says_what_it_would_lead_to_and_changes_nothing() -> None:
    """No task, no note; the registry is asked what it wants."""
    world = World()
    world.registry.push("a")
    number = await deliver(world, "a")
    await deliver(world, "gone")
    tags, newest = await world.queue.tasks(), await world.queue.newest()
    request = ReplayRequest(journal=True, dry_run=True)
    first, *plans = [report async for report in world.engine.execute(request)]
    assert isinstance(first, Replayed)
    planned = {plan.status.repository: plan for plan in plans if isinstance(plan, Planned)}
    assert set(planned) == {PREFIX + "a", PREFIX + "gone"}
    desired = planned[PREFIX + "a"].status.desired
    assert desired is not None
    assert (desired.tag, planned[PREFIX + "a"].events) == ("v1.0.0", 1)
    assert planned[PREFIX + "gone"].status.standing == "unknown"
    assert (await world.queue.tasks(), await world.queue.newest()) == (tags, newest)
    assert number <= newest
    assert world.catalogue.installed == {}


@pytest.mark.parametrize(("padding", "most"), [(0, 32), (16 * 1024, 4), (200 * 1024, 1)])
async def test_others_have_their_turn_while_a_journal_is_replayed(
    monkeypatch: pytest.MonkeyPatch, padding: int, most: int
) -> None:
    """However many deliveries are read at once, and however large they are: senders want answers meanwhile."""
    world = World()
    await deliver(world, "a")
    (one,) = [delivery async for delivery in world.queue.deliveries()]
    large = replaced(one, body=one.body + b" " * padding)

    async def deliveries(**filters: object) -> AsyncIterator[StoredDelivery]:
        for _ in range(200):
            yield large

    decoded = longest = 0

    def counted(delivery: Delivery, *, prefix: str) -> Decoded:
        nonlocal decoded
        decoded += 1
        return decode(delivery, prefix=prefix)

    async def others() -> None:
        nonlocal longest
        before = decoded
        while True:
            await asyncio.sleep(0)
            longest, before = max(longest, decoded - before), decoded

    monkeypatch.setattr("receiver.sync.recollection.decode", counted)
    monkeypatch.setattr(world.queue, "deliveries", deliveries)
    running = asyncio.create_task(others())
    await asyncio.sleep(0)
    found = await world.engine._recollection.collect(ReplayRequest(journal=True, dry_run=True))
    running.cancel()
    assert (found.documents, decoded) == (200, 200)
    assert 0 < longest <= most


@pytest.mark.parametrize("request_", [ReplayRequest(addon="../etc", journal=True), ReplayRequest(repositories=("x",))])
async def test_a_name_that_cannot_be_is_refused(request_: ReplayRequest) -> None:
    """Before anything is read or noted."""
    world = World()
    with pytest.raises(InvalidNameError):
        await replay(world, request_)
    assert await world.queue.tasks() == []
