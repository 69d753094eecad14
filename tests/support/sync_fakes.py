"""The sync room with nothing outside: registry, blobs, catalogue and time in memory, and a world that joins them."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from receiver.catalog.record import (
    AddonRecord,
    Doubt,
    Hold,
    InstalledRelease,
    KeptBlob,
    KeptRelease,
    held_text,
)
from receiver.catalog.release import Drift, Installation, Release
from receiver.document import replaced as document_replaced
from receiver.errors import AddonHeld, NotInRegistry, NotInstalled, QueueError, ReceiverError, SizeMismatch
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest
from receiver.sync.chronicle import Chronicle
from receiver.sync.circuit import Circuit
from receiver.sync.engine import Engine
from receiver.sync.importing import Importing
from receiver.sync.operations import Operations
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.plan import NAME, VERSION
from receiver.sync.ports import ArtifactFile, BlobBody, Ingest, ManifestBody
from receiver.sync.survey import Survey
from receiver.sync.syncer import Syncer, SyncPolicy
from receiver.sync.unannounced import Unannounced
from receiver.sync.views import Views
from receiver.sync.worker import Workers
from receiver.tasks.journal import Event
from receiver.tasks.memory import MemoryQueue
from receiver.tasks.queue import Intake
from receiver.tasks.task import Lease, State, Task, Trigger

T = TypeVar("T")
NOW = 1_795_000_000.0
PREFIX = "addons/"
JITTER = 0.5
_PATIENCE = 30.0
_TURNS = 20
"""Of the event loop: several times as many as anybody needs to get from the end of a task to the next wait."""


class ManualClock:
    """Time that stands still until a test moves it; a negative move sets the clock back, and no sleep ends sooner."""

    def __init__(self) -> None:
        self.now = NOW
        self.slept: list[float] = []
        self.elapsed = 0.0
        self._moved = asyncio.Condition()

    def __call__(self) -> float:
        return self.now

    async def advance(self, seconds: float) -> None:
        """Move on, and wake who slept that long; first, who is about to sleep falls asleep by the old time."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self.now += seconds
        self.elapsed += max(seconds, 0.0)
        async with self._moved:
            self._moved.notify_all()

    async def sleep(self, seconds: float, *, since: float | None = None) -> None:
        """Return when so much time has passed; ``since``, of `elapsed`, where the sleeper decided before it sleeps."""
        self.slept.append(seconds)
        deadline = (self.elapsed if since is None else since) + seconds
        async with self._moved:
            await self._moved.wait_for(lambda: self.elapsed >= deadline)


