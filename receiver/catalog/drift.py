"""What is no longer as it was installed: files that are gone or changed, modes that nobody expects."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from receiver.catalog.layout import MANIFEST, Unit
from receiver.catalog.manifest import AddonManifest
from receiver.catalog.record import AddonRecord, OwnedUnit
from receiver.catalog.release import Drift, Problem
from receiver.catalog.shared import SharedManifests
from receiver.catalog.staging import FILE_MODE, FOLDER_MODE
from receiver.errors import InvalidManifest
from receiver.links import is_link, is_plain_folder


def drift_of(record: AddonRecord, catalogue: Path, manifests: SharedManifests) -> list[Drift]:
    """Compare every owned file, its folders, and the shared manifests with the record.

    Raises:
        OSError: something cannot be read.
    """
    found: list[Drift] = []
    for owned in record.installed.units if record.installed is not None else ():
        unit = Unit.parse(owned.addon, owned.implementation)
        found += _of_unit(owned, unit, catalogue)
        if not unit.single:
            found += _of_manifest(unit, catalogue, manifests)
    return list(dict.fromkeys(found))


def _of_unit(owned: OwnedUnit, unit: Unit, catalogue: Path) -> Iterator[Drift]:
    root = catalogue / unit.folder
    if not is_plain_folder(root):
        yield Drift(path=unit.folder, problem="changed" if os.path.lexists(root) else "missing")
        return
    folders = {""} | {parent for path in owned.files for parent in _parents(path)}
    for folder in sorted(folders):
        path = root / folder
        # What is missing shows in its files.
        if is_plain_folder(path) and not _has_mode(path.lstat(), FOLDER_MODE):
            yield Drift(path=f"{unit.folder}/{folder}".rstrip("/"), problem="mode")
    for name, (size, sha256) in sorted(owned.files.items()):
        problem = _of_file(root / name, size, sha256)
        if problem is not None:
            yield Drift(path=f"{unit.folder}/{name}", problem=problem)


def _of_file(path: Path, size: int, sha256: str) -> Problem | None:
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    if is_link(path) or not stat.S_ISREG(status.st_mode) or status.st_size != size:
        return "changed"
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            return "changed"
    return None if _has_mode(status, FILE_MODE) else "mode"


def _of_manifest(unit: Unit, catalogue: Path, manifests: SharedManifests) -> Iterator[Drift]:
    """The shared manifest: as one of our installations wrote it, and listing this implementation."""
    path = catalogue / unit.addon / MANIFEST
    name = f"{unit.addon}/{MANIFEST}"
    if is_link(path) or path.is_dir():
        yield Drift(path=name, problem="changed")
        return
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        yield Drift(path=name, problem="missing")
        return
    if not manifests.is_ours(unit.addon, content) or not _lists(content, unit):
        yield Drift(path=name, problem="changed")


def _lists(content: bytes, unit: Unit) -> bool:
    try:
        return unit.implementation in AddonManifest.parse(content, where=unit.addon).implementations
    except InvalidManifest:
        return False


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _has_mode(status: os.stat_result, mode: int) -> bool:
    """Windows has no such modes."""
    return os.name == "nt" or stat.S_IMODE(status.st_mode) == mode
