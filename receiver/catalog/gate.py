"""Which release may come to which place: judged before anything is unpacked, against what is installed already."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from receiver.addon import AddonRepository
from receiver.catalog.layout import DIGESTS, Unit
from receiver.catalog.names import shown
from receiver.catalog.record import AddonRecord, OwnedUnit
from receiver.catalog.records import Records
from receiver.catalog.release import Release
from receiver.catalog.shared import SharedManifests
from receiver.errors import InstallError, InvalidManifest, UnsafeArchive, WrongRepository
from receiver.links import is_link, is_plain_folder

_WINDOWS_ROOT = len("C:\\k\\addons\\")
_MAX_FILE, _MAX_FOLDER = 259, 247
"""Characters of a full path on Windows: MAX_PATH without its NUL; of a folder, which must leave room for 8.3 names
(https://learn.microsoft.com/windows/win32/fileio/maximum-file-path-limitation, hazards G22)."""


class Gate:
    """Refuses what would take another repository's addon, change a layout under people's feet, or follow a link."""

    def __init__(self, *, catalogue: Path, backups: Path, records: Records, manifests: SharedManifests) -> None:
        self._catalogue = catalogue
        self._backups = backups
        self._records = records
        self._manifests = manifests

    def check(self, release: Release, previous: AddonRecord | None) -> None:
        """Judge ``release`` by the names of its units.

        Raises:
            InvalidManifest: it delivers what its repository may not.
            InstallError: something in the catalogue is in its way.
        """
        leaf = release.repository.leaf
        units = [unit.unit for unit in release.units]
        owned = previous.installed.units if previous is not None and previous.installed is not None else []
        _check_nesting(units, release.repository)
        others = [record for record in self._records.all() if record.leaf != leaf]
        for unit in units:
            if leaf not in {unit.addon, unit.leaf} and len(units) == 1:
                raise WrongRepository(
                    f"{release.repository} delivers the addon {unit}: push it to a repository named {unit.leaf!r}"
                )
            for record in others:
                _check_against(record, unit, release.repository)
            self._check_in_place(unit, owned)
        _check_layout(owned, units, release.repository)
        self.check_places(leaf, [*units, *(Unit.parse(unit.addon, unit.implementation) for unit in owned)])

    def check_places(self, leaf: str, units: Iterable[Unit]) -> None:
        """Judge the folders and files that an installation of ``leaf`` writes to.

        Raises:
            InstallError: one is a link, or of another kind.
        """
        digest = self._catalogue / DIGESTS / leaf
        for folder in (digest.parent, self._backups):
            _check_folder(folder)
        if digest.is_dir() or is_link(digest):
            raise InstallError(f"{digest} is a folder or a link, and must be a file: remove it")
        for unit in units:
            live = self._catalogue / unit.folder
            for folder in (live, live.parent, self._backups / unit.leaf, self._backups / unit.addon):
                _check_folder(folder)

    def check_lengths(self, unit: Unit, files: Iterable[str], folders: Iterable[str]) -> None:
        """Judge how long the paths of ``unit`` get where K2s is installed, everywhere at least in the default folder.

        Raises:
            UnsafeArchive: Windows could not open one of them.
        """
        root = max(_WINDOWS_ROOT, len(str(self._catalogue)) + 1 if os.name == "nt" else 0)
        before = root + len(unit.folder) + 1
        for paths, limit in ((files, _MAX_FILE), (folders, _MAX_FOLDER)):
            longest = max(paths, key=_units, default="")
            if before + _units(longest) > limit:
                raise UnsafeArchive(
                    f"{shown(longest)}: the whole path has {before + _units(longest)} characters in the folder of "
                    f"{unit}, Windows takes {limit}"
                )

    def _check_in_place(self, unit: Unit, owned: Sequence[OwnedUnit]) -> None:
        """What somebody else put there has the same layout: its folders would lie within ours, or ours within it."""
        if any(mine.addon == unit.addon for mine in owned):
            return
        try:
            former, _ = self._manifests.read(unit.addon)
        except InstallError:
            if unit.single:
                return  # the release replaces the damaged manifest as a whole
            raise
        if former is None:
            return
        here = {name for name in self._manifests.present(unit.addon, former, without=()) if name != unit.addon}
        if here if unit.single else unit.addon in former.implementations:
            raise InstallError(
                f"{self._catalogue / unit.addon} holds {', '.join(sorted(here)) or unit.addon}, the release delivers "
                f"{unit}: one folder cannot be both, move it away first"
            )


def _check_folder(folder: Path) -> None:
    if os.path.lexists(folder) and not is_plain_folder(folder):
        raise InstallError(f"{folder} is a link or no folder: remove it, so that the addon can be installed there")


def _check_nesting(units: Sequence[Unit], repository: AddonRepository) -> None:
    for single in (unit for unit in units if unit.single):
        for other in units:
            if other.addon == single.addon and not other.single:
                raise InvalidManifest(
                    f"{repository} delivers {single} and {other}: the folder of one would lie in the other's"
                )


def _check_against(record: AddonRecord, unit: Unit, repository: AddonRepository) -> None:
    for owned in record.installed.units if record.installed is not None else ():
        if (owned.addon, owned.implementation) == (unit.addon, unit.implementation):
            raise InvalidManifest(f"{repository} delivers the addon {unit}, which {record.repository} has installed")
        if owned.addon == unit.addon and unit.addon in {unit.implementation, owned.implementation}:
            raise InvalidManifest(
                f"{repository} delivers the addon {unit}, but {record.repository} has installed "
                f"{owned.addon} {owned.implementation}: one folder cannot be both"
            )


def _check_layout(owned: Sequence[OwnedUnit], units: Sequence[Unit], repository: AddonRepository) -> None:
    """An addon does not change between one folder and a folder for each implementation under people's feet."""
    for former in owned:
        for unit in units:
            if former.addon == unit.addon and (former.addon == former.implementation) != unit.single:
                raise InvalidManifest(
                    f"{repository} delivers {unit}, but {former.addon} {former.implementation} is installed from it: "
                    "uninstall that first, its folder would lie within the other's"
                )


def _units(text: str) -> int:
    """UTF-16 units, as Windows counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
