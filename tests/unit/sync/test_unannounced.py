"""Pushes that no event announced: found where there are any, and nothing is called missed that was announced."""

import pytest

from receiver.errors import AccessDenied, NotInRegistry, ProtocolViolation, RegistryError, Unavailable
from receiver.oci.digest import Digest
from receiver.sync import unannounced
from receiver.sync.engine import Report
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.request import MissedRequest, PollRequest, Request, SyncRequest
from receiver.sync.unannounced import MissedPush
from receiver.tasks.journal import DOCTOR, Aside, Event
from tests.support.sync_fakes import NOW, PREFIX, World

NAME = PREFIX + "monitoring"


async def reports(world: World, request: Request) -> list[Report]:
    found = [report async for report in world.engine.execute(request)]
    await world.chronicle.settle()
    return found


async def missed(world: World) -> list[tuple[str, str, str]]:
    """Leaf, tag and state of what was missed."""
    found = await reports(world, MissedRequest())
    return [
        (push.repository.removeprefix(PREFIX), push.tag, push.state) for push in found if isinstance(push, MissedPush)
    ]


async def installed(world: World, request: Request) -> None:
    async with world.working():
        await reports(world, request)
        await world.settled()
    await world.chronicle.settle()


async def announced(world: World, digest: Digest | None, tag: str = "v1.0.0") -> None:
    """Announce, and install what was announced."""
    await world.announce("monitoring", tag=tag, digest=digest)
    async with world.working():
        await world.settled()
    await world.chronicle.settle()


async def test_a_push_that_was_never_announced() -> None:
    """Nothing is installed, and the journal knows nothing."""
    world = World()
    digest = world.registry.push("monitoring")
    (push,) = await reports(world, MissedRequest())
    assert push == MissedPush(repository=NAME, tag="v1.0.0", digest=str(digest), state="not installed")


async def test_a_push_that_was_announced_is_not_missed() -> None:
    """Installed or not yet."""
    world = World()
    digest = world.registry.push("monitoring")
    await world.announce("monitoring", digest=digest)
    assert await missed(world) == []
    async with world.working():
        await world.settled()
    assert await missed(world) == []


async def test_a_trial_of_the_endpoint_announces_nothing() -> None:
    """Else a look for what is wrong would hide it."""
    world = World()
    digest = world.registry.push("monitoring")
    await installed(world, PollRequest())
    await world.clock.advance(1.0)
    await world.announce("monitoring", digest=digest, actor=DOCTOR)
    assert await missed(world) == [("monitoring", "v1.0.0", "installed")]


async def test_the_same_tag_with_another_digest_is_another_push() -> None:
    """A tag that moved: the first push was announced, the second was not."""
    world = World()
    await announced(world, world.registry.push("monitoring"))
    world.registry.push("monitoring", b"two")
    assert await missed(world) == [("monitoring", "v1.0.0", "not installed")]


async def test_where_the_sender_tells_no_digest_the_tag_must_do() -> None:
    """Docker Hub, Quay, Nexus."""
    world = World()
    world.registry.push("monitoring")
    await announced(world, None)
    assert await missed(world) == []
    world.registry.push("monitoring", b"two", tag="v1.1.0")
    assert await missed(world) == [("monitoring", "v1.1.0", "not installed")]


async def test_versions_that_came_one_after_the_other_are_all_named() -> None:
    """Those above the highest that was announced: the last is wanted, the others are superseded."""
    world = World()
    await announced(world, world.registry.push("monitoring", tag="v1.2.0"), "v1.2.0")
    for number, tag in enumerate(("v1.1.0", "v1.3.0", "v1.4.0", "v1.5.0")):
        world.registry.push("monitoring", b"%d" % number, tag=tag)
    assert await missed(world) == [
        ("monitoring", "v1.3.0", "superseded"),
        ("monitoring", "v1.4.0", "superseded"),
        ("monitoring", "v1.5.0", "not installed"),
    ]


async def test_a_version_that_is_announced_late_leaves_its_forerunners_unannounced() -> None:
    """Three pushes, the first two lost."""
    world = World()
    await announced(world, world.registry.push("monitoring", tag="v1.0.0"))
    world.registry.push("monitoring", b"1", tag="v1.1.0")
    await announced(world, world.registry.push("monitoring", b"2", tag="v1.2.0"), "v1.2.0")
    assert await missed(world) == []  # documented: only what is newer than the highest announced counts


async def test_a_tag_that_was_deleted_meanwhile_is_none() -> None:
    """Between the list and the look."""
    world = World()
    await announced(world, world.registry.push("monitoring", tag="v1.0.0"))
    for tag in ("v1.1.0", "v1.2.0"):
        world.registry.push("monitoring", tag.encode(), tag=tag)
    resolve = world.registry.resolve

    async def gone(repository: str, tag: str) -> Digest:
        if tag == "v1.1.0":
            raise NotInRegistry("404")
        return await resolve(repository, tag)

    world.registry.resolve = gone  # type: ignore[method-assign] # somebody deletes it now
    assert await missed(world) == [("monitoring", "v1.2.0", "not installed")]


@pytest.mark.parametrize("request_", [PollRequest(), SyncRequest()], ids=["poll", "sync"])
async def test_what_a_poll_or_a_person_brought_was_missed_all_the_same(request_: Request) -> None:
    """Also where no delivery ever arrived: a registry that was never told where to send."""
    world = World()
    world.registry.push("monitoring")
    await installed(world, request_)
    found = [report for report in await reports(world, MissedRequest()) if isinstance(report, MissedPush)]
    assert [(push.state, push.installed) for push in found] == [("installed", NOW)]


