"""One installation with everything in it: several units, one new, one dropped, edits and files of the operator."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from receiver.catalog.filesystem import Exchange
from receiver.catalog.layout import DIGESTS
from receiver.catalog.release import Installation, Release
from tests.support.addons import artifact, manifest_yaml
from tests.support.disk_faults import dies, undisturbed, watched
from tests.support.releases import EXCHANGES, catalog_store, leftovers, release, snapshot

LEAF = "bundle"
Snapshot = Mapping[str, bytes | None]
_UNITS = ("monitoring", "ingress/nginx", "ingress/traefik", "ingress/haproxy")


class Scene:
    """An index of three units that becomes another one; ``first`` is the installation of it on an empty catalogue."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._old = self._index("v1.0.0", ("nginx", "traefik"))
        self._new = self._index("v2.0.0", ("nginx", "haproxy"))
        self._templates = {True: scratch / "empty", False: scratch / "installed"}
        self._expected: dict[bool, tuple[Snapshot, Snapshot]] = {}
        catalog_store(self._templates[True])
        self._install_old(self._templates[False])

    def expected(self, *, first: bool) -> tuple[Snapshot, Snapshot]:
        """The catalogue before and after an installation that nothing disturbs."""
        if first not in self._expected:
            root = self.copy(self._scratch / "undisturbed", first=first)
            before = snapshot(root / "addons")
            with watched(undisturbed):
                self.install(root, EXCHANGES["atomic"], first=first)
            after = snapshot(root / "addons")
            assert after != before
            assert not leftovers(root)
            self._expected[first] = before, after
            shutil.rmtree(root)
        return self._expected[first]

    def copy(self, root: Path, *, first: bool) -> Path:
        """A fresh installation folder as it was before."""
        shutil.copytree(self._templates[first], root, symlinks=True)
        return root

    def release(self, *, first: bool) -> Release:
        """What is installed."""
        return self._old if first else self._new

    def install(self, root: Path, exchange: Exchange, *, first: bool) -> Installation:
        """Install it at ``root``, as a process does that has just started."""
        return catalog_store(root, exchange=exchange, prepare=False).install(self.release(first=first))

    def recover(self, root: Path, exchange: Exchange) -> None:
        """Start anew at ``root``; not synchronised, since no power fails here and thousands of starts are tested."""
        with watched(undisturbed):
            catalog_store(root, exchange=exchange)

    def check_visible(self, root: Path, *, first: bool, whole_units: bool) -> None:
        """Before any recovery: nothing of ours but releases, and each unit's delivered files are all old or all new."""
        before, after = self.expected(first=first)
        found = snapshot(root / "addons")
        assert set(found) <= set(before) | set(after)
        for unit in _UNITS:
            sides = [_version(tree, unit) for tree in (found, before, after)]
            assert sides[0] in sides[1:] or (not whole_units and sides[0] is None), f"{unit} is neither old nor new"

    def end(self, root: Path, *, before: Snapshot, after: Snapshot) -> str:
        """``old`` or ``new``: tree, record and digest file agree, and nothing else is left.

        Raises:
            AssertionError: it is something between.
        """
        found = snapshot(root / "addons")
        end = "old" if found == before else "new"
        assert found == (before if end == "old" else after)
        assert not leftovers(root)
        record = root / ".addon-sync/installed" / f"{LEAF}.json"
        digest = found.get(f"{DIGESTS}/{LEAF}")
        recorded = json.loads(record.read_bytes())["installed"]["digest"].encode() if record.exists() else None
        assert recorded == digest
        self._check_backups(root, end == "new" and digest == str(self._new.digest).encode())
        return end

    def middle(self, scratch: Path, exchange: Exchange) -> Path:
        """An installation that died after one unit of several was exchanged."""
        for at in range(1, 5000):
            root = self.copy(scratch / f"middle-{at}", first=False)
            assert dies(at, lambda: self.install(root, exchange, first=False))  # noqa: B023 - called at once
            found = snapshot(root / "addons")
            if _version(found, "monitoring") == b"version: v2.0.0\n":
                return root
            shutil.rmtree(root)
        raise AssertionError("no unit was ever exchanged")

    def renumber(self, source: Path, root: Path) -> None:
        """Give the journals of a copied folder the file numbers that the copies have."""
        numbers = {path.stat().st_ino: (root / path.relative_to(source)).stat().st_ino for path in source.rglob("*")}
        for journal in (root / ".addon-sync/transactions").glob("*/journal.json"):
            document = json.loads(journal.read_bytes())
            for step in document["units"]:
                step["number"] = numbers[step["number"]]
            journal.write_text(json.dumps(document))

    def _check_backups(self, root: Path, updated: bool) -> None:
        kept = [path for path in (root / ".addon-sync/backups").rglob("*") if path.is_file()]
        assert [path.read_bytes() for path in kept] == ([b"edited by hand\n"] if updated else [])

    def _install_old(self, root: Path) -> None:
        catalog_store(root).install(self._old)
        unit = root / "addons/monitoring"
        (unit / "values.yaml").write_bytes(b"edited by hand\n")
        (unit / "mine").mkdir()
        (unit / "mine/notes.txt").write_bytes(b"notes\n")
        (unit / "empty").mkdir()
        (unit / "link").symlink_to("values.yaml")
        (root / "addons/ingress/traefik/local.yaml").write_bytes(b"local\n")
        other = root / "addons/ingress/other"
        other.mkdir()
        (other / "foreign.yaml").write_bytes(b"another tool's\n")

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


def _version(tree: Snapshot, unit: str) -> bytes | None:
    """Which release a unit is of: the file that only one release has."""
    found = [name for name in tree if name.startswith(f"{unit}/manifests/only-")]
    assert len(found) <= 1, f"{unit} is of two releases"
    return f"version: {found[0].rpartition('only-')[2].removesuffix('.yaml')}\n".encode() if found else None


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory where the system has one: tested are calls and their order, thousands of times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)
