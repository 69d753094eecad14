"""Operators' wishes: rolled back without the registry, held until released, gone and staying away, verified."""

import asyncio
import threading
from collections.abc import Collection, Sequence

import pytest

from receiver.catalog.record import Hold
from receiver.catalog.release import Drift, Installation
from receiver.document import replaced
from receiver.errors import InstallError, InvalidNameError, NotInstalled, Unavailable
from receiver.sync.engine import Report
from receiver.sync.operations import Changed, Verified
from receiver.sync.request import (
    DiscardRequest,
    HoldRequest,
    ReleaseRequest,
    Request,
    RollbackRequest,
    SyncRequest,
    UninstallRequest,
    VerifyRequest,
)
from receiver.tasks.journal import Done, Wanted
from receiver.tasks.task import Trigger
from tests.support.sync_fakes import NOW, World, until

VERSIONS = ("v1.0.0", "v2.0.0", "v3.0.0")


async def execute(world: World, request: Request) -> Sequence[Report]:
    return [report async for report in world.engine.execute(request)]


async def change(world: World, request: Request) -> Changed:
    (report,) = await execute(world, request)
    assert isinstance(report, Changed)
    return report


async def installed(*versions: str) -> World:
    """A world in which ``versions`` were installed one after the other."""
    world = World()
    async with world.working():
        for version in versions:
            world.registry.push("monitoring", version.encode(), tag=version)
            await world.ask("monitoring")
            await world.settled()
    return world


async def test_a_rollback_brings_back_the_release_before_without_the_registry() -> None:
    """The registry is down; the addon is held, so that no poll undoes it."""
    world = await installed(*VERSIONS)
    world.fail("tags", "monitoring", Unavailable("down"))
    world.fail("manifest", "monitoring", Unavailable("down"))
    world.fail("blob", "monitoring", Unavailable("down"))
    done = await change(world, RollbackRequest(addon="monitoring"))
    assert (done.action, done.tag) == ("rolled back", "v2.0.0")
    record = world.catalogue.known["monitoring"]
    assert record.hold is not None
    assert record.hold.reason == "rolled back from v3.0.0 to v2.0.0"
    assert world.catalogue.releases[-1].tag == "v2.0.0"


@pytest.mark.parametrize("to", ["v1.0.0", "1.0.0", "digest", "short digest"])
async def test_a_rollback_goes_to_the_release_that_is_named(to: str) -> None:
    """By tag, version, or as much of the digest as is needed."""
    world = await installed(*VERSIONS)
    digest = str(world.registry.tagged["addons/monitoring"]["v1.0.0"])
    word = {"digest": digest, "short digest": digest[7:15]}.get(to, to)
    done = await change(world, RollbackRequest(addon="monitoring", to=word))
    assert (done.tag, done.digest) == ("v1.0.0", digest)


async def test_a_rollback_to_what_is_not_kept_lists_what_is() -> None:
    """And changes nothing."""
    world = await installed(*VERSIONS)
    with pytest.raises(NotInstalled, match=r"no kept release is 'v9'; kept releases .* v3\.0\.0 .* v2\.0\.0"):
        await execute(world, RollbackRequest(addon="monitoring", to="v9"))
    with pytest.raises(NotInstalled, match="nothing was ever installed from addons/other"):
        await execute(world, RollbackRequest(addon="other"))
    assert world.catalogue.known["monitoring"].hold is None


async def test_a_few_digits_are_no_digest() -> None:
    """A mistyped version must not bring back whatever begins with it."""
    world = await installed(*VERSIONS)
    word = str(world.registry.tagged["addons/monitoring"]["v1.0.0"])[7:12]
    with pytest.raises(NotInstalled, match="no kept release is"):
        await execute(world, RollbackRequest(addon="monitoring", to=word))


async def test_a_word_that_means_several_releases_is_refused() -> None:
    """Two pushes of one tag: only the digest tells them apart."""
    world = World()
    async with world.working():
        for content in (b"one", b"two"):
            world.registry.push("monitoring", content, tag="latest")
            await world.ask("monitoring")
            await world.settled()
    with pytest.raises(NotInstalled, match="several kept releases are 'latest'"):
        await execute(world, RollbackRequest(addon="monitoring", to="latest"))


