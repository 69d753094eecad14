"""Blobs of kept releases stay, all others go; other tools find the releases in the folder."""

from receiver.catalog.record import AddonRecord
from receiver.errors import InstallError
from receiver.oci.digest import Digest
from receiver.sync.retention import Retention
from tests.support.sync_fakes import World


async def _with_one_release(world: World) -> set[Digest]:
    world.registry.push("monitoring")
    async with world.working():
        await world.ask("monitoring")
        await world.settled()
    return set(world.blobs.contents)


async def test_what_no_kept_release_needs_goes() -> None:
    """And what one needs stays: its manifest and its layers."""
    world = World()
    needed = await _with_one_release(world)
    await world.blobs.put(Digest.of(b"unused"), b"unused")
    retention = Retention(blobs=world.blobs, catalogue=world.catalogue)
    retention.mark()
    await retention.settle()
    assert set(world.blobs.contents) == needed
    assert len(needed) == 2


async def test_the_index_names_each_kept_release() -> None:
    """``skopeo`` and the like find it by repository and tag."""
    world = World()
    await _with_one_release(world)
    retention = Retention(blobs=world.blobs, catalogue=world.catalogue)
    retention.mark()
    await retention.settle()
    (entry,) = world.blobs.index
    assert entry.digest == world.catalogue.installed["monitoring"]
    assert entry.annotations == {"org.opencontainers.image.ref.name": "addons/monitoring:v1.0.0"}


async def test_nothing_is_touched_where_nothing_changed() -> None:
    """A command that installed nothing pays for nothing."""
    world = World()
    await world.blobs.put(Digest.of(b"unused"), b"unused")
    await Retention(blobs=world.blobs, catalogue=world.catalogue).settle()
    assert len(world.blobs.contents) == 1


async def test_a_damaged_record_keeps_every_blob() -> None:
    """What it needs cannot be told, so nothing goes."""
    world = World()
    await world.blobs.put(Digest.of(b"unused"), b"unused")

    def damaged() -> list[AddonRecord]:
        raise InstallError("damaged")

    world.catalogue.records = damaged  # type: ignore[method-assign,assignment] # fails
    retention = Retention(blobs=world.blobs, catalogue=world.catalogue)
    retention.mark()
    await retention.settle()
    assert len(world.blobs.contents) == 1
