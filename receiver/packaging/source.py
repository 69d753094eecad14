"""An archive in the place of a registry; fulfils `receiver.sync.ports.ArtifactFile`.

Syncing asks it what it would ask a registry, and trusts it as little: blobs are hashed as they come.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path

from receiver.errors import InstallError, NotInRegistry
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest
from receiver.oci.manifest import DocumentLimits
from receiver.packaging.archive import LayoutArchive
from receiver.packaging.artifact import FileSlice
from receiver.packaging.deliveries import deliveries
from receiver.packaging.layout import opened
from receiver.sync.ports import BlobBody, ManifestBody, Offer

_CHUNK = 1024 * 1024


class ArchiveSource:
    """The archive at ``path``; opening blocks.

    Raises:
        InstallError, CatalogError, ContentError, InvalidNameError: see `LayoutArchive.open` and `deliveries`.
    """

    def __init__(self, path: Path, *, limits: DocumentLimits) -> None:
        self._archive = LayoutArchive.open(path, limits=limits)
        self._deliveries = deliveries(self._archive)

    def offers(self) -> Sequence[Offer]:
        """What is in it."""
        return [
            Offer(
                unit=delivery.unit,
                tag=str(delivery.tags[0]) if delivery.tags else None,
                version=delivery.version,
                digest=delivery.descriptor.digest,
                left_out=delivery.left_out,
            )
            for delivery in self._deliveries
        ]

    async def repositories(self) -> Sequence[str]:
        """The last parts of the repositories that it could fill."""
        return [delivery.leaf for delivery in self._deliveries]

    async def tags(self, repository: str) -> Sequence[str]:
        """The tags of one of them.

        Raises:
            NotInRegistry: it is not in the archive.
        """
        leaf = repository.rpartition("/")[2]
        found = [tag for delivery in self._deliveries if delivery.leaf == leaf for tag in delivery.tags]
        if not found:
            raise NotInRegistry(f"{repository} is not in {self._archive.path}")
        return found

    async def resolve(self, repository: str, tag: str) -> Digest:
        """What a tag stands for.

        Raises:
            NotInRegistry: there is no such one.
        """
        leaf = repository.rpartition("/")[2]
        for delivery in self._deliveries:
            if delivery.leaf == leaf and tag in delivery.tags:
                return delivery.descriptor.digest
        raise NotInRegistry(f"{repository}:{tag} is not in {self._archive.path}")

    async def manifest(self, repository: str, digest: Digest) -> ManifestBody:
        """A manifest that was read, and verified, when the archive was opened.

        Raises:
            NotInRegistry: there is no such one.
        """
        for delivery in self._deliveries:
            if delivery.descriptor.digest == digest:
                return ManifestBody(digest=digest, media_type=delivery.descriptor.media_type, body=delivery.body)
        raise NotInRegistry(f"{digest} of {repository} is not in {self._archive.path}")

    def blob(
        self, repository: str, descriptor: Descriptor, *, offset: int = 0
    ) -> AbstractAsyncContextManager[BlobBody]:
        """The bytes of a blob; not verified here.

        Raises:
            ContentError: it is not in the archive, or has another size.
            InstallError: the file cannot be read.
        """
        del repository, offset  # nothing breaks off here, so all of it comes at once
        return self._blob(self._archive.blob(descriptor))

    @asynccontextmanager
    async def _blob(self, part: FileSlice) -> AsyncIterator[BlobBody]:
        async with aclosing(_chunks(part)) as chunks:
            yield BlobBody(start=0, chunks=chunks)


async def _chunks(part: FileSlice) -> AsyncGenerator[bytes, None]:
    try:
        with opened(part) as file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield chunk
    except OSError as error:
        raise InstallError(f"{part.path} cannot be read: {error.strerror or error}") from error
