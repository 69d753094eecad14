"""A registry where versions go up all the time, whoever announces them, and an operator: the load for random kills.

Everything that is pushed can be told apart: each file of a release names its version, and what the operator writes is
written once.
"""

import http.client
import itertools
import random
import re
import shutil
import tempfile
import threading
import urllib.error
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from receiver.oci.digest import Digest
from tests.support.addons import artifact, manifest_yaml, push_addon, read_tree
from tests.support.fake_registry import FakeRegistry
from tests.support.notifications import envelope, event
from tests.support.push import delete_manifest
from tests.support.system import Serving

MANIFEST = "addon.manifest.yaml"
_KEPT_VERSIONS = 30
"""In the registry, so that a list of tags does not grow for ever; nobody is that many versions behind."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One repository, which delivers one implementation."""

    addon: str
    implementation: str

    @property
    def single(self) -> bool:
        return self.addon == self.implementation

    @property
    def leaf(self) -> str:
        return self.addon if self.single else f"{self.addon}-{self.implementation}"

    @property
    def folder(self) -> str:
        """Below ``addons/``."""
        return self.addon if self.single else f"{self.addon}/{self.implementation}"

    def note(self, version: int) -> str:
        return f" in version {version}."

    def tree(self, version: int) -> dict[str, bytes]:
        """What a release delivers beside the manifest."""
        mark = f"{self.leaf} {version}\n".encode()
        return {
            "values.yaml": b"version: " + mark,
            "Enable.ps1": b"Write-Output " + mark,
            "Disable.ps1": b"Write-Output 'the same in all'\n",
            "config/settings.ini": b"[main]\nversion=" + mark,
            "manifests/deployment.yaml": b"# " + mark * 50,
            f"manifests/only-{version}.yaml": mark,
        }

    def delivered(self, version: int) -> dict[str, bytes]:
        """Every file in the unit's folder."""
        return {**self.tree(version), **({MANIFEST: self.manifest(version)} if self.single else {})}

    def manifest(self, version: int) -> bytes:
        return manifest_yaml(self.addon, self.implementation, note=self.note(version))


_SINGLE = ("monitoring", "logging", "metrics", "security", "gpu", "kubevirt")
_SHARED = (("ingress", "nginx"), ("ingress", "traefik"), ("storage", "nfs"), ("storage", "smb"))
UNITS = (
    *(Unit(addon=name, implementation=name) for name in _SINGLE),
    *(Unit(addon=addon, implementation=name) for addon, name in _SHARED),
)


@dataclass
class Pushed:
    """What the registry has had of one repository, and what a receiver took upon itself."""

    versions: dict[str, int] = field(default_factory=dict)
    """By digest."""
    newest: int = 0
    acknowledged: int = 0
    """The highest version whose notification was answered 202."""


