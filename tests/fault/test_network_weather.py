"""Syncs through a network that breaks, stalls, bends and reorders answers: all converge, nothing wrong is installed.

The registry client, the blob store, the catalogue and the queue are the real ones; the client's deadlines are short, so
that it does not wait half a minute for each answer that never comes.
"""

import asyncio
import contextlib
import hashlib
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from receiver.app import Silent
from receiver.blobs import BlobStore
from receiver.oci.digest import Digest
from receiver.oci.reference import RegistryAddress, Repository
from receiver.packaging.push import push
from receiver.registry import transport
from receiver.registry.client import RegistryClient
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.survey import Survey
from receiver.sync.syncer import Syncer, SyncPolicy
from receiver.sync.worker import Workers
from receiver.tasks.sqlite import SqliteQueue
from receiver.tasks.task import Trigger
from tests.support.addons import Tree, artifact, manifest_yaml, read_tree
from tests.support.docker_registry import DockerRegistry
from tests.support.fake_registry import FakeRegistry
from tests.support.fault_proxy import BREAKING, HARMLESS, LYING, Fault, FaultProxy, Request
from tests.support.install_scene import quick_folder
from tests.support.pulling import RETRY
from tests.support.releases import catalog_store, leftovers
from tests.support.weather import Weather

_DEADLINE = 1.0
"""Seconds of patience with the head of an answer, and between two reads: no answer here is honestly that late."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory: the network is tried, not the disk."""
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own deadlines, a second each."""
    monkeypatch.setattr(transport, "HEAD_DEADLINE", _DEADLINE)
    monkeypatch.setattr(transport, "READ_TIMEOUT", _DEADLINE)


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """A release of an addon, and every file that it puts into the catalogue."""

    digest: Digest
    tree: Tree


class Delivery:
    """One receiver behind a proxy, and addons whose versions go up side by side, each as soon as the last is there."""

    def __init__(self, folder: Path, registry: str, proxy: FaultProxy, weather: Weather, addons: Sequence[str]) -> None:
        self.outcomes: Counter[str] = Counter()
        self.looks = 0
        """How often a whole release was seen in the catalogue meanwhile."""
        self._root = folder / "host"
        self._scratch = folder / "scratch"
        self._scratch.mkdir()
        self._registry, self._proxy, self._weather = registry, proxy, weather
        self._pushed: dict[str, list[Pushed]] = {addon: [] for addon in addons}
        self._told: dict[str, asyncio.Queue[Outcome]] = {addon: asyncio.Queue() for addon in addons}
        self._store = catalog_store(self._root)
        self._blobs = BlobStore(self._root / ".addon-sync" / "blobs")
        self._blobs.prepare()

    async def run(self, versions: int) -> None:
        """Deliver so many versions of each addon, then look at what there is."""
        queue = await SqliteQueue.open(self._root / ".addon-sync" / "queue.sqlite")
        try:
            async with self._working(queue):
                await asyncio.gather(*(self._deliver(queue, addon, versions) for addon in self._pushed))
            assert await queue.tasks() == []
        finally:
            await queue.close()
        self._check_end()

    @contextlib.asynccontextmanager
    async def _working(self, queue: SqliteQueue) -> AsyncIterator[None]:
        """With workers, and with somebody who looks at the catalogue all the time."""
        address = RegistryAddress.parse(self._proxy.url, insecure=True)
        async with RegistryClient(address, user_agent="addon-sync/test", retry=RETRY) as registry:
            workers = self._workers(queue, registry)
            workers.subscribe(self._hear)
            running = asyncio.create_task(workers.run())
            looking = asyncio.create_task(self._look_around())
            try:
                yield
            finally:
                workers.stop()
                await workers.give_back()
                await running
                looking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await looking

    def _workers(self, queue: SqliteQueue, registry: RegistryClient) -> Workers:
        policy = SyncPolicy(tag_policy="latest-or-semver")
        syncer = Syncer(
            registry=registry,
            blobs=self._blobs,
            catalogue=self._store,
            retry=RETRY,
            progress=Silent(),
            policy=policy,
            clock=time.time,
        )
        survey = Survey(registry=registry, syncer=syncer, prefix="addons/", configured=(), clock=time.time)
        return Workers(
            queue=queue,
            syncer=syncer,
            survey=survey,
            prefix="addons/",
            concurrency=12,
            clock=time.time,
            jitter=lambda: 0.0,
        )

    def _hear(self, outcome: Outcome | Surveyed) -> None:
        assert isinstance(outcome, Outcome)
        self.outcomes[outcome.status] += 1
        self._told[outcome.repository.removeprefix("addons/")].put_nowait(outcome)

    async def _deliver(self, queue: SqliteQueue, addon: str, versions: int) -> None:
        for version in range(1, versions + 1):
            pushed = await self._push(addon, version)
            self._weather.brew(f"addons/{addon}")
            await queue.enqueue([f"addons/{addon}"], trigger=Trigger.EVENT, now=time.time())
            while (outcome := await self._told[addon].get()).status != "installed":
                assert outcome.status == "failed", outcome
                assert not outcome.parked, outcome
            assert outcome.digest == str(pushed.digest)
            assert read_tree(self._folder(addon)) == pushed.tree

    async def _push(self, addon: str, version: int) -> Pushed:
        tree, manifest = _tree(addon, version), manifest_yaml(addon, addon, note=f" in version {version}.")
        scratch = Path(tempfile.mkdtemp(dir=self._scratch))
        packed = await asyncio.to_thread(
            artifact, scratch, addon=addon, version=f"v{version}.0.0", tree=tree, manifest=manifest
        )
        pushed = Pushed(digest=packed.digest, tree={**tree, "addon.manifest.yaml": manifest})
        self._pushed[addon].append(pushed)
        address = RegistryAddress.parse(self._registry, insecure=True)
        async with RegistryClient(address, user_agent="addon-sync/test") as client:
            await push(packed, client.uploads(), Repository.parse(f"addons/{addon}"), [packed.tag])
        shutil.rmtree(scratch)
        return pushed

    async def _look_around(self) -> None:
        while True:
            for addon in self._pushed:
                await asyncio.to_thread(self._look, addon)
                await asyncio.sleep(0.005)

    def _look(self, addon: str) -> None:
        """What stood there during the whole look is one release, every file of it."""
        folder = self._folder(addon)
        try:
            before, tree, after = folder.stat().st_ino, read_tree(folder), folder.stat().st_ino
        except FileNotFoundError:
            return  # not yet there, or exchanged meanwhile
        if before == after:
            assert any(tree == pushed.tree for pushed in self._pushed[addon]), f"{addon} is no release"
            self.looks += 1

    def _check_end(self) -> None:
        for addon, releases in self._pushed.items():
            newest = releases[-1]
            record = self._store.record(addon)
            assert read_tree(self._folder(addon)) == newest.tree
            assert record is not None
            assert record.installed is not None
            assert record.installed.digest == self._store.recorded_digest(addon) == str(newest.digest)
            assert self._store.verify(addon) == []
        assert {path.name for path in (self._root / "addons").iterdir()} == {*self._pushed, ".addon-sync-digests"}
        assert leftovers(self._root) == []
        blobs = self._root / ".addon-sync" / "blobs"
        assert {path.name for path in blobs.iterdir()} == {"oci-layout", "index.json", "blobs", "ingest"}
        assert list((blobs / "ingest").iterdir()) == []
        for path in (blobs / "blobs" / "sha256").iterdir():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name

    def _folder(self, addon: str) -> Path:
        return self._root / "addons" / addon


_SIZES = (1_200_000, 1_200_000, 400_000, 400_000, 400_000, 400_000)
"""Bytes that the first addons have in one file: such a layer goes to disk as it comes, the largest is continued by
Range (aiohttp forgets up to 768 KiB of what broke off)."""


def _tree(addon: str, version: int) -> dict[str, bytes]:
    """Each file names its version."""
    mark = f"{addon} {version}\n".encode()
    number = int(addon.removeprefix("addon-"))
    large = random.Random(mark).randbytes(_SIZES[number]) if number < len(_SIZES) else b""
    return {
        "values.yaml": b"version: " + mark,
        "Enable.ps1": b"Write-Output " + mark,
        "Disable.ps1": b"Write-Output 'the same in all'\n",
        "manifests/deployment.yaml": b"# " + mark * 50,
        f"manifests/only-{version}.yaml": mark + large,
    }


async def _weathered(
    folder: Path, registry: FakeRegistry | DockerRegistry, seed: int, *, addons: int, versions: int
) -> tuple[Counter[str], str]:
    """Carry out so many syncs; what the proxy did, and that as a text."""
    names = [f"addon-{number}" for number in range(addons)]
    weather, began = Weather(seed), time.monotonic()
    with FaultProxy(registry.authority, weather, seed=seed, latency=0.02, refusals=0.05) as proxy:
        delivery = Delivery(folder, registry.url, proxy, weather, names)
        await delivery.run(versions)
    syncs, failed = addons * versions, delivery.outcomes["failed"]
    assert delivery.outcomes["installed"] == syncs
    assert delivery.looks > syncs / 10
    faults = ", ".join(f"{count} {kind}" for kind, count in sorted(proxy.told.items()) if count)
    return proxy.told, (
        f"seed {seed}: {syncs} syncs in {time.monotonic() - began:.1f} s, {failed} attempts failed before; {faults}; "
        f"{delivery.looks} looks saw whole releases"
    )


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("short_patience")
async def test_500_syncs_through_bad_weather_converge(
    folder: Path, seeded: random.Random, shown: Callable[[object], None]
) -> None:
    """Every version of every addon is installed byte for byte; between two, one of them stands there whole."""
    with FakeRegistry() as registry:
        told, text = await _weathered(folder, registry, seeded.randrange(2**32), addons=25, versions=20)
    shown(text)
    wanted = {*BREAKING, *LYING, *HARMLESS, "refused connections", "answers out of order"}
    assert wanted - {kind for kind, count in told.items() if count} == set()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("short_patience")
async def test_2000_syncs_through_bad_weather_converge(
    folder: Path, seeded: random.Random, shown: Callable[[object], None]
) -> None:
    """The same for long; lists of tags have several pages in the end."""
    with FakeRegistry() as registry:
        _, text = await _weathered(folder, registry, seeded.randrange(2**32), addons=10, versions=200)
    shown(text)


@pytest.mark.registry
@pytest.mark.usefixtures("short_patience")
async def test_50_syncs_from_the_real_registry_converge(
    folder: Path, seeded: random.Random, shown: Callable[[object], None]
) -> None:
    """The same against Distribution."""
    with DockerRegistry() as registry:
        told, text = await _weathered(folder, registry, seeded.randrange(2**32), addons=10, versions=5)
    shown(text)
    assert told["answers out of order"] > 0


def test_the_weather_repeats_with_its_seed() -> None:
    """What a seed that was told has shown can be shown again; another repository has weather of its own."""

    def forecast(seed: int, repository: str) -> list[Fault | None]:
        weather = Weather(seed)
        weather.brew(repository)
        request = Request(method="GET", path=f"/v2/{repository}/tags/list")
        return [weather(request) for _ in range(50)]

    assert forecast(1, "addons/a") == forecast(1, "addons/a") != forecast(2, "addons/a")
    assert forecast(1, "addons/a") != forecast(1, "addons/b")