async def test_the_first_release_has_nothing_before_it() -> None:
    """The error says so, and names --to only where another one is kept."""
    world = await installed("v1.0.0")
    with pytest.raises(NotInstalled, match="before the installed one") as caught:
        await execute(world, RollbackRequest(addon="monitoring"))
    assert "--to" not in str(caught.value)
    world = await installed("v1.0.0", "v2.0.0")
    await change(world, RollbackRequest(addon="monitoring"))
    with pytest.raises(NotInstalled, match=r"before the installed one .*; give --to for one of them"):
        await execute(world, RollbackRequest(addon="monitoring"))


async def test_what_is_damaged_of_a_kept_release_is_fetched_again() -> None:
    """A blob that rotted away on the disk does not make a rollback impossible while the registry has it."""
    world = await installed("v1.0.0", "v2.0.0")
    world.blobs.contents.clear()
    assert (await change(world, RollbackRequest(addon="monitoring"))).tag == "v1.0.0"


@pytest.mark.parametrize("trigger", list(Trigger))
async def test_a_held_addon_stays_whoever_asks(trigger: Trigger) -> None:
    """Event, poll, replay and command: nothing is asked of the registry, nothing installed, and it is said."""
    world = await installed("v1.0.0")
    await change(world, HoldRequest(addon="monitoring", reason="audit"))
    world.registry.push("monitoring", b"two", tag="v2.0.0")
    asked = len(world.registry.asked)
    async with world.working():
        await world.ask("monitoring", trigger=trigger, force=trigger is Trigger.COMMAND)
        await world.settled()
    assert (world.outcomes[-1].status, len(world.registry.asked)) == ("held", asked)
    assert "audit" in (world.outcomes[-1].error or "")
    assert "addon-sync release monitoring" in (world.outcomes[-1].error or "")
    assert len(world.catalogue.releases) == 1
    assert await world.queue.tasks() == []


async def test_a_hold_that_comes_during_a_sync_wins() -> None:
    """The sync has seen no hold; the catalogue asks once more before it changes anything."""
    world = await installed("v1.0.0")
    world.registry.push("monitoring", b"two", tag="v2.0.0")
    install = world.catalogue.install

    def hold_first(*arguments: object, **options: object) -> object:
        world.catalogue.install = install  # type: ignore[method-assign] # once
        world.catalogue.hold("addons/monitoring", "monitoring", None)
        world.catalogue.known["monitoring"] = held
        return install(*arguments, **options)  # type: ignore[arg-type] # as given

    await change(world, HoldRequest(addon="monitoring"))
    held = world.catalogue.known["monitoring"]
    world.catalogue.hold("addons/monitoring", "monitoring", None)
    world.catalogue.install = hold_first  # type: ignore[method-assign,assignment] # once
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
    assert world.outcomes[-1].status == "held"
    assert [release.tag for release in world.catalogue.releases] == ["v1.0.0"]


async def test_a_release_of_the_hold_asks_for_a_look() -> None:
    """What came meanwhile is installed at once where workers run."""
    world = await installed("v1.0.0")
    await change(world, HoldRequest(addon="monitoring"))
    world.registry.push("monitoring", b"two", tag="v2.0.0")
    async with world.working():
        assert (await change(world, ReleaseRequest(addon="monitoring"))).action == "released"
        await world.settled()
    assert world.catalogue.releases[-1].tag == "v2.0.0"


async def test_a_release_of_what_is_not_held_does_nothing_and_says_so() -> None:
    """It is not in the journal either; a name that nobody knows is an error that names what is held."""
    world = await installed("v1.0.0")
    await change(world, HoldRequest(addon="other"))
    await world.chronicle.settle()
    newest = await world.queue.newest()
    done = await change(world, ReleaseRequest(addon="monitoring"))
    assert (done.action, done.note) == ("not held", "nothing was done")
    with pytest.raises(NotInstalled, match="addons/monitorin is not known, and not held; held are: other"):
        await execute(world, ReleaseRequest(addon="monitorin"))
    await world.chronicle.settle()
    assert (await world.queue.newest(), await world.queue.tasks()) == (newest, [])


