"""One addon: what the registry wants, what is installed, and the way from one to the other."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from receiver.addon import AddonRepository, TagChoice, TagPolicy, choose_tag
from receiver.catalog.record import AddonRecord, Doubt, Hold, KeptRelease
from receiver.catalog.release import Installation, Layer, Release, ReleaseUnit
from receiver.document import Mutable, Value, field
from receiver.errors import NotInstalled, UnsupportedContent
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest
from receiver.oci.manifest import DocumentLimits, Index, Manifest, parse_manifest
from receiver.sync import plan as planning
from receiver.sync.downgrade import doubted, is_believed, is_downgrade
from receiver.sync.fetch import Retry, fetch_blob
from receiver.sync.kept import KeptDocuments
from receiver.sync.outcome import LayerFact
from receiver.sync.ports import Blobs, Catalogue, Clock, ManifestBody, Progress, Registry
from receiver.sync.together import all_or_none
from receiver.sync.uninterrupted import uninterrupted

_log = logging.getLogger(__name__)

_MAX_NESTING = 1
"""An index may list indexes; those may not (hazards, Limits: nested once)."""


class SyncPolicy(Value, frozen=True):
    """What the operator decided about tags and sizes."""

    tag_policy: TagPolicy = "latest-or-semver"
    semver_range: str = ">=0.0.0-0"
    max_layer_size: int = 256 * 1024 * 1024
    documents: DocumentLimits = field(default_factory=DocumentLimits)


class Desired(Value, frozen=True):
    """What the registry wants installed from a repository: resolved once, from here on digests only."""

    repository: AddonRepository
    choice: TagChoice
    digest: Digest
    tags: tuple[str, ...] = ()
    """All that the choice was made from."""


class Documents(Protocol):
    """Where manifests and indexes come from: the registry, or what was kept of an earlier pull."""

    async def manifest(self, repository: str, digest: Digest) -> ManifestBody:
        """See `receiver.sync.ports.Registry.manifest`."""
        ...


class Installed(Value, frozen=True):
    """What an installation came to; ``fetched`` is bytes of layers that came from the registry for it."""

    tag: str
    digest: Digest
    version: str | None
    fetched: int
    installation: Installation
    layers: tuple[LayerFact, ...]
    skipped: tuple[str, ...]


class Syncer:
    """Looks at and installs single addons; holds no state between calls."""

    def __init__(
        self,
        *,
        registry: Registry,
        blobs: Blobs,
        catalogue: Catalogue,
        retry: Retry,
        progress: Progress,
        policy: SyncPolicy,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._registry = registry
        self._blobs = blobs
        self._catalogue = catalogue
        self._retry = retry
        self._progress = progress
        self._policy = policy

    async def look(self, repository: AddonRepository) -> Desired:
        """Ask the registry which digest ``repository`` should have.

        Raises:
            RegistryError: it cannot be told; NotInRegistry where there is no repository or no tag that qualifies.
        """
        tags = await self._registry.tags(repository.name)
        choice = choose_tag(tags, policy=self._policy.tag_policy, version_range=self._policy.semver_range)
        if not choice.certain:
            _log.warning("%s: no tag is a version; %r is taken, %s", repository, choice.tag, choice.rule)
        digest = await self._registry.resolve(repository.name, choice.tag)
        return Desired(repository=repository, choice=choice, digest=digest, tags=tuple(tags))

    async def record(self, repository: AddonRepository) -> AddonRecord | None:
        """What is known of ``repository``.

        Raises:
            InstallError: it cannot be read.
        """
        return await asyncio.to_thread(self._catalogue.record, repository.leaf)

    async def installed_from(self, prefix: str) -> list[str]:
        """The repositories below ``prefix`` that something is installed from.

        Raises:
            InstallError: a record cannot be read.
        """
        records = await asyncio.to_thread(lambda: list(self._catalogue.records()))
        return [record.repository for record in records if record.installed and record.repository.startswith(prefix)]

    async def is_present(self, record: AddonRecord) -> bool:
        """Whether the folders of what is installed are there; true where nothing is."""
        return await asyncio.to_thread(self._catalogue.is_present, record)

    async def has_drifted(self, repository: AddonRepository) -> bool:
        """Whether any file of what is installed is not as it was.

        Raises:
            InstallError: it cannot be told.
        """
        try:
            return bool(await asyncio.to_thread(self._catalogue.verify, repository.leaf))
        except NotInstalled:
            return False

    async def is_current(self, desired: Desired) -> bool:
        """Whether that digest is installed already.

        Raises:
            InstallError: what is recorded of it cannot be read.
        """
        return await asyncio.to_thread(self._catalogue.is_current, desired.repository.leaf, desired.digest)

    async def install(self, desired: Desired, *, downgrade: bool = False, hold: Hold | None = None) -> Installed:
        """Fetch what is missing and publish the release; with ``downgrade`` a lower version too, at once.

        ``hold`` is set together with it.

        Raises:
            RegistryError, ContentError, CatalogError, InvalidNameError: the former release is in place; `AddonHeld`
                where a person holds it, `DowngradeDoubted` where a lower version is wanted for the first time.
        """
        return await self._install(desired, self._registry, downgrade=downgrade, hold=hold)

    async def restore(self, repository: AddonRepository, kept: KeptRelease, *, hold: Hold | None = None) -> Installed:
        """Bring back a release that was installed before, from the blob store; ``hold`` is set together with it.

        The registry is asked for nothing but blobs that are damaged or gone.

        Raises:
            RegistryError, ContentError, CatalogError: what was there before still is.
        """
        artifact = [blob.descriptor() for blob in kept.artifact]
        desired = Desired(
            repository=repository,
            choice=TagChoice(tag=kept.tag, rule="brought back"),
            digest=Digest.parse(kept.digest),
        )
        with self._blobs.pinned() as pin:
            for blob in artifact:
                pin(blob.digest)
            await asyncio.to_thread(self._blobs.discard_damaged, artifact)
            documents = KeptDocuments(artifact, blobs=self._blobs, registry=self._registry)
            return await self._install(desired, documents, restore=True, hold=hold)

    async def bring_back(self, repository: AddonRepository, record: AddonRecord) -> Installed:
        """Install again what is installed: a folder is gone, or files have changed.

        Raises:
            NotInstalled: there is nothing installed, or it was not kept.
            ReceiverError: as for `restore`.
        """
        digest = record.installed.digest if record.installed is not None else None
        for kept in record.kept:
            if kept.digest == digest:
                return await self.restore(repository, kept)
        raise NotInstalled(f"the release of {repository} that is installed was not kept: sync it again")

    async def _install(
        self,
        desired: Desired,
        source: Documents,
        *,
        restore: bool = False,
        hold: Hold | None = None,
        downgrade: bool = False,
    ) -> Installed:
        repository = desired.repository
        with self._blobs.pinned() as pin:
            pulled = _Pulled(source=source, pin=pin)
            artifacts = await self._artifacts(pulled, repository, desired.digest, {}, nesting=0)
            plan = planning.plan(artifacts, max_layer_size=self._policy.max_layer_size)
            for warning in plan.warnings:
                _log.warning("%s: %s", repository, warning)
            if plan.skipped:
                _log.debug("%s: not transferred: %s", repository, ", ".join(plan.skipped))
            if not restore and not downgrade:
                await self._doubt(desired, plan.version)
            for blob in plan.blobs():
                pin(blob.digest)
            missing = [blob for blob in plan.blobs() if not self._blobs.has(blob)]
            await self._fetch(repository, missing)
            release = self._release(desired, plan, pulled.documents)
            # An installation that has begun is brought to its end; a thread cannot be interrupted half way anyway.
            # From there to whoever tells of it nothing may be awaited.
            installing = asyncio.to_thread(self._catalogue.install, release, restore=restore, hold=hold)
            installation = await uninterrupted(installing)
        return Installed(
            tag=desired.choice.tag,
            digest=desired.digest,
            version=plan.version,
            fetched=sum(blob.size for blob in missing),
            installation=installation,
            layers=tuple(_layer_fact(layer, missing) for unit in plan.units for layer in unit.layers),
            skipped=plan.skipped,
        )

    async def _doubt(self, desired: Desired, version: str | None) -> None:
        """Let a lower version pass only where it was wanted before."""
        repository = desired.repository
        record = await self.record(repository)
        if record is None or not is_downgrade(record, version):
            return
        now, digest = self._clock(), str(desired.digest)
        if is_believed(record.doubt, digest, now):
            return
        if record.doubt is None or record.doubt.digest != digest:
            doubt = Doubt(digest=digest, since=now)
            await asyncio.to_thread(self._catalogue.doubt, str(repository.name), str(repository.leaf), doubt)
        raise doubted(record, version)

    async def _artifacts(
        self,
        pulled: "_Pulled",
        repository: AddonRepository,
        digest: Digest,
        annotations: Mapping[str, str],
        *,
        nesting: int,
        promised: Descriptor | None = None,
    ) -> list[tuple[Mapping[str, str], Manifest]]:
        pulled.pin(digest)
        answer = await pulled.source.manifest(repository.name, digest)
        document = parse_manifest(answer.body, answer.media_type, limits=self._policy.documents, promised=promised)
        await self._blobs.put(digest, answer.body)
        pulled.documents.append(Descriptor(media_type=answer.media_type, digest=digest, size=len(answer.body)))
        if isinstance(document, Manifest):
            return [(annotations, document)]
        if nesting > _MAX_NESTING:
            raise UnsupportedContent(f"{digest}: indexes are nested deeper than {_MAX_NESTING}")
        return await self._listed(pulled, repository, document, nesting=nesting)

    async def _listed(
        self, pulled: "_Pulled", repository: AddonRepository, index: Index, *, nesting: int
    ) -> list[tuple[Mapping[str, str], Manifest]]:
        found: list[tuple[Mapping[str, str], Manifest]] = []
        limit = self._policy.documents.max_index_entries
        for entry in planning.entries(index):
            found += await self._artifacts(
                pulled, repository, entry.digest, entry.annotations, nesting=nesting + 1, promised=entry
            )
            if len(found) > limit:
                # The limit of one index, which nested ones would multiply.
                raise UnsupportedContent(
                    f"{index.digest}: more than {limit} manifests in nested indexes (ADDON_SYNC_MAX_INDEX_ENTRIES)"
                )
        return found

    async def _fetch(self, repository: AddonRepository, missing: Sequence[Descriptor]) -> None:
        if not missing:
            return
        self._progress.started(repository.leaf, sum(blob.size for blob in missing))
        try:
            await all_or_none([self._fetch_one(repository, blob) for blob in missing])
        finally:
            self._progress.finished(repository.leaf)

    async def _fetch_one(self, repository: AddonRepository, blob: Descriptor) -> None:
        await fetch_blob(
            self._registry,
            self._blobs,
            repository.name,
            blob,
            retry=self._retry,
            advanced=lambda count: self._progress.advanced(repository.leaf, count),
        )

    def _release(self, desired: Desired, plan: planning.Plan, documents: Sequence[Descriptor]) -> Release:
        return Release(
            artifact=tuple({blob.digest: blob for blob in (*documents, *plan.blobs())}.values()),
            repository=desired.repository,
            tag=desired.choice.tag,
            version=plan.version,
            digest=desired.digest,
            units=tuple(
                ReleaseUnit(
                    unit=unit.unit,
                    layers=tuple(
                        Layer(
                            rule=layer.rule,
                            path=self._blobs.path(layer.descriptor.digest),
                            size=layer.descriptor.size,
                        )
                        for layer in unit.layers
                    ),
                )
                for unit in plan.units
            ),
        )


class _Pulled(Mutable):
    """Where documents come from, what keeps them from being collected, and which have come so far."""

    source: Documents
    pin: Callable[[Digest], None]
    documents: list[Descriptor] = field(default_factory=list)


def _layer_fact(layer: planning.PlannedLayer, missing: Sequence[Descriptor]) -> LayerFact:
    blob = layer.descriptor
    return LayerFact(label=layer.rule.label, digest=str(blob.digest), size=blob.size, fetched=blob in missing)
