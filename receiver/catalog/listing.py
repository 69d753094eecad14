"""What is in the catalogue, as its reader finds it: every ``addon.manifest.yaml``, whoever delivered it."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from receiver.catalog.layout import MANIFEST, Unit
from receiver.catalog.manifest import AddonManifest
from receiver.catalog.records import InstalledRelease, Records
from receiver.errors import InvalidManifest, InvalidNameError

_MAX_DEPTH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One implementation of an addon; the fields from ``repository`` on where it was installed from a registry."""

    addon: str
    implementation: str | None = None
    description: str = ""
    folder: str = ""
    """Below ``addons/``."""
    problem: str | None = None
    """Why the catalogue's reader cannot read its manifest."""
    repository: str | None = None
    tag: str | None = None
    version: str | None = None
    digest: str | None = None
    installed: float | None = None
    """Seconds since the epoch."""


def listing(catalogue: Path, records: Records) -> list[Entry]:
    """Every implementation in the catalogue, by addon.

    Raises:
        InstallError: a record is damaged.
    """
    owners = {(unit.addon, unit.implementation): record for record in records.all() for unit in record.units}
    return [entry for manifest in _manifests(catalogue) for entry in _entries(manifest, catalogue, owners)]


def _manifests(catalogue: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(catalogue):
        depth = len(Path(folder).relative_to(catalogue).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < _MAX_DEPTH else []
        if MANIFEST in files:
            yield Path(folder, MANIFEST)


def _entries(path: Path, catalogue: Path, owners: Mapping[tuple[str, str], InstalledRelease]) -> Iterator[Entry]:
    folder = path.parent.relative_to(catalogue).as_posix()
    try:
        manifest = AddonManifest.parse(path.read_bytes(), where=str(path))
    except (InvalidManifest, OSError) as error:
        yield Entry(addon=folder, folder=folder, problem=str(error))
        return
    for implementation in manifest.implementations:
        entry = Entry(
            addon=manifest.addon,
            implementation=implementation,
            description=str(manifest.document["metadata"].get("description", "")),
            folder=_folder(manifest.addon, implementation),
        )
        record = owners.get((manifest.addon, implementation))
        yield (
            entry
            if record is None
            else replace(
                entry,
                repository=record.repository,
                tag=record.tag,
                version=record.version,
                digest=record.digest,
                installed=record.installed,
            )
        )


def _folder(addon: str, implementation: str) -> str:
    try:
        return Unit.parse(addon, implementation).folder
    except InvalidNameError:
        return addon
