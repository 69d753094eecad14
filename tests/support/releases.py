"""Releases for the catalogue's tests: addons packed by the project's own packaging, planned as a sync plans them."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from receiver.addon import AddonRepository
from receiver.catalog import filesystem
from receiver.catalog.filesystem import Exchange
from receiver.catalog.limits import ArchiveLimits
from receiver.catalog.release import Layer, Release, ReleaseUnit
from receiver.catalog.store import CatalogStore
from receiver.oci.descriptor import Descriptor
from receiver.oci.manifest import Manifest, parse_manifest
from receiver.packaging.artifact import Artifact, index
from receiver.sync.plan import plan
from tests.support.addons import artifact, files

Tree = Mapping[str, bytes]
EXCHANGES = {"atomic": filesystem.exchange, "two-renames": filesystem.exchange_by_two_renames}


def release(packed: Artifact | Sequence[Artifact], leaf: str, *, tag: str = "v1.0.0") -> Release:
    """What a sync would ask of the catalogue after it has fetched ``packed`` (several: an index)."""
    whole = packed if isinstance(packed, Artifact) else index(packed, tag=tag)
    members = whole.children or (whole,)
    manifests: list[tuple[Mapping[str, str], Manifest]] = []
    for member in members:
        manifest = parse_manifest(member.manifest, member.media_type)
        assert isinstance(manifest, Manifest)
        manifests.append(({}, manifest))
    paths = {digest: path for member in members for digest, path in member.blobs.items() if isinstance(path, Path)}
    planned = plan(manifests, max_layer_size=2**28)
    documents = [
        Descriptor(media_type=document.media_type, digest=document.digest, size=len(document.manifest))
        for document in (whole, *whole.children)
    ]
    return Release(
        repository=AddonRepository.parse(f"addons/{leaf}", prefix="addons/"),
        tag=tag,
        version=tag,
        digest=whole.digest,
        units=tuple(
            ReleaseUnit(
                unit=unit.unit,
                layers=tuple(
                    Layer(rule=layer.rule, path=paths[layer.descriptor.digest], size=layer.descriptor.size)
                    for layer in unit.layers
                ),
            )
            for unit in planned.units
        ),
        artifact=tuple({blob.digest: blob for blob in (*documents, *planned.blobs())}.values()),
    )


def single(
    scratch: Path, addon: str = "monitoring", *, version: str = "v1.0.0", tree: Tree | None = None,
    manifest: bytes | None = None,
) -> Release:  # fmt: skip
    """An addon with one implementation."""
    packed = artifact(scratch, addon=addon, version=version, tree=tree or files(version), manifest=manifest)
    return release(packed, addon, tag=version)


def one_of_several(
    scratch: Path, addon: str, implementation: str, *, version: str = "v1.0.0", tree: Tree | None = None,
    manifest: bytes | None = None, leaf: str | None = None,
) -> Release:  # fmt: skip
    """An implementation that is delivered by a repository of its own."""
    packed = artifact(
        scratch,
        addon=addon,
        implementation=implementation,
        version=version,
        tree=tree or files(version),
        manifest=manifest,
    )
    return release(packed, leaf or f"{addon}-{implementation}", tag=version)


def catalog_store(
    root: Path,
    *,
    exchange: Exchange = filesystem.exchange,
    prepare: bool = True,
    clock: Callable[[], float] = time.time,
) -> CatalogStore:
    """A store whose installation folder is ``root``."""
    root.mkdir(exist_ok=True)
    store = CatalogStore(
        catalogue=root / "addons", state=root / ".addon-sync", limits=ArchiveLimits(), exchange=exchange, clock=clock
    )
    if prepare:
        store.prepare()
    return store


def snapshot(root: Path) -> dict[str, bytes | None]:
    """Everything below ``root``: a file's content, a link's target with an arrow, None for a folder."""
    found: dict[str, bytes | None] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = b"-> " + os.fsencode(path.readlink())
        else:
            found[name] = None if path.is_dir() else path.read_bytes()
    return found


def leftovers(root: Path) -> list[str]:
    """What an installation has left in the state folder beside records and backups."""
    state = root / ".addon-sync"
    strange = [path for path in (state / "installed").iterdir() if path.suffix != ".json"]
    return [str(path.relative_to(state)) for path in (*(state / "transactions").iterdir(), *strange)]
