"""One addon: what the registry wants, what is installed, and the way from one to the other."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from receiver.addon import AddonRepository, TagChoice, TagPolicy, choose_tag
from receiver.catalog.release import Installation, Layer, Release, ReleaseUnit
from receiver.errors import ReceiverError, UnsupportedContent
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest
from receiver.oci.manifest import MAX_INDEX_ENTRIES, Index, Manifest, parse_manifest
from receiver.sync import plan as planning
from receiver.sync.fetch import Retry, fetch_blob
from receiver.sync.ports import Blobs, Catalogue, Progress, Registry

T = TypeVar("T")
_log = logging.getLogger(__name__)

_MAX_NESTING = 1
"""An index may list indexes; those may not (hazards.md, Limits: nested once)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPolicy:
    """What the operator decided about tags and sizes."""

    tag_policy: TagPolicy = "latest-or-semver"
    semver_range: str = ">=0.0.0-0"
    max_layer_size: int = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What the registry wants installed from a repository: resolved once, from here on digests only."""

    repository: AddonRepository
    choice: TagChoice
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What an installation came to; ``fetched`` is bytes of layers that came from the registry for it."""

    version: str | None
    fetched: int
    installation: Installation


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
    ) -> None:
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
        return Desired(repository=repository, choice=choice, digest=digest)

    async def is_current(self, desired: Desired) -> bool:
        """Whether that digest is installed already.

        Raises:
            InstallError: what is recorded of it cannot be read.
        """
        return await asyncio.to_thread(self._catalogue.is_current, desired.repository.leaf, desired.digest)

    async def install(self, desired: Desired) -> Installed:
        """Fetch what is missing and publish the release.

        Raises:
            RegistryError, ContentError, CatalogError, InvalidNameError: the former release is in place.
        """
        repository = desired.repository
        artifacts = await self._artifacts(repository, desired.digest, {}, nesting=0)
        plan = planning.plan(artifacts, max_layer_size=self._policy.max_layer_size)
        for warning in plan.warnings:
            _log.warning("%s: %s", repository, warning)
        if plan.skipped:
            _log.debug("%s: not transferred: %s", repository, ", ".join(plan.skipped))
        fetched = await self._fetch(repository, plan.blobs())
        release = self._release(desired, plan)
        # An installation that has begun is brought to its end; a thread cannot be interrupted half way anyway.
        installation = await _uninterrupted(asyncio.to_thread(self._catalogue.install, release))
        return Installed(version=plan.version, fetched=fetched, installation=installation)

    async def _artifacts(
        self, repository: AddonRepository, digest: Digest, annotations: Mapping[str, str], *, nesting: int
    ) -> list[tuple[Mapping[str, str], Manifest]]:
        answer = await self._registry.manifest(repository.name, digest)
        document = parse_manifest(answer.body, answer.media_type)
        await self._blobs.put(digest, answer.body)
        if isinstance(document, Manifest):
            return [(annotations, document)]
        if nesting > _MAX_NESTING:
            raise UnsupportedContent(f"{digest}: indexes are nested deeper than {_MAX_NESTING}")
        return await self._listed(repository, document, nesting=nesting)

    async def _listed(
        self, repository: AddonRepository, index: Index, *, nesting: int
    ) -> list[tuple[Mapping[str, str], Manifest]]:
        found: list[tuple[Mapping[str, str], Manifest]] = []
        for entry in planning.entries(index):
            found += await self._artifacts(repository, entry.digest, entry.annotations, nesting=nesting + 1)
            if len(found) > MAX_INDEX_ENTRIES:
                # The limit of one index, which nested ones would multiply.
                raise UnsupportedContent(f"{index.digest}: more than {MAX_INDEX_ENTRIES} manifests in nested indexes")
        return found

    async def _fetch(self, repository: AddonRepository, blobs: Sequence[Descriptor]) -> int:
        missing = [blob for blob in blobs if not self._blobs.has(blob)]
        total = sum(blob.size for blob in missing)
        if not missing:
            return 0
        self._progress.started(repository.leaf, total)
        try:
            async with asyncio.TaskGroup() as group:
                for blob in missing:
                    group.create_task(self._fetch_one(repository, blob))
        except* ReceiverError as failed:
            raise _first(failed) from failed
        finally:
            self._progress.finished(repository.leaf)
        return total

    async def _fetch_one(self, repository: AddonRepository, blob: Descriptor) -> None:
        await fetch_blob(
            self._registry,
            self._blobs,
            repository.name,
            blob,
            retry=self._retry,
            advanced=lambda count: self._progress.advanced(repository.leaf, count),
        )

    def _release(self, desired: Desired, plan: planning.Plan) -> Release:
        return Release(
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


def _first(group: BaseExceptionGroup[ReceiverError]) -> ReceiverError:
    """One failure is enough to report; layers that fail together mostly fail alike."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Await ``work`` to its end even when cancelled meanwhile, then pass the cancellation on."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            # Another cancellation changes nothing: the first one is passed on below.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        raise
