"""What pushing asks of a registry, as a protocol; `receiver.registry.upload` fulfils it. No behaviour here."""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from receiver.document import Value
from receiver.oci.digest import Digest
from receiver.oci.reference import Repository

Read = Callable[[int, int], AsyncIterator[bytes]]
"""From which byte, and how many: the content of a blob, in pieces."""


def _unwatched(count: int) -> None:
    """Nobody asks how far it is."""
    del count


class UploadBlob(Value, frozen=True, kw_only=True):
    """A blob that is to be sent."""

    repository: Repository
    digest: Digest
    size: int
    read: Read
    advanced: Callable[[int], None] = _unwatched
    """Told how many more bytes the registry has; a negative count where some were lost."""


class Uploads(Protocol):
    """The push side of the distribution specification.

    Raises (all):
        RegistryError: by what cures it; see `receiver.errors`.
    """

    async def has_blob(self, repository: Repository, digest: Digest) -> bool:
        """Whether the blob is in ``repository``."""
        ...

    async def send_blob(self, blob: UploadBlob, *, mount: Repository | None = None) -> bool:
        """Put a blob into its repository; True where it was mounted from the repository ``mount`` instead."""
        ...

    async def send_manifest(self, repository: Repository, reference: str, body: bytes, media_type: str) -> None:
        """Store a manifest under a tag or its digest; DigestMismatch where something else was stored."""
        ...
