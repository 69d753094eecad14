"""What is in the catalogue, as its reader finds it: every ``addon.manifest.yaml``, whoever delivered it."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from receiver.catalog.layout import MANIFEST, Unit
from receiver.catalog.manifest import AddonManifest
from receiver.catalog.record import AddonRecord, InstalledRelease
from receiver.catalog.records import Records
from receiver.document import Moment
from receiver.errors import InvalidManifest, InvalidNameError
from receiver.links import is_link

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
    installed: Moment | None = None
    held: str | None = None
    """Why a person holds it where it is."""


def listing(catalogue: Path, records: Records) -> list[Entry]:
    """Every implementation in the catalogue, by addon.

    Raises:
        InstallError: a record is damaged.
    """
    owners = {
        (unit.addon, unit.implementation): record
        for record in records.all()
        if record.installed is not None
        for unit in record.installed.units
    }
    return [entry for manifest in _manifests(catalogue) for entry in _entries(manifest, catalogue, owners)]


def _manifests(catalogue: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(catalogue):
        depth = len(Path(folder).relative_to(catalogue).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < _MAX_DEPTH else []
        if MANIFEST in files:
            yield Path(folder, MANIFEST)


def _entries(path: Path, catalogue: Path, owners: Mapping[tuple[str, str], AddonRecord]) -> Iterator[Entry]:
    folder = path.parent.relative_to(catalogue).as_posix()
    if is_link(path):
        yield Entry(addon=folder, folder=folder, problem=f"{path} is a link: remove it")
        return
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
        yield entry if record is None or record.installed is None else _from(record, record.installed, entry)


def _from(record: AddonRecord, installed: InstalledRelease, entry: Entry) -> Entry:
    return replace(
        entry,
        repository=record.repository,
        tag=installed.tag,
        version=installed.version,
        digest=installed.digest,
        installed=installed.installed,
        held=record.hold.reason if record.hold is not None else None,
    )


def _folder(addon: str, implementation: str) -> str:
    try:
        return Unit.parse(addon, implementation).folder
    except InvalidNameError:
        return addon
