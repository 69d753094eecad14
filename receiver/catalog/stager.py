"""From a release to a journal: unpack, judge, carry over what is local, plan the steps. Nothing is visible yet."""

import hashlib
import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from receiver.addon import AddonName, AddonRepository
from receiver.catalog.archive import ArchiveLimits, Budget
from receiver.catalog.filesystem import identity, is_plain_folder
from receiver.catalog.layout import DIGESTS, MANIFEST, Unit
from receiver.catalog.local import link_local
from receiver.catalog.manifest import AddonManifest, merge
from receiver.catalog.records import InstalledRelease, OwnedUnit, Records
from receiver.catalog.release import Release, ReleaseUnit
from receiver.catalog.staging import StagedTree, unpack
from receiver.catalog.transaction import Journal, ManifestStep, UnitStep
from receiver.errors import InstallError, InvalidManifest


class Stager:
    """Prepares releases for the catalogue at ``catalogue``; knows from ``records`` which files are ours."""

    def __init__(self, *, catalogue: Path, records: Records, limits: ArchiveLimits) -> None:
        self._catalogue = catalogue
        self._records = records
        self._limits = limits

    def stage(self, release: Release, folder: Path) -> Journal:
        """Stage every unit of ``release`` in ``folder`` and say what it takes to publish it.

        Raises:
            UnsafeArchive, InvalidManifest, InvalidNameError: the release must not be installed.
            InstallError, OSError: the file system refused. The catalogue is untouched in either case.
        """
        budget = Budget(self._limits)
        previous = self._records.read(release.repository.leaf)
        self._check_ownership(release, previous)
        leaf = str(release.repository.leaf)  # the encoder of documents takes plain text only
        self._check_digest_file(leaf)
        staged = [self._stage_unit(unit, folder / f"unit-{n}", budget) for n, unit in enumerate(release.units)]
        owned = {(unit.addon, unit.implementation): unit.files for unit in previous.units} if previous else {}
        steps = [
            self._unit_step(
                tree.root, tree.unit, owned.pop((tree.unit.addon, tree.unit.implementation), {}), tree.files
            )
            for tree in staged
        ]
        gone = [(Unit.parse(*names), files) for names, files in owned.items()]
        for unit, files in gone:
            root = folder / f"unit-{len(steps)}"
            root.mkdir()
            steps.append(self._unit_step(root, unit, files, {}))
        before, after, manifests = self._manifest_steps(staged, [unit for unit, _ in gone])
        record = InstalledRelease(
            repository=str(release.repository.name),
            leaf=leaf,
            tag=str(release.tag),
            version=release.version,
            digest=str(release.digest),
            installed=time.time(),
            units=[
                OwnedUnit(addon=str(tree.unit.addon), implementation=str(tree.unit.implementation), files=tree.files)
                for tree in staged
            ],
            manifests=manifests,
        )
        return Journal(
            leaf=leaf,
            digest=str(release.digest),
            backup=f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{folder.name[:8]}",
            manifests_before=before,
            units=steps,
            manifests_after=after,
            record=record,
        )

    def _stage_unit(self, release: ReleaseUnit, root: Path, budget: Budget) -> "_Staged":
        with StagedTree(root, budget) as tree:
            manifest = _unpacked(release, tree)
            judged = _judged(manifest, release.unit)
            if release.unit.single:
                tree.add_file(MANIFEST, manifest if len(judged.implementations) == 1 else _filtered(judged))
        files = {str(path): (file.size, file.sha256) for path, file in tree.files.items()}
        return _Staged(unit=release.unit, root=root, manifest=judged, files=files)

    def _unit_step(
        self, root: Path, unit: Unit, owned: dict[str, tuple[int, str]], delivered: dict[str, tuple[int, str]]
    ) -> UnitStep:
        live = self._catalogue / unit.folder
        for folder in (live, live.parent):
            _check_folder(folder)
        if is_plain_folder(live):
            link_local(live, root, owned=owned, delivered=delivered)
        number = identity(root)
        assert number is not None
        return UnitStep(
            live=str(unit.folder),
            staged=root.name,
            old=f"old-{root.name}",
            number=number[1],
            owned=owned,
            leaf=str(unit.leaf),
            empty=not delivered,
        )

    def _manifest_steps(
        self, staged: Sequence["_Staged"], gone: Sequence[Unit]
    ) -> tuple[list[ManifestStep], list[ManifestStep], dict[str, str]]:
        """The shared manifests to write before and after the folders are exchanged, and their SHA-256 by addon."""
        before, after = [], []
        sums: dict[str, str] = {}
        for addon in sorted({unit.addon for unit in gone if not unit.single}):
            former, text = self._shared(addon)
            if former is not None:
                left = merge(former, None, deliver=None, keep=self._present(addon, former, without=gone))
                before.append(self._manifest_step(addon, left, text))
                if left is not None:
                    sums[str(addon)] = _sha256(left.text)
        for addon in sorted({tree.unit.addon for tree in staged if not tree.unit.single}):
            former, text = self._shared(addon)
            merged = self._merged(addon, former, [tree for tree in staged if tree.unit.addon == addon], gone)
            sums[str(addon)] = _sha256(merged.text)
            after.append(self._manifest_step(addon, merged, text))
        return before, after, sums

    def _manifest_step(self, addon: AddonName, manifest: AddonManifest | None, former: str | None) -> ManifestStep:
        edited = former is not None and all(
            record.manifests.get(addon) != _sha256(former) for record in self._records.all()
        )
        content = manifest.text if manifest is not None else None
        return ManifestStep(live=f"{addon}/{MANIFEST}", content=content, former=former, edited=edited)

    def _merged(
        self, addon: AddonName, former: AddonManifest | None, staged: Sequence["_Staged"], gone: Sequence[Unit]
    ) -> AddonManifest:
        merged = former
        keep = self._present(addon, former, without=gone) if former else set()
        for tree in staged:
            merged = merge(merged, tree.manifest, deliver=tree.unit.implementation, keep=keep)
            keep.add(tree.unit.implementation)
        assert merged is not None  # at least the delivered implementation is listed
        return merged

    def _shared(self, addon: AddonName) -> tuple[AddonManifest | None, str | None]:
        """The manifest in the catalogue, and its text with all that parsing leaves out."""
        path = self._catalogue / addon / MANIFEST
        try:
            content = path.read_bytes()
            return AddonManifest.parse(content, where=str(path)), content.decode()
        except FileNotFoundError:
            return None, None
        except InvalidManifest as error:
            # Not the release is wrong: no new push cures it, a person does.
            raise InstallError(f"{error}; the catalogue cannot be read with it: repair it or move it away") from error

    def _present(self, addon: AddonName, manifest: AddonManifest, *, without: Collection[Unit]) -> set[str]:
        """The implementations whose folders are there, whoever delivered them."""
        gone = {unit.implementation for unit in without if unit.addon == addon}
        return {
            name
            for name in manifest.implementations
            if name not in gone and is_plain_folder(self._catalogue / addon / name)
        }

    def _check_ownership(self, release: Release, previous: InstalledRelease | None) -> None:
        """A repository delivers the addon that it is named for, or what nobody else delivers."""
        leaf = release.repository.leaf
        _check_nesting(release)
        others = [record for record in self._records.all() if record.leaf != leaf]
        for unit in (unit.unit for unit in release.units):
            named_for = leaf in {unit.addon, unit.leaf}
            if not named_for and len(release.units) == 1:
                raise InvalidManifest(
                    f"{release.repository} delivers the addon {unit}: push it to a repository named {unit.leaf!r}"
                )
            for record in others:
                self._check_against(record, unit, release.repository)
            self._check_in_place(unit, previous)
        if previous is not None:
            _check_layout(previous, [unit.unit for unit in release.units], release.repository)

    def _check_in_place(self, unit: Unit, previous: InstalledRelease | None) -> None:
        """What somebody else put there has the same layout: its folders would lie within ours, or ours within it."""
        if previous is not None and any(owned.addon == unit.addon for owned in previous.units):
            return
        try:
            former, _ = self._shared(unit.addon)
        except InstallError:
            if unit.single:
                return  # the release replaces the damaged manifest as a whole
            raise
        if former is None:
            return
        here = {name for name in self._present(unit.addon, former, without=()) if name != unit.addon}
        if here if unit.single else unit.addon in former.implementations:
            raise InstallError(
                f"{self._catalogue / unit.addon} holds {', '.join(sorted(here)) or unit.addon}, the release delivers "
                f"{unit}: one folder cannot be both, move it away first"
            )

    def _check_digest_file(self, leaf: str) -> None:
        path = self._catalogue / DIGESTS / leaf
        _check_folder(path.parent)
        if path.is_dir():
            raise InstallError(f"{path} is a folder, and must be a file: remove it")

    def _check_against(self, record: InstalledRelease, unit: Unit, repository: AddonRepository) -> None:
        for owned in record.units:
            if (owned.addon, owned.implementation) == (unit.addon, unit.implementation):
                raise InvalidManifest(
                    f"{repository} delivers the addon {unit}, which {record.repository} has installed"
                )
            if owned.addon == unit.addon and unit.addon in {unit.implementation, owned.implementation}:
                raise InvalidManifest(
                    f"{repository} delivers the addon {unit}, but {record.repository} has installed "
                    f"{owned.addon} {owned.implementation}: one folder cannot be both"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Staged:
    unit: Unit
    root: Path
    manifest: AddonManifest
    files: dict[str, tuple[int, str]]


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


def _judged(content: bytes, unit: Unit) -> AddonManifest:
    manifest = AddonManifest.parse(content, where=f"the {MANIFEST} of {unit}")
    if manifest.addon != unit.addon:
        raise InvalidManifest(f"the {MANIFEST} names the addon {manifest.addon!r}, the artifact {unit.addon!r}")
    if unit.implementation not in manifest.implementations:
        raise InvalidManifest(
            f"the {MANIFEST} of {unit.addon} does not list the implementation {unit.implementation!r}"
        )
    return manifest


def _filtered(manifest: AddonManifest) -> bytes:
    """Without the implementations that the artifact lists and does not deliver."""
    merged = merge(None, manifest, deliver=manifest.addon, keep=())
    assert merged is not None
    return merged.text.encode()


def _check_folder(folder: Path) -> None:
    if os.path.lexists(folder) and not is_plain_folder(folder):
        raise InstallError(f"{folder} is a link or no folder: remove it, so that the addon can be installed there")


def _check_nesting(release: Release) -> None:
    units = [unit.unit for unit in release.units]
    for single in (unit for unit in units if unit.single):
        for other in units:
            if other.addon == single.addon and not other.single:
                raise InvalidManifest(
                    f"{release.repository} delivers {single} and {other}: the folder of one would lie in the other's"
                )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _check_layout(previous: InstalledRelease, units: Sequence[Unit], repository: AddonRepository) -> None:
    """An addon does not change between one folder and a folder for each implementation under people's feet."""
    for owned in previous.units:
        for unit in units:
            if owned.addon == unit.addon and (owned.addon == owned.implementation) != unit.single:
                raise InvalidManifest(
                    f"{repository} delivers {unit}, but {owned.addon} {owned.implementation} is installed from it: "
                    "uninstall that first, its folder would lie within the other's"
                )