async def test_an_announcement_is_found_however_many_came_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy addon: other tags of it are pushed all day. What none announced is still missed."""
    monkeypatch.setattr(unannounced, "_ARRIVALS", 8)
    world = World()
    digest = world.registry.push("monitoring")
    await announced(world, digest)
    for number in range(20):
        await world.announce("monitoring", tag=f"nightly-{number}", event_id=f"e{number}")
    assert await missed(world) == []
    world.registry.push("monitoring", b"two", tag="v1.1.0")
    assert await missed(world) == [("monitoring", "v1.1.0", "not installed")]


async def test_what_was_installed_before_the_journal_began_is_none() -> None:
    """Nobody can tell: its event may have been forgotten since."""
    world = World()
    digest = world.registry.push("monitoring")
    await announced(world, digest)
    assert await world.queue.trim(before=NOW + 1, max_bytes=10**9)
    assert await missed(world) == []
    await world.clock.advance(60.0)
    await world.announce("other")
    assert await missed(world) == []


async def test_what_an_event_brought_is_none_though_its_delivery_is_forgotten() -> None:
    """Deliveries are bounded by their size, syncs by their number: the sync is still there, and says what asked."""
    world = World()
    await announced(world, world.registry.push("monitoring"))
    await world.queue.trim(before=0, max_bytes=0)
    assert await missed(world) == []
    await world.clock.advance(60.0)
    await world.announce("other")
    assert await missed(world) == []


async def test_a_push_that_another_ones_event_brought_was_missed() -> None:
    """The event named a lower version: the look found the higher one, of which none had told."""
    world = World()
    world.registry.push("monitoring", b"2", tag="v2.0.0")
    await announced(world, world.registry.push("monitoring", b"1", tag="v1.0.0"))
    assert await missed(world) == [("monitoring", "v2.0.0", "installed")]


async def test_a_replay_announces_nothing() -> None:
    """A person did that; the sender still owes its event."""
    world = World()
    digest = world.registry.push("monitoring")
    event = Event(repository=NAME, tag="v1.0.0", digest=str(digest))
    await world.queue.replayed([Aside(received=NOW, sender="zot", verdict="replayed", origin="x", events=(event,))])
    assert await missed(world) == [("monitoring", "v1.0.0", "not installed")]


@pytest.mark.parametrize("told", [True, False])
async def test_a_deletion_announces_nothing(told: bool) -> None:
    """Of the tag and digest of a push that was lost, say: with digest, and from senders that tell none."""
    world = World()
    digest = world.registry.push("monitoring")
    await world.announce("monitoring", digest=digest if told else None, deleted=True)
    assert await missed(world) == [("monitoring", "v1.0.0", "not installed")]


async def test_a_pull_announces_nothing() -> None:
    """In one delivery with a push of an older version."""
    world = World()
    world.registry.push("monitoring", tag="v1.1.0")
    events = (
        Event(repository=NAME, tag="v1.0.0", digest="sha256:" + "0" * 64),
        Event(repository=NAME, tag="v1.1.0", left_out="pull"),
    )
    world.queue.note(Aside(received=NOW, sender="distribution", verdict="duplicate", events=events))
    assert await missed(world) == [("monitoring", "v1.1.0", "not installed")]


async def test_syncing_looks_at_what_is_not_installed_and_only_that() -> None:
    """Each once, however many of its versions were missed."""
    world = World()
    for leaf in ("a", "b", "same"):
        world.registry.push(leaf)
    await installed(world, SyncRequest(addons=("same",)))
    looks = world.registry.looks("same")
    async with world.working():
        found = await reports(world, MissedRequest(sync=True))
    pushes = [push.repository for push in found if isinstance(push, MissedPush)]
    assert pushes == [PREFIX + "a", PREFIX + "b", PREFIX + "same"]
    outcomes = sorted((one.repository, one.status, one.trigger) for one in found if isinstance(one, Outcome))
    assert outcomes == [(PREFIX + "a", "installed", "replay"), (PREFIX + "b", "installed", "replay")]
    assert world.registry.looks("same") == looks + 1  # the comparison


async def test_an_empty_repository_is_no_push() -> None:
    """Registries go on listing one whose last tag was deleted."""
    world = World()
    world.registry.push("monitoring")
    world.fail("tags", "monitoring", NotInRegistry("404"))
    assert await missed(world) == []


async def test_a_registry_that_is_away_is_said() -> None:
    """Nothing is called missed that could not be looked for."""
    world = World()
    world.registry.push("monitoring")
    world.fail("tags", "monitoring", Unavailable("down"))
    (surveyed,) = await reports(world, MissedRequest())
    assert isinstance(surveyed, Surveyed)
    assert surveyed.error == "down"


@pytest.mark.parametrize("error", [AccessDenied("401"), ProtocolViolation("no JSON")])
async def test_one_repository_that_may_not_be_read_hides_no_other(error: RegistryError) -> None:
    """Nor does one of which nonsense is told. The others are listed, and it is named."""
    world = World()
    for leaf in ("a", "b", "c"):
        world.registry.push(leaf)
    world.fail("tags", "b", error)
    first, second, surveyed = await reports(world, MissedRequest())
    assert isinstance(first, MissedPush)
    assert isinstance(second, MissedPush)
    assert [first.repository, second.repository] == [PREFIX + "a", PREFIX + "c"]
    assert isinstance(surveyed, Surveyed)
    assert surveyed.error == f"addons/b: {error}"
