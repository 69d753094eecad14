"""The documents of a release that is kept: from the blob store, and from the registry only where one is damaged."""

import asyncio
from collections.abc import Sequence

from receiver.errors import DigestMismatch, SizeMismatch
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest
from receiver.sync.ports import Blobs, ManifestBody, Registry


class KeptDocuments:
    """Answers for ``artifact``; fulfils `receiver.sync.syncer.Documents`."""

    def __init__(self, artifact: Sequence[Descriptor], *, blobs: Blobs, registry: Registry) -> None:
        self._known = {descriptor.digest: descriptor for descriptor in artifact}
        self._blobs = blobs
        self._registry = registry

    async def manifest(self, repository: str, digest: Digest) -> ManifestBody:
        """The document with ``digest``, verified.

        Raises:
            RegistryError: it is not in the store any more, and the registry cannot give it either.
        """
        descriptor = self._known.get(digest)
        if descriptor is not None:
            try:
                body = await asyncio.to_thread(self._blobs.read, descriptor)
            except (DigestMismatch, SizeMismatch):
                pass
            else:
                return ManifestBody(digest=digest, media_type=descriptor.media_type, body=body)
        return await self._registry.manifest(repository, digest)