async def test_a_name_that_was_announced_is_known_and_can_be_released() -> None:
    """Though nothing was ever installed from it: it is no error that it is not held."""
    world = World()
    await world.announce("logging")
    assert (await change(world, ReleaseRequest(addon="logging"))).action == "not held"


@pytest.mark.parametrize("serves", [True, False])
async def test_a_release_says_when_the_registry_is_asked(monkeypatch: pytest.MonkeyPatch, *, serves: bool) -> None:
    """At once where somebody works on the queue."""
    world = await installed("v1.0.0")
    monkeypatch.setattr(world.operations, "_serves", serves)
    await change(world, HoldRequest(addon="monitoring"))
    note = (await change(world, ReleaseRequest(addon="monitoring"))).note
    assert ("is asked now" in note, "'addon-sync serve' does not run" in note) == (serves, not serves)


async def test_a_hold_of_a_name_that_nobody_knows_warns() -> None:
    """It may be mistyped, or meant: before the first push. What was ever announced is known."""
    world = await installed("v1.0.0")
    assert (await change(world, HoldRequest(addon="monitoring"))).warning == ""
    done = await change(world, HoldRequest(addon="monitorin"))
    assert done.warning == "nothing of that name is installed or known; installed are: monitoring"
    assert world.catalogue.known["monitorin"].hold is not None
    await world.announce("logging")
    assert (await change(world, HoldRequest(addon="logging"))).warning == ""


async def test_a_second_hold_says_that_its_reason_is_not_recorded() -> None:
    """And how to replace the first one; who gives none misses nothing."""
    world = await installed("v1.0.0")
    await change(world, HoldRequest(addon="monitoring", reason="audit until Friday"))
    done = await change(world, HoldRequest(addon="monitoring", reason="ward 7"))
    assert done.note == "was held already (audit until Friday)"
    assert "the reason 'ward 7' was not recorded" in done.warning
    assert "'addon-sync release monitoring', then hold it again" in done.warning
    assert (await change(world, HoldRequest(addon="monitoring"))).warning == ""


async def test_an_addon_can_be_held_before_it_comes() -> None:
    """The answer says that nothing is there: the name may be mistyped."""
    world = World()
    world.registry.push("monitoring")
    assert "nothing is installed" in (await change(world, HoldRequest(addon="monitoring"))).note
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
    assert world.outcomes[-1].status == "held"
    assert "was held already" in (await change(world, HoldRequest(addon="monitoring"))).note


async def test_what_is_uninstalled_stays_away_and_can_come_back() -> None:
    """No poll brings it back; a rollback does, without the registry."""
    world = await installed("v1.0.0", "v2.0.0")
    assert (await change(world, UninstallRequest(addon="monitoring"))).action == "uninstalled"
    assert (await world.survey.run()).changed == ()
    assert (await change(world, RollbackRequest(addon="monitoring"))).tag == "v2.0.0"


async def test_a_rollback_after_an_uninstallation_brings_back_what_was_removed() -> None:
    """And not a newer one that a person had gone back from; a hold that ended in between changes nothing."""
    world = await installed(*VERSIONS)
    for tag in ("v2.0.0", "v1.0.0"):
        assert (await change(world, RollbackRequest(addon="monitoring"))).tag == tag
    await change(world, UninstallRequest(addon="monitoring"))
    world.catalogue.hold("addons/monitoring", "monitoring", None)
    assert (await change(world, RollbackRequest(addon="monitoring"))).tag == "v1.0.0"


