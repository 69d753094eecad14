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
    try:
        if is_link(path):
            yield Entry(addon=folder, folder=folder, problem=f"{path} is a link: remove it")
            return
        manifest = AddonManifest.parse(path.read_bytes(), where=str(path))
    except InvalidManifest as error:
        yield from _unreadable(folder, str(error), owners)
        return
    except OSError as error:
        remedy = "; run this as an account that may" if isinstance(error, PermissionError) else ""
        yield from _unreadable(folder, f"{path} cannot be read: {error.strerror}{remedy}", owners)
        return
    for implementation in manifest.implementations:
        entry = Entry(
            addon=manifest.addon,
            implementation=implementation,
            description=str(manifest.document["metadata"].get("description", "")),
            folder=_folder(manifest.addon, implementation),
        )
        yield _owned(entry, owners.get((manifest.addon, implementation)))


def _unreadable(folder: str, problem: str, owners: Mapping[tuple[str, str], AddonRecord]) -> Iterator[Entry]:
    """What was delivered there, by its record; else the folder, since only the manifest has the names."""
    nameless = Entry(addon=folder, folder=folder, problem=problem)
    delivered = [implementation for addon, implementation in owners if addon == folder]
    for implementation in delivered:
        entry = replace(nameless, implementation=implementation, folder=_folder(folder, implementation))
        yield _owned(entry, owners[folder, implementation])
    if not delivered:
        yield nameless


def _owned(entry: Entry, record: AddonRecord | None) -> Entry:
    return entry if record is None or record.installed is None else _from(record, record.installed, entry)


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
