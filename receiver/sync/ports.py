"""What the sync room needs of the outside world; adapters fulfil these without being imported here."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from receiver.catalog.layout import Unit
from receiver.catalog.record import AddonRecord, Doubt, Hold
from receiver.catalog.release import Drift, Installation, Release
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestBody:
    """A manifest or index as the registry sent it; the digest has been verified."""

    digest: Digest
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobBody:
    """Bytes of a blob on their way: those from ``start`` to its end, in chunks of at most 1 MiB. Not verified."""

    start: int
    chunks: AsyncIterator[bytes]


class Registry(Protocol):
    """The pull side of the distribution specification.

    Raises (all):
        RegistryError: by what cures it; see `receiver.errors`.
    """

    async def repositories(self) -> Sequence[str]:
        """Every repository name in the registry's catalogue, unjudged."""
        ...

    async def tags(self, repository: str) -> Sequence[str]:
        """Every tag of ``repository``; NotInRegistry where there is no such repository."""
        ...

    async def resolve(self, repository: str, tag: str) -> Digest:
        """The digest that ``tag`` points at now."""
        ...

    async def manifest(self, repository: str, digest: Digest) -> ManifestBody:
        """The manifest or index with ``digest``; DigestMismatch where the bytes are others."""
        ...

    def blob(
        self, repository: str, descriptor: Descriptor, *, offset: int = 0
    ) -> AbstractAsyncContextManager[BlobBody]:
        """Stream a blob, from ``offset`` where the registry can do that, else from zero; at most a byte too many."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One implementation of an addon in an archive, and the release that it would become."""

    unit: Unit
    tag: str | None
    version: str | None
    digest: Digest
    left_out: tuple[str, ...]
    """Layers that are not installed from it, in words."""


class ArtifactFile(Registry, Protocol):
    """An archive in the place of a registry; its documents are verified, and every repository is in it."""

    def offers(self) -> Sequence[Offer]:
        """What is in it."""
        ...


class Progress(Protocol):
    """Told how far a pull is."""

    def started(self, name: str, total: int) -> None:
        """``total`` bytes of the layers of ``name`` will be fetched."""
        ...

    def advanced(self, name: str, count: int) -> None:
        """``count`` more bytes have arrived."""
        ...

    def finished(self, name: str) -> None:
        """Nothing more will come for ``name``."""
        ...


class Ingest(Protocol):
    """One blob on its way to disk, in one go or in several."""

    @property
    def received(self) -> int:
        """How many bytes are there, from the beginning."""
        ...

    async def take(self, start: int, chunks: AsyncIterator[bytes]) -> Path:
        """Write ``chunks``, which begin at ``start``: where the last ones ended, or at zero, which drops those.

        Size and SHA-256 over the whole are checked; the blob appears only when both hold.

        Raises:
            RegistryError: of ``chunks``; what has arrived is kept for the next call.
            SizeMismatch, DigestMismatch: nothing is kept.
            InstallError: the disk refused; nothing is kept.
        """
        ...


class Blobs(Protocol):
    """A content-addressed folder: a blob under its digest is whole and true."""

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the blob is there with the size that ``descriptor`` says."""
        ...

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be."""
        ...

    def ingest(self, descriptor: Descriptor) -> AbstractAsyncContextManager[Ingest]:
        """Take a blob in; what is not whole at the end of this is removed."""
        ...

    async def put(self, digest: Digest, content: bytes) -> Path:
        """Store a small document whose digest has been verified."""
        ...

    def read(self, descriptor: Descriptor) -> bytes:
        """The content of a small blob, verified anew. Blocks.

        Raises:
            ContentError: it is damaged, or gone.
            InstallError: it cannot be read.
        """
        ...

    def discard_damaged(self, descriptors: Collection[Descriptor]) -> Sequence[Descriptor]:
        """Hash each blob anew and remove those that are not what they were; which are missing now. Blocks."""
        ...

    def pinned(self) -> AbstractContextManager[Callable[[Digest], None]]:
        """Within this, what is given to the function that it yields is not collected."""
        ...

    def collect(self, wanted: Callable[[], Collection[Digest]]) -> int:
        """Remove every blob that is neither wanted nor pinned; how many. Blocks."""
        ...

    def write_index(self, entries: Sequence[Descriptor]) -> None:
        """Say to other tools which releases are in the folder. Blocks."""
        ...


class Catalogue(Protocol):
    """The catalogue on disk; every call blocks and belongs in a thread.

    Raises (all):
        InstallError: what is recorded cannot be read.
    """

    def is_current(self, leaf: str, digest: Digest) -> bool:
        """Whether ``digest`` is installed from the repository ``leaf`` and its folders are there."""
        ...

    def record(self, leaf: str) -> AddonRecord | None:
        """What is known of the repository ``leaf``."""
        ...

    def records(self) -> Iterator[AddonRecord]:
        """Every record."""
        ...

    def is_present(self, record: AddonRecord) -> bool:
        """Whether every folder and manifest of what is installed is there; true where nothing is."""
        ...

    def replaced(self, record: AddonRecord) -> Sequence[str]:
        """The operator's files that the installed release had to replace, as they lie in the backups."""
        ...

    def verify(self, leaf: str) -> Sequence[Drift]:
        """Compare what was installed from ``leaf`` with the catalogue, file by file.

        Raises:
            NotInstalled: nothing was.
        """
        ...

    def install(self, release: Release, *, restore: bool = False, hold: Hold | None = None) -> Installation:
        """Put ``release`` in place, all of it or nothing; ``restore`` also where the addon is held.

        Raises:
            CatalogError, InvalidNameError: nothing changed; AddonHeld where a person holds it.
        """
        ...

    def uninstall(self, leaf: str, *, hold: Hold) -> Installation:
        """Remove what ``leaf`` has delivered, and hold the addon.

        Raises:
            NotInstalled, InstallError: nothing changed.
        """
        ...

    def hold(self, repository: str, leaf: str, hold: Hold | None) -> Hold | None:
        """Set or end the hold of a repository; the former one."""
        ...

    def doubt(self, repository: str, leaf: str, doubt: Doubt | None) -> None:
        """Remember that a lower version was wanted."""
        ...


class Clock(Protocol):
    """Seconds since the epoch."""

    def __call__(self) -> float:
        """The time now."""
        ...