async def test_drift_is_told_and_repaired_on_request() -> None:
    """From the blob store, at the release that is held."""
    world = await installed("v1.0.0")
    await change(world, HoldRequest(addon="monitoring"))
    world.registry.push("monitoring", b"two", tag="v2.0.0")
    drift = Drift(path="monitoring/Enable.ps1", problem="changed")
    world.catalogue.drifts["monitoring"] = [drift]
    assert await execute(world, VerifyRequest()) == [Verified(repository="addons/monitoring", drift=(drift,))]
    (repaired,) = await execute(world, VerifyRequest(addons=("monitoring",), repair=True))
    assert repaired == Verified(repository="addons/monitoring", drift=(drift,), repaired=True)
    assert [release.tag for release in world.catalogue.releases] == ["v1.0.0", "v1.0.0"]
    assert await execute(world, VerifyRequest()) == [Verified(repository="addons/monitoring")]


async def test_one_addon_that_cannot_be_verified_does_not_stop_the_others() -> None:
    """Its row says why."""
    world = await installed("v1.0.0")
    other, good = await execute(world, VerifyRequest(addons=("other", "monitoring")))
    assert isinstance(other, Verified)
    assert isinstance(good, Verified)
    assert (other.error, good.error) == ("nothing is installed from other", None)


async def test_what_differs_is_told_also_where_it_cannot_be_repaired() -> None:
    """Both are to be known: the files, and why they stay so."""
    world = await installed("v1.0.0")
    drift = Drift(path="monitoring/Enable.ps1", problem="changed")
    world.catalogue.drifts["monitoring"] = [drift]
    world.catalogue.errors["monitoring"] = InstallError("the disk is full")
    (found,) = await execute(world, VerifyRequest(repair=True))
    assert found == Verified(repository="addons/monitoring", drift=(drift,), error="the disk is full")


async def test_what_came_by_another_prefix_is_verified_too() -> None:
    """The setting has changed since; its files are in the catalogue all the same."""
    world = await installed("v1.0.0")
    record = world.catalogue.known["monitoring"]
    world.catalogue.known["monitoring"] = replaced(record, repository="elsewhere/monitoring")
    assert await execute(world, VerifyRequest()) == [Verified(repository="addons/monitoring")]


async def test_a_name_that_can_be_no_addon_is_a_usage_error() -> None:
    """As for a sync."""
    for request in (HoldRequest(addon="../evil"), SyncRequest(addons=("../evil",))):
        with pytest.raises(InvalidNameError):
            await execute(World(), request)


async def noted(world: World) -> list[tuple[str | None, str]]:
    """What the journal says that operators did."""
    await world.chronicle.settle()
    page = await world.queue.entries(Wanted(kind="operation"), limit=10)
    return [(entry.activity.repository, entry.activity.outcome) for entry in page.entries if isinstance(entry, Done)]


@pytest.mark.parametrize("cancellations", [1, 2])
async def test_a_rollback_that_nobody_waits_for_any_longer_ends_and_is_told(cancellations: int) -> None:
    """The command was interrupted: what happened all the same stands in the journal."""
    world = await installed(*VERSIONS)
    gate = world.catalogue.gate = threading.Event()
    world.catalogue.entered.clear()
    asking = asyncio.create_task(change(world, RollbackRequest(addon="monitoring")))
    await until(world.catalogue.entered.is_set)
    for _ in range(cancellations):
        asking.cancel()
        await asyncio.sleep(0)
    await asyncio.wait({asking})
    assert asking.cancelled()
    gate.set()
    await world.operations.settle()
    assert world.catalogue.releases[-1].tag == "v2.0.0"
    assert await noted(world) == [("addons/monitoring", "rolled back")]