class ClockedQueue(MemoryQueue):
    """Waits by the manual clock; raises what is in ``broken`` for the verb."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock
        self._asked: float | None = None
        self.broken: dict[str, QueueError] = {}
        self.leased: Counter[str] = Counter()

    def queued(self) -> list[Task]:
        """The tasks that wait, or run."""
        return [task for (_, state), task in self._tasks.items() if state is not State.PARKED]

    async def lease(self, *, now: float, seconds: float, only: Collection[str] | None = None) -> Lease | None:
        self._fail("lease")
        lease = await super().lease(now=now, seconds=seconds, only=only)
        if lease is not None:
            self.leased[lease.task.repository] += 1
        return lease

    async def renew(self, lease: Lease, *, until: float) -> Lease:
        self._fail("renew")
        return await super().renew(lease, until=until)

    async def complete(self, lease: Lease, *, unpark: bool) -> None:
        self._fail("complete")
        await super().complete(lease, unpark=unpark)

    async def enqueue(
        self,
        repositories: Collection[str],
        *,
        trigger: Trigger,
        now: float,
        due: float | None = None,
        force: bool = False,
    ) -> None:
        self._fail("enqueue")
        await super().enqueue(repositories, trigger=trigger, now=now, due=due, force=force)

    async def next_due(self) -> float | None:
        self._fail("next_due")
        self._asked = self._clock.elapsed
        return await super().next_due()

    async def wait(self, seconds: float) -> None:
        # From when it was asked what is due: a clock that was moved in between would not move again, as real ones do.
        since, self._asked = self._asked, None
        arrival = asyncio.ensure_future(self._arrival.wait())
        passed = asyncio.ensure_future(self._clock.sleep(seconds, since=since))
        try:
            await asyncio.wait({arrival, passed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arrival.cancel()
            passed.cancel()
        self._arrival.clear()

    def _fail(self, verb: str) -> None:
        if verb in self.broken:
            raise self.broken[verb]


class FakeRegistry:
    """Answers from dictionaries; ``errors`` by (verb, repository) come first, ``gates`` hold a look at a repository."""

    def __init__(self) -> None:
        self.tagged: dict[str, dict[str, Digest]] = {}
        self.manifests: dict[Digest, ManifestBody] = {}
        self.contents: dict[Digest, bytes] = {}
        self.errors: dict[tuple[str, str], Exception] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.asked: list[tuple[str, str]] = []
        self.now: Counter[str] = Counter()
        self.most = 0
        self.overlapped = False

    def store(self, document: Mapping[str, object], media_type: str = media.OCI_MANIFEST) -> Digest:
        """Keep a manifest or index; its digest."""
        body = json.dumps(document).encode()
        digest = Digest.of(body)
        self.manifests[digest] = ManifestBody(digest=digest, media_type=media_type, body=body)
        return digest

    def layer(self, content: bytes, media_type: str = media.MANIFESTS, **more: object) -> dict[str, object]:
        """Keep a blob; its descriptor."""
        digest = Digest.of(content)
        self.contents[digest] = content
        return {"mediaType": media_type, "digest": str(digest), "size": len(content), **more}

    def manifest_of(self, annotations: Mapping[str, str], *layers: Mapping[str, object]) -> Digest:
        """Keep a manifest."""
        return self.store(
            {
                "schemaVersion": 2,
                "config": self.layer(b"{}", media.ADDON_CONFIG),
                "layers": list(layers),
                "annotations": dict(annotations),
            }
        )

    def index_of(self, *entries: tuple[Digest, Mapping[str, str]]) -> Digest:
        """Keep an index of manifests or indexes."""
        listed = [
            {
                "mediaType": self.manifests[digest].media_type,
                "digest": str(digest),
                "size": len(self.manifests[digest].body),
                "annotations": dict(annotations),
            }
            for digest, annotations in entries
        ]
        return self.store({"schemaVersion": 2, "manifests": listed}, media.OCI_INDEX)

    def push(self, leaf: str, content: bytes = b"one", *, tag: str = "v1.0.0") -> Digest:
        """Push an addon of one layer."""
        digest = self.manifest_of({NAME: leaf, VERSION: tag}, self.layer(content))
        self.tagged.setdefault(PREFIX + leaf, {})[tag] = digest
        return digest

    async def repositories(self) -> Sequence[str]:
        self._judge("repositories", "")
        return list(self.tagged)

    async def tags(self, repository: str) -> Sequence[str]:
        self.now[repository] += 1
        self.overlapped |= self.now[repository] > 1
        self.most = max(self.most, self.now.total())
        try:
            if repository in self.gates:
                await self.gates[repository].wait()
            self._judge("tags", repository)
            if repository not in self.tagged:
                raise NotInRegistry(f"{repository} is not in the registry")
            return list(self.tagged[repository])
        finally:
            self.now[repository] -= 1

    async def resolve(self, repository: str, tag: str) -> Digest:
        self._judge("resolve", repository)
        return self.tagged[repository][tag]

    async def manifest(self, repository: str, digest: Digest) -> ManifestBody:
        self._judge("manifest", repository)
        return self.manifests[digest]

    @asynccontextmanager
    async def blob(self, repository: str, descriptor: Descriptor, *, offset: int = 0) -> AsyncIterator[BlobBody]:
        self._judge("blob", repository)

        async def chunks() -> AsyncIterator[bytes]:
            content = self.contents[descriptor.digest]
            for start in range(0, len(content), 2):
                yield content[start : start + 2]

        yield BlobBody(start=0, chunks=chunks())

    def looks(self, leaf: str) -> int:
        """How often the tags of an addon were asked for."""
        return self.asked.count(("tags", PREFIX + leaf))

    def _judge(self, verb: str, repository: str) -> None:
        self.asked.append((verb, repository))
        if (verb, repository) in self.errors:
            raise self.errors[verb, repository]


@dataclass
class FakeIngest:
    """Takes a blob in, in one go."""

    blobs: "FakeBlobs"
    descriptor: Descriptor
    received: int = 0

    async def take(self, start: int, chunks: AsyncIterator[bytes]) -> Path:
        assert start == 0
        return await self.blobs.put(self.descriptor.digest, b"".join([chunk async for chunk in chunks]))


class FakeBlobs:
    """Blobs in a dictionary."""

    def __init__(self) -> None:
        self.contents: dict[Digest, bytes] = {}
        self.index: list[Descriptor] = []

    def has(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self.contents

    def path(self, digest: Digest) -> Path:
        return Path("blobs") / digest.hex

    @asynccontextmanager
    async def ingest(self, descriptor: Descriptor) -> AsyncIterator[Ingest]:
        yield FakeIngest(self, descriptor)

    async def put(self, digest: Digest, content: bytes) -> Path:
        self.contents[digest] = content
        return self.path(digest)

    def read(self, descriptor: Descriptor) -> bytes:
        if descriptor.digest not in self.contents:
            raise SizeMismatch(f"{descriptor.digest} is not there")
        return self.contents[descriptor.digest]

    def discard_damaged(self, descriptors: Collection[Descriptor]) -> list[Descriptor]:
        return [descriptor for descriptor in descriptors if descriptor.digest not in self.contents]

    @contextmanager
    def pinned(self) -> Iterator[Callable[[Digest], None]]:
        yield lambda digest: None

    def collect(self, wanted: Callable[[], Collection[Digest]]) -> int:
        unused = set(self.contents) - set(wanted())
        for digest in unused:
            del self.contents[digest]
        return len(unused)

    def write_index(self, entries: Sequence[Descriptor]) -> None:
        self.index = list(entries)


class FakeCatalogue:
    """Remembers releases and records; ``gate`` holds an installation in its thread."""

    def __init__(self) -> None:
        self.installed: dict[str, Digest] = {}
        self.releases: list[Release] = []
        self.errors: dict[str, Exception] = {}
        self.gate: threading.Event | None = None
        self.entered = threading.Event()
        self.known: dict[str, AddonRecord] = {}
        self.gone: set[str] = set()
        self.drifts: dict[str, list[Drift]] = {}
        self.clock: Callable[[], float] = lambda: NOW

    def is_current(self, leaf: str, digest: Digest) -> bool:
        return self.installed.get(leaf) == digest and leaf not in self.gone

    def record(self, leaf: str) -> AddonRecord | None:
        return self.known.get(leaf)

    def records(self) -> Iterator[AddonRecord]:
        return iter(self.known.values())

    def replaced(self, record: AddonRecord) -> list[str]:
        return []

    def is_present(self, record: AddonRecord) -> bool:
        return record.leaf not in self.gone

    def verify(self, leaf: str) -> list[Drift]:
        if leaf not in self.known:
            raise NotInstalled(f"nothing is installed from {leaf}")
        return self.drifts.get(leaf, [])

    def uninstall(self, leaf: str, *, hold: Hold) -> Installation:
        del self.installed[leaf]
        former = self.known[leaf]
        removed = former.installed.digest if former.installed is not None else None
        self.known[leaf] = document_replaced(former, installed=None, hold=hold, removed=removed)
        return Installation(files=0, kept=(), visible=NOW)

    def hold(self, repository: str, leaf: str, hold: Hold | None) -> Hold | None:
        record = self.known.get(leaf) or AddonRecord(repository=repository, leaf=leaf)
        if hold == record.hold:
            return hold
        self.known[leaf] = document_replaced(record, hold=hold)
        return record.hold

    def doubt(self, repository: str, leaf: str, doubt: Doubt | None) -> None:
        self.known[leaf] = document_replaced(self.known[leaf], doubt=doubt)

    def install(self, release: Release, *, restore: bool = False, hold: Hold | None = None) -> Installation:
        leaf = str(release.repository.leaf)
        self.entered.set()
        if self.gate is not None:
            assert self.gate.wait(_PATIENCE)
        if leaf in self.errors:
            raise self.errors[leaf]
        former = self.known.get(leaf)
        held = hold or (former.hold if former is not None else None)
        if held is not None and not restore:
            raise AddonHeld(held_text(leaf, held))
        self.installed[leaf] = release.digest
        self.gone.discard(leaf)
        self.drifts.pop(leaf, None)
        self.releases.append(release)
        kept = KeptRelease(
            tag=release.tag,
            version=release.version,
            digest=str(release.digest),
            arrived=NOW,
            artifact=[
                KeptBlob(media_type=blob.media_type, digest=str(blob.digest), size=blob.size)
                for blob in release.artifact
            ],
        )
        before = former.kept if former else []
        others = [other for other in before if other.digest != kept.digest]
        stays = restore and len(others) < len(before)
        self.known[leaf] = AddonRecord(
            repository=PREFIX + leaf,
            leaf=leaf,
            installed=InstalledRelease(
                tag=release.tag,
                version=release.version,
                digest=str(release.digest),
                installed=self.clock(),
                units=[],
                manifests={},
            ),
            kept=before if stays else [kept, *others],
            hold=held,
        )
        return Installation(files=len(release.units), kept=(), visible=NOW)


class Recorded:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, int]] = []

    def started(self, name: str, total: int) -> None:
        self.events.append(("started", name, total))

    def advanced(self, name: str, count: int) -> None:
        self.events.append(("advanced", name, count))

    def finished(self, name: str) -> None:
        self.events.append(("finished", name, 0))


async def once(work: Callable[[], Awaitable[T]]) -> T:
    """A retry that tries once."""
    return await work()


class World:
    """A receiver without server and files; give it a registry content, ask, and look what became of it."""

    def __init__(
        self,
        *,
        concurrency: int = 4,
        policy: SyncPolicy | None = None,
        configured: Sequence[str] = (),
        repair_drift: bool = False,
        circuit: Circuit | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.queue = ClockedQueue(self.clock)
        self.registry = FakeRegistry()
        self.blobs = FakeBlobs()
        self.catalogue = FakeCatalogue()
        self.catalogue.clock = self.clock
        self.progress = Recorded()
        self.syncer = Syncer(
            registry=self.registry,
            blobs=self.blobs,
            catalogue=self.catalogue,
            retry=once,
            progress=self.progress,
            policy=policy or SyncPolicy(),
            clock=self.clock,
        )
        self.survey = Survey(
            registry=self.registry,
            syncer=self.syncer,
            prefix=PREFIX,
            configured=configured,
            clock=self.clock,
            repair_drift=repair_drift,
        )
        self.workers = Workers(
            queue=self.queue,
            syncer=self.syncer,
            survey=self.survey,
            prefix=PREFIX,
            concurrency=concurrency,
            clock=self.clock,
            circuit=circuit,
            jitter=lambda: JITTER,
            sleep=self.clock.sleep,
        )
        self.files: dict[Path, ArtifactFile] = {}
        """Archives that may be imported, by path."""
        self.operations = Operations(
            catalogue=self.catalogue,
            syncer=self.syncer,
            queue=self.queue,
            importing=Importing(
                open_file=self.files.__getitem__,
                syncer_of=lambda source: Syncer(
                    registry=source,
                    blobs=self.blobs,
                    catalogue=self.catalogue,
                    retry=once,
                    progress=self.progress,
                    policy=policy or SyncPolicy(),
                    clock=self.clock,
                ),
                prefix=PREFIX,
                clock=self.clock,
            ),
            prefix=PREFIX,
            clock=self.clock,
        )
        self.views = Views(
            queue=self.queue,
            journal=self.queue,
            catalogue=self.catalogue,
            survey=self.survey,
            prefix=PREFIX,
            clock=self.clock,
        )
        self.engine = Engine(
            queue=self.queue,
            journal=self.queue,
            workers=self.workers,
            survey=self.survey,
            operations=self.operations,
            views=self.views,
            unannounced=Unannounced(registry=self.registry, syncer=self.syncer, survey=self.survey, journal=self.queue),
            prefix=PREFIX,
            clock=self.clock,
        )
        self.chronicle = Chronicle(self.queue, clock=self.clock)
        self.operations.subscribe(self.chronicle)
        self.told: list[Outcome | Surveyed] = []
        self.workers.subscribe(self.told.append)
        self.workers.subscribe(self.chronicle)

    @property
    def outcomes(self) -> list[Outcome]:
        """What was told of single addons."""
        return [outcome for outcome in self.told if isinstance(outcome, Outcome)]

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Run the workers; in the end, give back what still runs. May be done again, as a process that starts anew."""
        self.workers._stopping.clear()
        running = asyncio.create_task(self.workers.run())
        try:
            yield
            assert not running.done() or running.result() is None
        finally:
            self.workers.stop()
            await self.workers.give_back()
            await running

    async def ask(self, *leaves: str, trigger: Trigger = Trigger.EVENT, force: bool = False) -> None:
        """Queue a look at each."""
        await self.queue.enqueue([PREFIX + leaf for leaf in leaves], trigger=trigger, now=self.clock(), force=force)

    async def announce(
        self,
        *leaves: str,
        tag: str | None = "v1.0.0",
        digest: object = None,
        event_id: str | None = None,
        actor: str | None = "ci",
        deleted: bool = False,
    ) -> None:
        """Take in a delivery of Distribution that announces a push of each; its number is that of the newest entry.

        Or that tells that a person has ``deleted`` it.
        """
        target = {"tag": tag, **({} if digest is None else {"digest": str(digest)})}
        events = [
            {
                "id": event_id,
                "action": "delete" if deleted else "push",
                "target": {**target, "repository": PREFIX + leaf},
                "actor": {"name": actor},
            }
            for leaf in leaves
        ]
        kept = tuple(
            Event(
                repository=PREFIX + leaf,
                event_id=event_id,
                tag=tag,
                digest=None if digest is None else str(digest),
                actor=actor,
                deleted=deleted,
            )
            for leaf in leaves
        )
        await self.queue.ingest(
            Intake(
                sender="distribution",
                received=self.clock(),
                verdict="accepted",
                reason=None,
                headers=b"{}",
                body=json.dumps({"events": events}).encode(),
                events=kept,
                address="10.0.0.7",
            ),
            now=self.clock(),
        )

    async def settled(self) -> None:
        """Wait until nothing runs and nothing is due."""
        await until(lambda: not self.workers.busy and not any(task.due <= self.clock() for task in self.queue.queued()))

    def fail(self, verb: str, leaf: str, error: ReceiverError | Exception | None) -> None:
        """What the registry raises for ``leaf`` from now on."""
        if error is None:
            del self.registry.errors[verb, PREFIX + leaf]
        else:
            self.registry.errors[verb, PREFIX + leaf] = error


async def until(condition: Callable[[], bool]) -> None:
    """Let the others run until ``condition`` holds."""
    async with asyncio.timeout(_PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.001)
