"""The composition root: builds the concrete classes from the settings and runs them together."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from receiver import __version__
from receiver.blobs import BlobStore
from receiver.catalog.archive import ArchiveLimits
from receiver.catalog.filesystem import remove_tree
from receiver.catalog.store import CatalogStore
from receiver.catalog.sweeper import Sweeper
from receiver.config import Settings
from receiver.errors import QueueUnavailable, ReceiverError
from receiver.registry.auth import Credentials
from receiver.registry.client import RegistryClient
from receiver.registry.retry import BriefRetry
from receiver.registry.transport import TlsFiles
from receiver.sync.engine import Engine, QueueView, Report, Request
from receiver.sync.ports import Progress
from receiver.sync.status import DesiredFacts, InstalledFacts
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


def registry_client(settings: Settings) -> RegistryClient:
    """The client of the configured registry; it opens nothing yet."""

    def credentials() -> Credentials | None:
        password = settings.registry_password.word()
        if settings.registry_username is None or password is None:
            return None
        return Credentials(username=settings.registry_username, password=password)

    return RegistryClient(
        settings.registry,
        credentials=credentials,
        tls=TlsFiles(ca_file=settings.ca_file, client_cert=settings.client_cert, client_key=settings.client_key),
        user_agent=f"addon-sync/{__version__}",
    )


def catalog_store(settings: Settings, *, sweep: Callable[[Path], None] = remove_tree) -> CatalogStore:
    """The catalogue; nothing is touched before it is prepared. ``sweep`` removes old trees."""
    limits = ArchiveLimits(
        max_layer_size=settings.max_layer_size,
        max_addon_size=settings.max_addon_size,
        max_files=settings.max_files,
    )
    return CatalogStore(catalogue=settings.catalogue, state=settings.state_dir, limits=limits, sweep=sweep)


def syncer(settings: Settings, *, registry: RegistryClient, store: CatalogStore, progress: Progress) -> Syncer:
    """What looks at and installs single addons."""
    policy = SyncPolicy(
        tag_policy=settings.tag_policy, semver_range=settings.semver_range, max_layer_size=settings.max_layer_size
    )
    blobs = BlobStore(settings.state_dir / "blobs")
    return Syncer(registry=registry, blobs=blobs, catalogue=store, retry=BriefRetry(), progress=progress, policy=policy)


def _survey(settings: Settings, *, registry: RegistryClient, syncer: Syncer) -> Survey:
    return Survey(
        registry=registry,
        syncer=syncer,
        prefix=settings.repository_prefix,
        configured=settings.repositories,
        clock=time.time,
    )


@asynccontextmanager
async def opened(settings: Settings, *, progress: Progress) -> AsyncIterator[Parts]:
    """Recover what a crash left, open everything, and close it in the end. The caller holds the lock.

    Raises:
        ConfigError: the folders are not fit for it.
        InstallError, QueueUnavailable: see `CatalogStore.prepare` and `SqliteQueue.open`.
    """
    sweeper = Sweeper()
    store = catalog_store(settings, sweep=sweeper)
    await asyncio.to_thread(store.prepare)
    await asyncio.to_thread(BlobStore(settings.state_dir / "blobs").prepare)
    limits = QueueLimits(journal_bytes=settings.journal_size)
    queue = await SqliteQueue.open(settings.state_dir / "queue.sqlite", limits=limits)
    registry = registry_client(settings)
    try:
        await queue.recover(now=time.time())
        worker = syncer(settings, registry=registry, store=store, progress=progress)
        survey = _survey(settings, registry=registry, syncer=worker)
        workers = Workers(
            queue=queue,
            syncer=worker,
            survey=survey,
            prefix=settings.repository_prefix,
            concurrency=settings.concurrency,
            clock=time.time,
        )
        engine = Engine(
            queue=queue,
            journal=queue,
            workers=workers,
            survey=survey,
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
        )
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


def installed_facts(settings: Settings) -> dict[str, InstalledFacts]:
    """What is installed, by repository. Blocks.

    Raises:
        InstallError: a record is damaged.
    """
    store = catalog_store(settings)
    return {
        record.repository: InstalledFacts(
            tag=record.tag,
            version=record.version,
            digest=record.digest,
            installed=record.installed,
            present=store.is_present(record),
        )
        for record in store.releases()
    }


async def desired_facts(settings: Settings, names: Collection[str], *, discover: bool) -> dict[str, DesiredFacts]:
    """What the registry wants of ``names`` and, with ``discover``, of all that it lists; errors are facts too."""
    async with registry_client(settings) as registry:
        looking = syncer(settings, registry=registry, store=catalog_store(settings), progress=Silent())
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


class Silent:
    """Progress that nobody watches."""

    def started(self, name: str, total: int) -> None:
        """Nothing."""

    def advanced(self, name: str, count: int) -> None:
        """Nothing."""

    def finished(self, name: str) -> None:
        """Nothing."""
