"""The composition root: builds the concrete classes from the settings and runs them together."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path

from receiver.blobs import BlobStore
from receiver.catalog.filesystem import remove_tree
from receiver.catalog.limits import ArchiveLimits
from receiver.catalog.names import NameLimits
from receiver.catalog.store import CatalogStore
from receiver.catalog.sweeper import Sweeper
from receiver.config import Settings
from receiver.connect import document_limits, registry_client
from receiver.document import Value
from receiver.errors import QueueUnavailable
from receiver.oci.manifest import DocumentLimits
from receiver.registry.client import RegistryClient
from receiver.registry.retry import BriefRetry
from receiver.registry.transport import Asked
from receiver.sync.chronicle import Chronicle
from receiver.sync.circuit import Circuit
from receiver.sync.engine import Engine, Report
from receiver.sync.importing import Imported, Importing
from receiver.sync.operations import Changed, Operations, Verified
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.ports import ArtifactFile, Progress, Registry
from receiver.sync.request import (
    MissedRequest,
    PollRequest,
    ReplayRequest,
    Request,
    SyncRequest,
    ViewRequest,
)
from receiver.sync.retention import Retention
from receiver.sync.survey import Survey
from receiver.sync.syncer import Syncer, SyncPolicy
from receiver.sync.unannounced import Unannounced
from receiver.sync.views import View, Views
from receiver.sync.worker import Workers
from receiver.tasks.limits import Limits as QueueLimits
from receiver.tasks.sqlite import SqliteQueue

_SWEEP_SECONDS = 1.0
"""For old trees to be removed at the end; the next start goes on with them."""


class Parts(Value, frozen=True, kw_only=True):
    """Everything that works on one state folder."""

    settings: Settings
    queue: SqliteQueue
    store: CatalogStore
    registry: RegistryClient
    syncer: Syncer
    workers: Workers
    engine: Engine
    operations: Operations
    views: Views
    retention: Retention
    chronicle: Chronicle


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


def _survey(settings: Settings, *, registry: RegistryClient, syncer: Syncer, queue: SqliteQueue) -> Survey:
    return Survey(
        registry=registry,
        syncer=syncer,
        prefix=settings.repository_prefix,
        configured=settings.repositories,
        clock=time.time,
        repair_drift=settings.repair_drift,
        known=queue.known_repositories,
    )


@asynccontextmanager
async def opened(
    settings: Settings, *, progress: Progress, circuit: Circuit | None = None, asked: Asked | None = None
) -> AsyncIterator[Parts]:
    """Recover what a crash left, open everything, and close it in the end. The caller holds the lock.

    ``circuit``: who goes on for long spares a registry that is away; without one, every task is tried.
    ``asked`` is told of every request to the registry.

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
    registry = registry_client(settings, asked=asked)
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
        chronicle = Chronicle(queue, clock=time.time)
        workers.subscribe(_Marking(retention))
        workers.subscribe(chronicle)
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
            serves=circuit is not None,
        )
        operations.subscribe(_Marking(retention))
        operations.subscribe(chronicle)
        views = _views(settings, queue=queue, store=store, survey=survey)
        engine = Engine(
            queue=queue,
            journal=queue,
            workers=workers,
            survey=survey,
            operations=operations,
            views=views,
            unannounced=Unannounced(registry=registry, syncer=worker, survey=survey, journal=queue),
            prefix=settings.repository_prefix,
            clock=time.time,
        )
        try:
            yield Parts(
                settings=settings,
                queue=queue,
                store=store,
                registry=registry,
                syncer=worker,
                workers=workers,
                engine=engine,
                operations=operations,
                views=views,
                retention=retention,
                chronicle=chronicle,
            )
        finally:
            # What was done is written down, however it ends.
            await operations.close()
            await chronicle.settle()
        await retention.settle()
    finally:
        await registry.close()
        await queue.close()
        await asyncio.to_thread(sweeper.close, _SWEEP_SECONDS)


async def execute(
    settings: Settings, requests: Iterable[Request], *, progress: Progress
) -> AsyncGenerator[Report, None]:
    """Carry out ``requests`` in this process, one after the other. The caller holds the lock.

    Raises:
        ReceiverError: it could not begin.
    """
    async with opened(settings, progress=progress) as parts:
        running: asyncio.Task[None] | None = None
        try:
            for request in requests:
                if running is None and _needs_workers(request):
                    running = asyncio.create_task(parts.workers.run(), name="workers")
                async with aclosing(parts.engine.execute(request)) as reports:
                    while (report := await _next_while(running, reports)) is not None:
                        yield report
        finally:
            if running is not None:
                parts.workers.stop()
                await parts.workers.give_back()
                await running


def _needs_workers(request: Request) -> bool:
    """Whether tasks follow from it that somebody waits for."""
    if isinstance(request, ReplayRequest):
        return not request.dry_run
    return isinstance(request, SyncRequest | PollRequest) or (isinstance(request, MissedRequest) and request.sync)


async def _next_while(running: "asyncio.Task[None] | None", reports: AsyncGenerator[Report, None]) -> Report | None:
    """The next report, None after the last; where the workers fail, none can come, and their error is raised."""
    if running is None:
        return await anext(reports, None)
    coming = asyncio.ensure_future(anext(reports, None))
    await asyncio.wait({coming, running}, return_when=asyncio.FIRST_COMPLETED)
    if not coming.done():
        coming.cancel()
        await asyncio.wait({coming})
        running.result()
        raise QueueUnavailable("the workers have ended")
    return coming.result()


async def view(settings: Settings, request: ViewRequest) -> AsyncGenerator[View, None]:
    """Answer ``request`` in this process: nothing is recovered, nothing installed. The caller holds the lock.

    Raises:
        ReceiverError: what is known cannot be read.
    """
    store, blobs = catalog_store(settings), _blob_store(settings)
    queue = await SqliteQueue.open(settings.state_dir / "queue.sqlite")
    try:
        async with registry_client(settings) as registry:
            looking = syncer(settings, registry=registry, store=store, blobs=blobs, progress=Silent())
            survey = _survey(settings, registry=registry, syncer=looking, queue=queue)
            views = _views(settings, queue=queue, store=store, survey=survey)
            async with aclosing(views.answer(request)) as answers:
                async for answer in answers:
                    yield answer
    finally:
        await queue.close()


def _views(settings: Settings, *, queue: SqliteQueue, store: CatalogStore, survey: Survey) -> Views:
    return Views(
        queue=queue,
        journal=queue,
        catalogue=store,
        survey=survey,
        prefix=settings.repository_prefix,
        clock=time.time,
    )


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