async def test_what_cannot_be_interrupted_at_the_end_of_the_process_is_told_before_the_journal_closes() -> None:
    """However often it is asked to end; what still fetches is interrupted, and changes nothing."""
    world = await installed(*VERSIONS)
    gate = world.catalogue.gate = threading.Event()
    world.catalogue.entered.clear()
    asking = asyncio.create_task(change(world, RollbackRequest(addon="monitoring")))
    await until(world.catalogue.entered.is_set)
    closing = [asyncio.create_task(world.operations.close()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(one.done() for one in closing)
    gate.set()
    await asyncio.gather(*closing, asking, return_exceptions=True)
    assert await noted(world) == [("addons/monitoring", "rolled back")]


async def test_a_rollback_that_fetches_does_not_hold_the_end_of_the_process() -> None:
    """A damaged blob comes from a registry that does not answer."""
    world = await installed(*VERSIONS)
    fetching = asyncio.Event()

    async def stuck(repository: str, digest: object) -> None:
        fetching.set()
        await asyncio.Event().wait()

    world.blobs.contents.clear()
    world.registry.manifest = stuck  # type: ignore[method-assign,assignment] # it never answers
    asking = asyncio.create_task(change(world, RollbackRequest(addon="monitoring")))
    await fetching.wait()
    async with asyncio.timeout(5):
        await world.operations.close()
    await asyncio.wait({asking})
    assert asking.cancelled()
    assert (world.catalogue.releases[-1].tag, await noted(world)) == ("v3.0.0", [])


async def test_an_uninstallation_that_nobody_waits_for_any_longer_is_told() -> None:
    """It goes on in its thread, whoever is cancelled."""
    world = await installed(*VERSIONS)
    entered, gate, uninstall = threading.Event(), threading.Event(), world.catalogue.uninstall

    def slowly(leaf: str, *, hold: Hold) -> Installation:
        entered.set()
        assert gate.wait(30)
        return uninstall(leaf, hold=hold)

    world.catalogue.uninstall = slowly  # type: ignore[method-assign] # a disk that takes its time
    asking = asyncio.create_task(change(world, UninstallRequest(addon="monitoring")))
    await until(entered.is_set)
    asking.cancel()
    closing = asyncio.create_task(world.operations.close())
    await asyncio.sleep(0)
    gate.set()
    await closing
    assert await noted(world) == [("addons/monitoring", "uninstalled")]


@pytest.mark.parametrize("is_ending", [False, True])
async def test_a_discarding_that_nobody_waits_for_any_longer_is_told(is_ending: bool) -> None:
    """What is parked is gone once that is committed: the journal says who did it, also at the end of the process."""
    world = World()
    await world.ask("monitoring")
    lease = await world.queue.lease(now=NOW, seconds=60.0)
    assert lease is not None
    await world.queue.park(lease, digest=None, error="broken", now=NOW)
    committed, gate, discard = asyncio.Event(), asyncio.Event(), world.queue.discard

    async def slowly(repositories: Collection[str]) -> int:
        count = await discard(repositories)
        committed.set()
        await gate.wait()
        return count

    world.queue.discard = slowly  # type: ignore[method-assign] # the word of the writer comes late
    asking = asyncio.create_task(change(world, DiscardRequest()))
    await committed.wait()
    asking.cancel()
    await asyncio.wait({asking})
    ending = asyncio.create_task(world.operations.close() if is_ending else world.operations.settle())
    await asyncio.sleep(0)
    gate.set()
    await ending
    assert (asking.cancelled(), await world.queue.tasks()) == (True, [])
    assert await noted(world) == [("addons/monitoring", "discarded")]


@pytest.mark.parametrize("action", ["held", "released"])
async def test_a_hold_and_its_end_are_told_where_the_process_ends_meanwhile(action: str) -> None:
    """They go on in their thread; and what is released is looked at by whoever comes next."""
    world = await installed("v1.0.0")
    if action == "released":
        world.catalogue.hold("addons/monitoring", "monitoring", Hold(since=0.0, reason="audit"))
    entered, gate, keep = threading.Event(), threading.Event(), world.catalogue.hold

    def slowly(repository: str, leaf: str, hold: Hold | None) -> Hold | None:
        entered.set()
        assert gate.wait(30)
        return keep(repository, leaf, hold)

    world.catalogue.hold = slowly  # type: ignore[method-assign] # a disk that takes its time
    request = HoldRequest(addon="monitoring") if action == "held" else ReleaseRequest(addon="monitoring")
    asking = asyncio.create_task(change(world, request))
    await until(entered.is_set)
    closing = asyncio.create_task(world.operations.close())
    await asyncio.sleep(0)
    gate.set()
    await closing
    await asyncio.wait({asking})
    assert await noted(world) == [("addons/monitoring", action)]
    assert len(await world.queue.tasks()) == (1 if action == "released" else 0)
