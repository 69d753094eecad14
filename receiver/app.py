"""The composition root: builds the concrete classes from the settings and runs them together."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from receiver.blobs import BlobStore
from receiver.catalog.archive import ArchiveLimits
from receiver.catalog.filesystem import remove_tree
from receiver.catalog.names import NameLimits
from receiver.catalog.store import CatalogStore
from receiver.catalog.sweeper import Sweeper
from receiver.config import Settings
from receiver.connect import document_limits, registry_client
from receiver.errors import QueueUnavailable, ReceiverError
from receiver.oci.manifest import DocumentLimits
from receiver.registry.client import RegistryClient
from receiver.registry.retry import BriefRetry
from receiver.sync.circuit import Circuit
from receiver.sync.engine import Engine, QueueView, Report
from receiver.sync.importing import Imported, Importing
from receiver.sync.operations import Changed, Operations, Verified
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.ports import ArtifactFile, Progress, Registry
from receiver.sync.request import OperatorRequest, Request
from receiver.sync.retention import Retention
from receiver.sync.status import DesiredFacts, HoldFacts, InstalledFacts
from receiver.sync.survey import Survey
from receiver.sync.syncer import Syncer, SyncPolicy
from receiver.sync.worker import Workers
from receiver.tasks.limits import Limits as QueueLimits
from receiver.tasks.sqlite import SqliteQueue

_SWEEP_SECONDS = 1.0
"""For old trees to be removed at the end; the next start goes on with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that works on one state folder."""

    settings: Settings
    queue: SqliteQueue
    store: CatalogStore
    registry: RegistryClient
    syncer: Syncer
    workers: Workers
    engine: Engine
    operations: Operations
    retention: Retention


def archive_limits(settings: Settings) -> ArchiveLimits:
    """What the layers of one artifact may ask for."""
    return ArchiveLimits(
        max_layer_size=settings.max_layer_size,
        max_addon_size=settings.max_addon_size,
        max_file_size=settings.max_file_size,
        max_files=settings.max_files,
        max_ratio=settings.max_ratio,
        max_pax_header=settings.max_pax_header,
        max_pax_records=settings.max_pax_records,
        max_extensions=settings.max_extensions,
        max_gnu_name=settings.max_gnu_name,
        max_manifest_size=settings.max_manifest_size,
        names=NameLimits(
            max_depth=settings.max_depth, max_component=settings.max_component, max_path=settings.max_path
        ),
    )


def catalog_store(settings: Settings, *, sweep: Callable[[Path], None] = remove_tree) -> CatalogStore:
    """The catalogue; nothing is touched before it is prepared. ``sweep`` removes old trees."""
    limits = archive_limits(settings)
    return CatalogStore(
        catalogue=settings.catalogue,
        state=settings.state_dir,
        limits=limits,
        keep=settings.keep_releases,
        sweep=sweep,
    )


def syncer(
    settings: Settings, *, registry: Registry, store: CatalogStore, blobs: BlobStore, progress: Progress
) -> Syncer:
    """What looks at and installs single addons."""
    policy = SyncPolicy(
        tag_policy=settings.tag_policy,
        semver_range=settings.semver_range,
        max_layer_size=settings.max_layer_size,
        documents=document_limits(settings),
    )
    return Syncer(
        registry=registry,
        blobs=blobs,
        catalogue=store,
        retry=BriefRetry(),
        progress=progress,
        policy=policy,
        clock=time.time,
    )


def _opened_file(path: Path, *, limits: DocumentLimits) -> ArtifactFile:
    """The archive at ``path``, in the place of a registry. Blocks."""
    from receiver.packaging.source import ArchiveSource  # noqa: PLC0415 - no scheduled job imports an archive

    return ArchiveSource(path, limits=limits)


def _blob_store(settings: Settings) -> BlobStore:
    return BlobStore(settings.state_dir / "blobs")


def _survey(
    settings: Settings, *, registry: RegistryClient, syncer: Syncer, queue: SqliteQueue | None = None
) -> Survey:
    known = {"known": queue.known_repositories} if queue is not None else {}
    return Survey(
        registry=registry,
        syncer=syncer,
        prefix=settings.repository_prefix,
        configured=settings.repositories,
        clock=time.time,
        repair_drift=settings.repair_drift,
        **known,
    )


@asynccontextmanager
async def opened(settings: Settings, *, progress: Progress, circuit: Circuit | None = None) -> AsyncIterator[Parts]:
    """Recover what a crash left, open everything, and close it in the end. The caller holds the lock.

    ``circuit``: who goes on for long spares a registry that is away; without one, every task is tried.

    Raises:
        ConfigError: the folders are not fit for it.
        InstallError, QueueUnavailable: see `CatalogStore.prepare` and `SqliteQueue.open`.
    """
    sweeper = Sweeper()
    store = catalog_store(settings, sweep=sweeper)
    await asyncio.to_thread(store.prepare)
    blobs = _blob_store(settings)
    await asyncio.to_thread(blobs.prepare)
    limits = QueueLimits(journal_bytes=settings.journal_size)
    queue = await SqliteQueue.open(settings.state_dir / "queue.sqlite", limits=limits)
    registry = registry_client(settings)
    try:
        await queue.recover(now=time.time())
        worker = syncer(settings, registry=registry, store=store, blobs=blobs, progress=progress)
        survey = _survey(settings, registry=registry, syncer=worker, queue=queue)
        workers = Workers(
            queue=queue,
            syncer=worker,
            survey=survey,
            prefix=settings.repository_prefix,
            concurrency=settings.concurrency,
            clock=time.time,
            circuit=circuit,
        )
        retention = Retention(blobs=blobs, catalogue=store)
        workers.subscribe(_Marking(retention))
        operations = Operations(
            catalogue=store,
            syncer=worker,
            queue=queue,
            importing=Importing(
                open_file=partial(_opened_file, limits=document_limits(settings)),
                syncer_of=lambda source: syncer(settings, registry=source, store=store, blobs=blobs, progress=progress),
                prefix=settings.repository_prefix,
                clock=time.time,
            ),
            prefix=settings.repository_prefix,
            clock=time.time,
        )
        operations.subscribe(_Marking(retention))
        engine = Engine(
            queue=queue,
            journal=queue,
            workers=workers,
            survey=survey,
            operations=operations,
            prefix=settings.repository_prefix,
            clock=time.time,
        )
        yield Parts(
            settings=settings,
            queue=queue,
            store=store,
            registry=registry,
            syncer=worker,
            workers=workers,
            engine=engine,
            operations=operations,
            retention=retention,
        )
        await retention.settle()
    finally:
        await registry.close()
        await queue.close()
        await asyncio.to_thread(sweeper.close, _SWEEP_SECONDS)


async def execute(settings: Settings, request: Request, *, progress: Progress) -> AsyncGenerator[Report, None]:
    """Carry out ``request`` in this process. The caller holds the lock.

    Raises:
        ReceiverError: it could not begin.
    """
    async with opened(settings, progress=progress) as parts:
        if isinstance(request, OperatorRequest):
            async with aclosing(parts.engine.execute(request)) as changes:
                async for change in changes:
                    yield change
            return
        running = asyncio.create_task(parts.workers.run(), name="workers")
        try:
            async with aclosing(parts.engine.execute(request)) as reports:
                while (report := await _next_while(running, reports)) is not None:
                    yield report
        finally:
            parts.workers.stop()
            await parts.workers.give_back()
            await running


async def _next_while(running: "asyncio.Task[None]", reports: AsyncGenerator[Report, None]) -> Report | None:
    """The next report, None after the last; where the workers fail, none can come, and their error is raised."""
    coming = asyncio.ensure_future(anext(reports, None))
    await asyncio.wait({coming, running}, return_when=asyncio.FIRST_COMPLETED)
    if not coming.done():
        coming.cancel()
        await asyncio.wait({coming})
        running.result()
        raise QueueUnavailable("the workers have ended")
    return coming.result()


async def queue_view(settings: Settings) -> QueueView:
    """The list of tasks, read in this process. The caller holds the lock.

    Raises:
        QueueUnavailable: it cannot be read.
    """
    queue = await SqliteQueue.open(settings.state_dir / "queue.sqlite")
    try:
        return QueueView(tasks=tuple(await queue.tasks()))
    finally:
        await queue.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFacts:
    """What this host knows by itself, by repository."""

    installed: dict[str, InstalledFacts]
    holds: dict[str, HoldFacts]


def local_facts(settings: Settings) -> LocalFacts:
    """What is installed and held. Blocks.

    Raises:
        InstallError: a record is damaged.
    """
    store = catalog_store(settings)
    facts = LocalFacts(installed={}, holds={})
    for record in store.records():
        if record.hold is not None:
            facts.holds[record.repository] = HoldFacts(since=record.hold.since, reason=record.hold.reason)
        if record.installed is not None:
            facts.installed[record.repository] = InstalledFacts(
                tag=record.installed.tag,
                version=record.installed.version,
                digest=record.installed.digest,
                installed=record.installed.installed,
                present=store.is_present(record),
                replaced=tuple(store.replaced(record)),
            )
    return facts


async def desired_facts(settings: Settings, names: Collection[str], *, discover: bool) -> dict[str, DesiredFacts]:
    """What the registry wants of ``names`` and, with ``discover``, of all that it lists; errors are facts too."""
    async with registry_client(settings) as registry:
        looking = syncer(
            settings,
            registry=registry,
            store=catalog_store(settings),
            blobs=_blob_store(settings),
            progress=Silent(),
        )
        survey = _survey(settings, registry=registry, syncer=looking)
        found = dict.fromkeys(names)
        problem = None
        if discover:
            try:
                found |= {repository.name: None for repository in await survey.discover()}
            except ReceiverError as error:
                problem = str(error)
        if problem is not None:
            return {name: DesiredFacts(error=problem) for name in found}
        return await survey.desired(list(found))


class _Marking:
    """Tells the retention of every release that came or went."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention

    def __call__(self, report: Outcome | Surveyed | Changed | Verified | Imported) -> None:
        came = isinstance(report, Outcome | Imported) and report.status == "installed"
        if came or isinstance(report, Changed) or (isinstance(report, Verified) and report.repaired):
            self._retention.mark()


class Silent:
    """Progress that nobody watches."""

    def started(self, name: str, total: int) -> None:
        """Nothing."""

    def advanced(self, name: str, count: int) -> None:
        """Nothing."""

    def finished(self, name: str) -> None:
        """Nothing."""
