"""From a tag to a release: resolved once, fetched once, published whole."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from receiver.addon import AddonRepository
from receiver.errors import NotInRegistry, SizeMismatch, Unavailable, UnsupportedContent
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.oci.manifest import MAX_INDEX_ENTRIES
from receiver.sync.plan import IMPLEMENTATION, NAME, VERSION
from receiver.sync.syncer import Desired, Installed, SyncPolicy
from tests.support.sync_fakes import PREFIX, FakeIngest, World


def repository(leaf: str = "monitoring") -> AddonRepository:
    return AddonRepository.parse(PREFIX + leaf, prefix=PREFIX)


async def installed(world: World, digest: Digest) -> Installed:
    """Install what the tag points at."""
    world.registry.tagged[PREFIX + "monitoring"] = {"v1.0.0": digest}
    desired = await world.syncer.look(repository())
    return await world.syncer.install(desired)


async def test_latest_counts_with_the_usual_policy_and_not_with_a_range() -> None:
    """Both policies of the contract."""
    for policy, tag in ((SyncPolicy(), "latest"), (SyncPolicy(tag_policy="semver", semver_range="<2.0.0"), "v1.9.0")):
        world = World(policy=policy)
        for number, name in enumerate(("latest", "v1.9.0", "v2.0.0", "sha256-" + "a" * 64 + ".sig")):
            world.registry.push("monitoring", str(number).encode(), tag=name)
        desired = await world.syncer.look(repository())
        assert (desired.choice.tag, desired.digest) == (tag, world.registry.tagged["addons/monitoring"][tag])


async def test_a_guessed_tag_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Where no tag is a version."""
    world = World()
    world.registry.push("monitoring", tag="nightly")
    await world.syncer.look(repository())
    assert "nightly" in caplog.text


async def test_no_repository_is_not_in_the_registry() -> None:
    """A push cures it."""
    with pytest.raises(NotInRegistry):
        await World().syncer.look(repository())


async def test_a_tag_that_moves_during_a_sync_changes_nothing() -> None:
    """The digest that is recorded is the digest that was installed."""
    world = World()
    first = world.registry.push("monitoring", b"one")
    desired = await world.syncer.look(repository())
    world.registry.push("monitoring", b"two")
    await world.syncer.install(desired)
    (release,) = world.catalogue.releases
    assert (release.digest, release.tag) == (first, "v1.0.0")
    assert release.units[0].layers[0].path == world.blobs.path(Digest.of(b"one"))


async def test_only_missing_layers_travel_and_images_never() -> None:
    """Progress and the report count just these bytes."""
    world = World()
    layers = [world.registry.layer(b"known"), world.registry.layer(b"new!", media.SCRIPTS)]
    await world.blobs.put(Digest.of(b"known"), b"known")
    digest = world.registry.manifest_of(
        {NAME: "monitoring", VERSION: "1"}, *layers, world.registry.layer(b"img", media.IMAGES_LINUX)
    )
    done = await installed(world, digest)
    assert (done.fetched, done.version) == (4, "1")
    assert Digest.of(b"img") not in world.blobs.contents
    assert world.progress.events == [
        ("started", "monitoring", 4),
        ("advanced", "monitoring", 2),
        ("advanced", "monitoring", 2),
        ("finished", "monitoring", 0),
    ]
    assert digest in world.blobs.contents


async def test_nothing_to_fetch_is_no_progress() -> None:
    """A second host with a shared cache, or a forced sync."""
    world = World()
    await world.blobs.put(Digest.of(b"one"), b"one")
    done = await installed(world, world.registry.push("monitoring"))
    assert done.fetched == 0
    assert world.progress.events == []


async def test_a_layer_that_fails_is_the_error_and_progress_takes_its_bytes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One error of our own, not a group; nothing is installed."""
    world = World()

    async def broken(self: FakeIngest, start: int, chunks: AsyncIterator[bytes]) -> Path:
        async for _ in chunks:
            raise SizeMismatch("too short")
        raise AssertionError

    monkeypatch.setattr(FakeIngest, "take", broken)
    with pytest.raises(SizeMismatch):
        await installed(world, world.registry.push("monitoring"))
    assert sum(count for kind, _, count in world.progress.events if kind == "advanced") == 0
    assert world.progress.events[-1] == ("finished", "monitoring", 0)
    assert world.catalogue.releases == []


async def test_several_layers_that_fail_are_one_error() -> None:
    """Whichever came first."""
    world = World()
    world.fail("blob", "monitoring", Unavailable("cut off"))
    layers = [world.registry.layer(bytes([number])) for number in range(5)]
    with pytest.raises(Unavailable, match="cut off"):
        await installed(world, world.registry.manifest_of({NAME: "monitoring"}, *layers))


async def test_an_index_of_several_delivers_all_of_them() -> None:
    """Annotations of the entries first; the digest is that of the index."""
    world = World()
    one = world.registry.manifest_of({}, world.registry.layer(b"n"))
    two = world.registry.manifest_of({NAME: "ingress", IMPLEMENTATION: "other"}, world.registry.layer(b"t"))
    index = world.registry.index_of(
        (one, {NAME: "ingress", IMPLEMENTATION: "nginx"}), (two, {IMPLEMENTATION: "traefik"})
    )
    await installed(world, index)
    (release,) = world.catalogue.releases
    assert [unit.unit.folder for unit in release.units] == ["ingress/nginx", "ingress/traefik"]
    assert release.digest == index
    assert {index, one, two} <= set(world.blobs.contents)


async def test_indexes_may_be_nested_once_and_no_deeper() -> None:
    """A chain of indexes is a way to make us busy."""
    world = World()
    inner = world.registry.index_of((world.registry.push("monitoring"), {}))
    outer = world.registry.index_of((inner, {}))
    await installed(world, outer)
    with pytest.raises(UnsupportedContent, match="nested"):
        await installed(world, world.registry.index_of((outer, {})))


async def test_an_addon_that_stands_twice_in_an_index_is_refused() -> None:
    """Nothing of it is installed."""
    world = World()
    digest = world.registry.push("monitoring")
    with pytest.raises(UnsupportedContent, match="twice"):
        await installed(world, world.registry.index_of((digest, {}), (digest, {})))
    assert world.catalogue.releases == []


async def test_nested_indexes_do_not_multiply_the_limit() -> None:
    """64 indexes of 64 manifests would be 4096 requests and 16 GiB of documents."""
    world = World()
    digest = world.registry.push("monitoring")
    inner = world.registry.index_of(*[(digest, {})] * MAX_INDEX_ENTRIES)
    outer = world.registry.index_of(*[(inner, {})] * MAX_INDEX_ENTRIES)
    with pytest.raises(UnsupportedContent, match="nested"):
        await installed(world, outer)
    assert len([verb for verb, _ in world.registry.asked if verb == "manifest"]) <= 2 * MAX_INDEX_ENTRIES + 3


async def test_warnings_of_the_plan_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Unknown layers are somebody's mistake, or a newer exporter."""
    world = World()
    digest = world.registry.manifest_of(
        {NAME: "monitoring"}, world.registry.layer(b"one"), world.registry.layer(b"?", "text/x-new")
    )
    await installed(world, digest)
    assert "text/x-new" in caplog.text


async def test_current_is_what_the_catalogue_says() -> None:
    """By the digest."""
    world = World()
    digest = world.registry.push("monitoring")
    desired: Desired = await world.syncer.look(repository())
    assert not await world.syncer.is_current(desired)
    world.catalogue.installed["monitoring"] = digest
    assert await world.syncer.is_current(desired)
