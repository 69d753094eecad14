"""From a release, or the wish to remove one, to a journal: unpack, judge, carry over what is local, plan the steps.

Nothing is visible yet: what is refused here has changed nothing.
"""

import os
import stat
import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from receiver.catalog.archive import Budget
from receiver.catalog.filesystem import identity
from receiver.catalog.gate import Gate
from receiver.catalog.layout import MANIFEST, Unit
from receiver.catalog.limits import ArchiveLimits
from receiver.catalog.local import OwnedFiles, link_local
from receiver.catalog.manifest import AddonManifest
from receiver.catalog.record import (
    AddonRecord,
    Hold,
    InstalledRelease,
    KeptBlob,
    KeptRelease,
    OwnedUnit,
)
from receiver.catalog.records import Records
from receiver.catalog.release import Release, ReleaseUnit
from receiver.catalog.shared import SharedManifests, filtered
from receiver.catalog.staging import StagedTree, unpack
from receiver.catalog.transaction import Journal, UnitStep
from receiver.errors import InstallError, InvalidManifest
from receiver.links import is_plain_folder


class Stager:
    """Prepares what changes the catalogue; keeps ``keep`` releases of a repository in its record."""

    def __init__(
        self,
        *,
        catalogue: Path,
        backups: Path,
        records: Records,
        manifests: SharedManifests,
        limits: ArchiveLimits,
        keep: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._catalogue = catalogue
        self._records = records
        self._limits = limits
        self._keep = keep
        self._clock = clock
        self._manifests = manifests
        self._gate = Gate(catalogue=catalogue, backups=backups, records=records, manifests=manifests)

    def stage(self, release: Release, folder: Path, *, hold: Hold | None, arrives: bool) -> Journal:
        """Stage every unit of ``release`` in ``folder`` and say what it takes to publish it.

        ``hold`` is that of the record afterwards. ``arrives``: it is the newest, and not one that is brought back.

        Raises:
            UnsafeArchive, InvalidManifest, InvalidNameError: the release must not be installed.
            InstallError, OSError: the file system refused. The catalogue is untouched in either case.
        """
        leaf = str(release.repository.leaf)  # the encoder of documents takes plain text only
        previous = self._records.read(leaf)
        self._gate.check(release, previous)
        budget = Budget(self._limits)
        staged = [self._stage_unit(unit, folder / f"unit-{n}", budget) for n, unit in enumerate(release.units)]
        now = self._clock()
        installed = InstalledRelease(
            tag=str(release.tag),
            version=release.version,
            digest=str(release.digest),
            installed=now,
            units=[
                OwnedUnit(addon=str(tree.unit.addon), implementation=str(tree.unit.implementation), files=tree.files)
                for tree in staged
            ],
            manifests={},
            backup=_backup_name(now, folder),
        )
        record = AddonRecord(
            repository=str(release.repository.name),
            leaf=leaf,
            installed=installed,
            kept=self._kept(release, previous, now, arrives=arrives),
            hold=hold,
        )
        return self._journal(record, previous, staged, folder, installed.backup)

    def stage_removal(self, previous: AddonRecord, folder: Path, *, hold: Hold) -> Journal:
        """Stage what is left without the files of ``previous``; its kept releases stay.

        Raises:
            InstallError, OSError: the file system refused; the catalogue is untouched.
        """
        installed = previous.installed
        owned = installed.units if installed is not None else []
        self._gate.check_places(previous.leaf, [Unit.parse(unit.addon, unit.implementation) for unit in owned])
        record = AddonRecord(
            repository=previous.repository,
            leaf=previous.leaf,
            kept=previous.kept,
            hold=hold,
            removed=installed.digest if installed is not None else None,
        )
        return self._journal(record, previous, [], folder, _backup_name(self._clock(), folder))

    def _journal(
        self,
        record: AddonRecord,
        previous: AddonRecord | None,
        staged: Sequence["_Staged"],
        folder: Path,
        backup: str,
    ) -> Journal:
        owned = {
            Unit.parse(unit.addon, unit.implementation): unit.files
            for unit in (previous.installed.units if previous is not None and previous.installed is not None else ())
        }
        steps = [self._unit_step(tree.root, tree.unit, owned.pop(tree.unit, {}), tree.files) for tree in staged]
        for unit, files in owned.items():
            root = folder / f"unit-{len(steps)}"
            root.mkdir()
            steps.append(self._unit_step(root, unit, files, {}))
        before, after, sums = self._manifests.steps([(tree.unit, tree.manifest) for tree in staged], list(owned))
        installed = record.installed
        if installed is not None:
            installed.manifests.update(sums)
        return Journal(
            leaf=record.leaf,
            digest=installed.digest if installed is not None else None,
            backup=backup,
            manifests_before=before,
            units=steps,
            manifests_after=after,
            record=record,
        )

    def _stage_unit(self, release: ReleaseUnit, root: Path, budget: Budget) -> "_Staged":
        with StagedTree(root, budget) as tree:
            manifest = _unpacked(release, tree)
            judged = self._manifests.judge(manifest, release.unit)
            if release.unit.single:
                tree.add_file(MANIFEST, manifest if len(judged.implementations) == 1 else filtered(judged))
            self._gate.check_lengths(release.unit, tree.files, tree.folders)
        files = {str(path): (file.size, file.sha256) for path, file in tree.files.items()}
        _verify(root, files, tree.folders)
        return _Staged(unit=release.unit, root=root, manifest=judged, files=files)

    def _unit_step(self, root: Path, unit: Unit, owned: OwnedFiles, delivered: OwnedFiles) -> UnitStep:
        live = self._catalogue / unit.folder
        if is_plain_folder(live):
            link_local(live, root, owned=owned, delivered=delivered)
        number = identity(root)
        assert number is not None
        return UnitStep(
            live=str(unit.folder),
            staged=root.name,
            old=f"old-{root.name}",
            number=number[1],
            owned=dict(owned),
            leaf=str(unit.leaf),
            empty=not delivered,
        )

    def _kept(self, release: Release, previous: AddonRecord | None, now: float, *, arrives: bool) -> list[KeptRelease]:
        """The newest arrivals, and the installed one among them wherever it stands.

        What is installed again over itself arrives anew no more than what is brought back.
        """
        former = previous.kept if previous is not None else []
        kept = list(former)
        digest = str(release.digest)
        installed = previous.installed if previous is not None else None
        arrives = arrives and (installed is None or installed.digest != digest)
        if arrives or not any(known.digest == digest for known in former):
            kept = [_keepable(release, now)] if release.artifact else []
            kept += [known for known in former if known.digest != digest]
        others = [known.digest for known in kept if known.digest != digest][: self._keep - 1]
        return [known for known in kept if known.digest == digest or known.digest in others]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Staged:
    unit: Unit
    root: Path
    manifest: AddonManifest
    files: dict[str, tuple[int, str]]


def _verify(root: Path, files: OwnedFiles, folders: Set[str]) -> None:
    """Look at what is on the disk now: every file with its size, every folder, nothing else (hazards F7).

    Contents were hashed on their way to the disk; they are not read again.

    Raises:
        InstallError: the staged tree is not what was unpacked.
    """
    found, waiting = 0, [("", str(root))]
    while waiting:
        prefix, folder = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                path, found = prefix + entry.name, found + 1
                if path in folders and is_plain_folder(entry):
                    waiting.append((f"{path}/", entry.path))
                elif path not in files or not _has_size(entry.stat(follow_symlinks=False), files[path][0]):
                    raise InstallError(f"{entry.path} is not what was unpacked: somebody else writes there")
    if found != len(files) + len(folders):
        raise InstallError(f"{root} is not whole: somebody else writes there, or the disk has lost something")


def _has_size(status: os.stat_result, size: int) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_size == size


def _keepable(release: Release, now: float) -> KeptRelease:
    return KeptRelease(
        tag=str(release.tag),
        version=release.version,
        digest=str(release.digest),
        arrived=now,
        artifact=[
            KeptBlob(media_type=blob.media_type, digest=str(blob.digest), size=blob.size) for blob in release.artifact
        ],
    )


def _backup_name(now: float, folder: Path) -> str:
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{folder.name[:8]}"


def _unpacked(release: ReleaseUnit, tree: StagedTree) -> bytes:
    manifest: bytes | None = None
    for layer in release.layers:
        captured = unpack(layer.path, size=layer.size, tree=tree, prefix=layer.rule.folder, capture=layer.rule.captured)
        if manifest is not None and captured.get(MANIFEST, manifest) != manifest:
            raise InvalidManifest(f"two different {MANIFEST} in the artifact of {release.unit}")
        manifest = captured.get(MANIFEST, manifest)
    if manifest is None:
        raise InvalidManifest(f"the artifact of {release.unit} has no {MANIFEST} in its config files layer")
    return manifest