class Load:
    """Pushes and announces from threads, as long as `running`."""

    def __init__(self, scratch: Path) -> None:
        self.registry = FakeRegistry()
        self.pushed = {unit.leaf: Pushed() for unit in UNITS}
        self.deliveries = 0
        self.refused = 0
        """Deliveries that were answered with 503, or not at all."""
        self._scratch = scratch
        self._numbers = itertools.count()
        self._failures: list[BaseException] = []

    def push(self, unit: Unit) -> int:
        """Push the next version of a unit."""
        pushed = self.pushed[unit.leaf]
        version = pushed.newest + 1
        scratch = Path(tempfile.mkdtemp(dir=self._scratch))
        packed = artifact(
            scratch,
            addon=unit.addon,
            implementation=unit.implementation,
            version=f"v{version}.0.0",
            tree=unit.tree(version),
            manifest=unit.manifest(version),
        )
        # Known before it is pushed: a look at the same moment may find it.
        pushed.versions[str(packed.digest)] = version
        push_addon(self.registry.url, unit.leaf, packed)
        shutil.rmtree(scratch)
        pushed.newest = version
        self._forget(unit.leaf, version - _KEPT_VERSIONS)
        return version

    def announce(self, serving: Serving, unit: Unit, version: int) -> None:
        """Deliver the notification of a push once; whoever is not there has not heard it."""
        about = {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": next(digest for digest, number in self.pushed[unit.leaf].versions.items() if number == version),
            "repository": f"addons/{unit.leaf}",
            "tag": f"v{version}.0.0",
        }
        self.deliveries += 1
        try:
            status, _ = serving.post(envelope(event(id=f"event-{next(self._numbers)}", target=about)))
        except (urllib.error.URLError, ConnectionError, http.client.HTTPException, ValueError, TimeoutError):
            self.refused += 1
            return
        if status == 202:
            self.pushed[unit.leaf].acknowledged = version
        else:
            assert status == 503, status
            self.refused += 1

    @contextmanager
    def running(self, serving: Serving, seed: int) -> Iterator[None]:
        """Two senders, each with addons of its own."""
        stop = threading.Event()
        threads = [
            threading.Thread(target=self._send, args=(serving, units, random.Random(seed + n), stop), daemon=True)
            for n, units in enumerate((UNITS[::2], UNITS[1::2]))
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            self.registry.seen.clear()
        if self._failures:
            raise self._failures[0]

    def _send(self, serving: Serving, units: Sequence[Unit], chance: random.Random, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                unit = chance.choice(units)
                version = self.push(unit)
                for _ in range(chance.choice((1, 1, 3))):
                    self.announce(serving, unit, version)
        except BaseException as error:  # noqa: BLE001 - raised again by the test's own thread
            self._failures.append(error)

    def _forget(self, leaf: str, version: int) -> None:
        versions = self.pushed[leaf].versions
        for digest in [digest for digest, number in versions.items() if number == version]:
            delete_manifest(self.registry.url, f"addons/{leaf}", Digest.parse(digest))


class Operator:
    """Writes into installed addons while nothing runs, and knows what must not be lost."""

    def __init__(self, addons: Path, state: Path, chance: random.Random) -> None:
        self._addons = addons
        self._state = state
        self._chance = chance
        self._numbers = itertools.count()
        self.local: dict[str, dict[str, bytes]] = {unit.leaf: {} for unit in UNITS}
        """The operator's own files, by leaf and path."""
        self.edits: dict[bytes, Path] = {}
        """The file that each edit was written to."""

    def work(self) -> None:
        """Edit a delivered file, or leave a file of one's own."""
        unit = self._chance.choice(UNITS)
        folder = self._addons / unit.folder
        if not folder.is_dir():
            return
        mark = f"of the operator {next(self._numbers)}\n".encode()
        if self._chance.random() < 0.5:
            path = folder / self._chance.choice(("values.yaml", "config/settings.ini"))
            self.edits.pop(path.read_bytes(), None)
            path.write_bytes(mark)
            self.edits[mark] = path
        else:
            name = self._chance.choice(("local.yaml", "mine/notes.txt", "manifests/own.yaml"))
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(mark)
            self.local[unit.leaf][name] = mark

    def check_edits(self, *, at_rest: bool) -> None:
        """Each edit is where it was made or in the backups; where a transaction is unfinished, maybe still in that."""
        folders = ("backups",) if at_rest else ("backups", "transactions")
        kept = {content for folder in folders for content in read_tree(self._state / folder).values()}
        for mark, path in self.edits.items():
            assert mark in kept or path.read_bytes() == mark, f"the edit {mark!r} of {path} is lost"


def check_catalogue(addons: Path, load: Load, operator: Operator) -> Mapping[str, int]:
    """No unit is torn and nothing foreign is there; the version of each unit that is installed.

    Raises:
        AssertionError: the text names the file.
    """
    found = read_tree(addons)
    versions: dict[str, int] = {}
    for unit in UNITS:
        mine = {
            path.removeprefix(f"{unit.folder}/"): found.pop(path)
            for path in [path for path in found if path.startswith(f"{unit.folder}/")]
        }
        if mine:
            versions[unit.leaf] = _check_unit(unit, mine, operator)
    for unit in UNITS:
        _check_digest(unit, found.pop(f".addon-sync-digests/{unit.leaf}", None), load, versions)
    for addon in {unit.addon for unit in UNITS if not unit.single}:
        _check_shared(addon, found.pop(f"{addon}/{MANIFEST}", b"").decode(), versions)
    assert not found, f"foreign files: {list(found)}"
    return versions


def _check_unit(unit: Unit, found: dict[str, bytes], operator: Operator) -> int:
    marks = [int(match[1]) for path in found if (match := re.fullmatch(r"manifests/only-([0-9]+)\.yaml", path))]
    assert len(marks) == 1, f"{unit.folder} is of the versions {marks}: {sorted(found)}"
    expected = {**unit.delivered(marks[0]), **operator.local[unit.leaf]}
    assert set(found) == set(expected), f"{unit.folder}: {sorted(set(found) ^ set(expected))} of version {marks[0]}"
    for path, content in found.items():
        assert content == expected[path] or content in operator.edits, f"{unit.folder}/{path}: {content[:80]!r}"
    return marks[0]


def _check_digest(unit: Unit, content: bytes | None, load: Load, versions: Mapping[str, int]) -> None:
    """The digest file is written last, so it may be behind, never ahead."""
    if content is not None:
        version = load.pushed[unit.leaf].versions[content.decode()]
        assert version <= versions[unit.leaf], f"{unit.leaf}: digest of {version}, files of {versions[unit.leaf]}"


def _check_shared(addon: str, text: str, versions: Mapping[str, int]) -> None:
    """An entry is written after its folder: it may be behind, never ahead, and never without a folder."""
    listed = re.findall(r"- name: (\S+)\n +description: the \S+ way in version ([0-9]+)\.", text)
    assert len(listed) == text.count("- name: "), text
    for name, version in listed:
        assert int(version) <= versions[f"{addon}-{name}"], f"{addon} {name}: {version} listed, {versions}"
