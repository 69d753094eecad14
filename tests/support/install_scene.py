"""Changes of one addon repository with everything in them: several units, one new, one dropped, edits, local files."""

import functools
import itertools
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from receiver.catalog.filesystem import Exchange
from receiver.catalog.manifest import AddonManifest
from receiver.catalog.record import Hold
from receiver.catalog.release import Release
from receiver.catalog.store import CatalogStore
from receiver.catalog.transaction import Transaction
from receiver.errors import CatalogError
from tests.support.addons import artifact, manifest_yaml
from tests.support.disk_faults import undisturbed, watched
from tests.support.disk_images import Image, copy_disk, image
from tests.support.releases import EXCHANGES, catalog_store, leftovers, release

LEAF = "bundle"
Operation = Literal["install", "update", "rollback", "uninstall", "hold", "release"]
_UNITS = ("monitoring", "ingress/nginx", "ingress/traefik", "ingress/haproxy")
_MANIFEST = "addons/ingress/addon.manifest.yaml"
_HOLD = Hold(since=1.0, reason="for tests")
_REPOSITORY = f"addons/{LEAF}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What an operation does, at which time, to which disk; then the release, those that are kept, and the hold."""

    disk: str
    now: float
    work: Callable[["Scene", CatalogStore], object]
    installed: str | None
    kept: tuple[str, ...]
    hold: Hold | None


CHANGES: dict[Operation, _Change] = {
    "install": _Change(
        disk="foreign", now=1e9, work=lambda scene, store: store.install(scene.old),
        installed="v1.0.0", kept=("v1.0.0",), hold=None,
    ),
    "update": _Change(
        disk="installed", now=2e9, work=lambda scene, store: store.install(scene.new),
        installed="v2.0.0", kept=("v2.0.0", "v1.0.0"), hold=None,
    ),
    "rollback": _Change(
        disk="updated", now=3e9, work=lambda scene, store: store.install(scene.old, restore=True, hold=_HOLD),
        installed="v1.0.0", kept=("v2.0.0", "v1.0.0"), hold=_HOLD,
    ),
    "uninstall": _Change(
        disk="updated", now=3e9, work=lambda scene, store: store.uninstall(LEAF, hold=_HOLD),
        installed=None, kept=("v2.0.0", "v1.0.0"), hold=_HOLD,
    ),
    "hold": _Change(
        disk="updated", now=3e9, work=lambda scene, store: store.hold(_REPOSITORY, LEAF, _HOLD),
        installed="v2.0.0", kept=("v2.0.0", "v1.0.0"), hold=_HOLD,
    ),
    "release": _Change(
        disk="held", now=4e9, work=lambda scene, store: store.hold(_REPOSITORY, LEAF, None),
        installed="v2.0.0", kept=("v2.0.0", "v1.0.0"), hold=None,
    ),
}  # fmt: skip


class Scene:
    """An index of three units that becomes another one, back again, and nothing."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self.old: Release = self._index("v1.0.0", ("nginx", "traefik"))
        self.new: Release = self._index("v2.0.0", ("nginx", "haproxy"))
        self._disks = {name: scratch / name for name in ("foreign", "installed", "updated", "held")}
        self._expected: dict[Operation, tuple[Image, Image]] = {}
        self._make_foreign(self._disks["foreign"])
        for before, operation, after in (
            ("foreign", "install", "installed"), ("installed", "update", "updated"), ("updated", "hold", "held"),
        ):  # fmt: skip
            root = copy_disk(self._disks[before], self._disks[after])
            self.carry_out(root, EXCHANGES["atomic"], operation)  # type: ignore[arg-type] # of the tuple above
            self._edit(root, operation)

    def expected(self, operation: Operation) -> tuple[Image, Image]:
        """The disk before and after, when nothing disturbs; record, digest file and files agree after it."""
        if operation not in self._expected:
            root = self.copy(self._scratch / f"undisturbed-{operation}", operation)
            before = image(root)
            with watched(undisturbed):
                self.carry_out(root, EXCHANGES["atomic"], operation)
            after = image(root)
            assert after != before
            self._check_record(root, CHANGES[operation])
            if operation in {"install", "update", "rollback"}:
                assert catalog_store(root, prepare=False).verify(LEAF) == []
            self._expected[operation] = before, after
        return self._expected[operation]

    def copy(self, root: Path, operation: Operation) -> Path:
        """A fresh disk as it was before."""
        return copy_disk(self._disks[CHANGES[operation].disk], root)

    def store(self, root: Path, exchange: Exchange, operation: Operation) -> CatalogStore:
        """That of a process which has just started, and works at the time of ``operation``."""
        return catalog_store(root, exchange=exchange, prepare=False, clock=lambda: CHANGES[operation].now)

    def carry_out(
        self,
        root: Path,
        exchange: Exchange,
        operation: Operation,
        *,
        store: CatalogStore | None = None,
        attempt: int = 1,
    ) -> None:
        """Do it at ``root``; ``attempt`` counts those of one ``store``."""
        with _numbered_transactions(attempt):
            CHANGES[operation].work(self, store or self.store(root, exchange, operation))

    def recover(self, root: Path, exchange: Exchange) -> None:
        """Start anew at ``root``.

        Raises:
            AssertionError: it cannot.
        """
        try:
            catalog_store(root, exchange=exchange)
        except CatalogError as error:
            raise AssertionError(f"it does not start: {error}") from error

    def end(self, root: Path, operation: Operation) -> str:
        """``old`` or ``new``: catalogue, record, digest file and backups are all of one of them, and nothing is left.

        Raises:
            AssertionError: it is something between.
        """
        before, after = self.expected(operation)
        found = image(root)
        if found == before:
            return "old"
        strange = [{name: found.get(name) for name in _different(found, side)} for side in (before, after)]
        assert not all(strange), f"between old and new: {min(strange, key=len)}"
        return "new"

    def check_visible(self, found: Image, operation: Operation, *, atomic: bool) -> None:
        """What a reader sees before any recovery: whole units, local files in their places, a manifest that is true.

        Where two renames exchange a folder, there is an instant without it.
        """
        before, after = self.expected(operation)
        assert {name for name in found if name.startswith("addons/")} <= set(before) | set(after)
        for unit in _UNITS:
            if atomic or f"addons/{unit}" in found:
                names = _delivered(unit)
                sides = [_part(tree, names) for tree in (found, before, after)]
                assert sides[0] in sides[1:], f"{unit} is neither old nor new"
        for name, content in _local(before, after).items():
            if atomic or name.rpartition("/")[0] in found:
                assert name in found, f"{name} is missing"
                assert found[name].content == content
        if atomic and _MANIFEST in found:
            listed = _implementations(found[_MANIFEST].content or b"")
            missing = [name for name in listed if f"addons/ingress/{name}" not in found]
            assert not missing, f"the manifest lists {missing}, and they are not there"

    def _check_record(self, root: Path, change: _Change) -> None:
        store = catalog_store(root, prepare=False)
        record = store.record(LEAF)
        versions = {str(release.digest): release.version for release in (self.old, self.new)}
        assert record is not None
        assert [versions[kept.digest] for kept in record.kept] == list(change.kept)
        assert all(kept.artifact for kept in record.kept)
        assert record.hold == change.hold
        assert (record.installed and record.installed.version) == change.installed
        assert store.recorded_digest(LEAF) == (record.installed and record.installed.digest)
        assert not leftovers(root)

    def _make_foreign(self, root: Path) -> None:
        catalog_store(root)
        other = root / "addons/ingress/other"
        (root / "addons/monitoring/mine").mkdir(parents=True)
        other.mkdir(parents=True)
        (other / "foreign.yaml").write_bytes(b"another tool's\n")
        (root / "addons/monitoring/mine/notes.txt").write_bytes(b"notes\n")
        (root / "addons/monitoring/mine/notes.txt").chmod(0o640)
        (root / "addons/monitoring/mine").chmod(0o750)
        (root / "addons/monitoring/values.yaml").write_bytes(b"of before our time\n")

    def _edit(self, root: Path, operation: str) -> None:
        """What a person does afterwards."""
        unit = root / "addons/monitoring"
        if operation == "install":
            (unit / "empty").mkdir()
            (unit / "link").symlink_to("values.yaml")
            (root / "addons/ingress/traefik/local.yaml").write_bytes(b"local\n")
        if operation in {"install", "update"}:
            (unit / "values.yaml").write_bytes(f"edited by hand after the {operation}\n".encode())
            with (root / _MANIFEST).open("ab") as file:
                file.write(f"# edited after the {operation}\n".encode())

    def _index(self, version: str, implementations: tuple[str, str]) -> Release:
        tree = {
            "values.yaml": f"version: {version}\n".encode(),
            "Enable.ps1": b"Write-Output 'the same in both'\n",
            f"manifests/only-{version}.yaml": b"kind: Deployment\n",
        }
        packed = [artifact(self._scratch, addon="monitoring", version=version, tree=tree)]
        for name in implementations:
            manifest = manifest_yaml("ingress", *implementations, note=f" in {version}")
            packed.append(
                artifact(
                    self._scratch, addon="ingress", implementation=name, version=version, tree=tree, manifest=manifest
                )
            )
        return release(packed, LEAF, tag=version)


def _different(found: Image, wanted: Image) -> list[str]:
    return sorted(name for name in {**found, **wanted} if found.get(name) != wanted.get(name))


@functools.cache
def _delivered(unit: str) -> tuple[str, ...]:
    """Whatever one of the releases delivers to a unit."""
    names = ["values.yaml", "Enable.ps1", "manifests", "manifests/only-v1.0.0.yaml", "manifests/only-v2.0.0.yaml"]
    if "/" not in unit:
        names.append("addon.manifest.yaml")
    return tuple(f"addons/{unit}/{name}" for name in names)


def _part(tree: Image, names: tuple[str, ...]) -> list[bytes | Literal[False] | None]:
    return [tree[name].content if name in tree else False for name in names]


def _local(before: Image, after: Image) -> dict[str, bytes | None]:
    """The regular files in the catalogue that an operation must not touch."""
    delivered = {name for unit in _UNITS for name in _delivered(unit)} | {_MANIFEST}
    return {
        name: entry.content
        for name, entry in before.items()
        if name.startswith("addons/")
        and stat.S_ISREG(entry.mode)
        and name not in delivered
        and after.get(name) == entry
    }


@functools.cache
def _implementations(content: bytes) -> frozenset[str]:
    return frozenset(AddonManifest.parse(content, where="the catalogue").implementations)


@contextmanager
def _numbered_transactions(first: int) -> Iterator[None]:
    """The same names each time, so that equal disks look equal; in the backups, they do not show the number."""
    numbers = itertools.count(first)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transaction, "new_folder", staticmethod(lambda root: root / f"{next(numbers):032x}"))
        yield


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory where the system has one: tested are calls and their order, thousands of times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)
