"""Artifacts into a registry: the blobs that it lacks, then manifests, tags last.

A tag appears only when everything below it is in the registry. How a blob gets there, `Uploads` knows.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

from receiver.errors import DigestMismatch, InstallError
from receiver.oci.digest import Digest
from receiver.oci.reference import Repository, Tag
from receiver.packaging.artifact import Artifact, Content
from receiver.packaging.layout import opened, size_of
from receiver.packaging.ports import UploadBlob, Uploads

_SIDE_BY_SIDE = 8
"""Blobs on their way at once, of all artifacts together."""
_WORTH_ASKING = 1024 * 1024
"""Bytes from which a blob is asked for before it is read."""
_PIECE = 256 * 1024
"""Bytes that are read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What became of an artifact, or would."""

    digest: Digest
    uploaded: int
    """Blobs that were sent."""
    mounted: int = 0
    """Blobs that another repository of the registry had."""
    present: int
    """Blobs that the repository had already."""
    sent: int = 0
    """Bytes of the blobs that were sent."""


async def push(artifact: Artifact, uploads: Uploads, repository: Repository, tags: Iterable[Tag]) -> Pushed:
    """Upload ``artifact`` and point ``tags`` at it, in this order.

    Raises:
        RegistryError: by what cures it. Blobs may have been stored; no tag was moved that comes after the failure.
        DigestMismatch: a file does not hold what it should, or the registry stored something else than was sent.
        InstallError: a file of the artifact cannot be read.
    """
    return await Pusher(uploads).push(artifact, repository, tags)


class Pusher:
    """Pushes artifacts, also at the same time: what one of them has brought is mounted for the others."""

    def __init__(self, uploads: Uploads, *, dry_run: bool = False) -> None:
        self._uploads = uploads
        self._dry_run = dry_run
        self._gate = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._taking: defaultdict[Digest, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._homes: dict[Digest, Repository] = {}
        """Where in the registry a blob is known to be."""

    async def push(
        self,
        artifact: Artifact,
        repository: Repository,
        tags: Iterable[Tag],
        *,
        advanced: Callable[[int], None] = lambda _: None,
    ) -> Pushed:
        """Upload ``artifact`` and point ``tags`` at it, in this order; see `push`. ``advanced``: see `UploadBlob`."""
        tally = _Tally(advanced)
        await self._content(artifact, repository, tally)
        if not self._dry_run:
            for tag in tags:
                await self._uploads.send_manifest(repository, tag, artifact.manifest, artifact.media_type)
        return Pushed(
            digest=artifact.digest,
            uploaded=tally.uploaded,
            mounted=tally.mounted,
            present=tally.present,
            sent=tally.sent,
        )

    async def _content(self, artifact: Artifact, repository: Repository, tally: "_Tally") -> None:
        """Everything below the artifact's own manifest."""
        for child in artifact.children:
            await self._content(child, repository, tally)
            if not self._dry_run:
                await self._uploads.send_manifest(repository, str(child.digest), child.manifest, child.media_type)
        # All are waited for, so that no file is left open; those that fail together mostly fail alike.
        blobs = (self._blob(digest, content, repository, tally) for digest, content in artifact.blobs.items())
        for end in await asyncio.gather(*blobs, return_exceptions=True):
            if isinstance(end, BaseException):
                raise end

    async def _blob(self, digest: Digest, content: Content, repository: Repository, tally: "_Tally") -> None:
        # The same blob for another repository waits, and is mounted then.
        async with self._taking[digest], self._gate:
            size = _size(content)
            worth_asking = self._dry_run or size > _WORTH_ASKING
            if worth_asking and await self._uploads.has_blob(repository, digest):
                tally.present += 1
            elif self._dry_run:
                tally.count(mounted=digest in self._homes, size=size)
            else:
                await self._send(digest, content, repository, tally)
            self._homes.setdefault(digest, repository)

    async def _send(self, digest: Digest, content: Content, repository: Repository, tally: "_Tally") -> None:
        whole, size = await asyncio.to_thread(_verified, digest, content)
        blob = UploadBlob(
            repository=repository,
            digest=digest,
            size=size,
            read=lambda start, count: _pieces(whole, start, count),
            advanced=tally.advanced,
        )
        # From its own repository: there at once if the blob is there, else an upload has begun. It spares a question.
        home = self._homes.get(digest, repository)
        mounted = await self._uploads.send_blob(blob, mount=home)
        if mounted and home == repository:
            tally.present += 1
        else:
            tally.count(mounted=mounted, size=size)


@dataclass(slots=True)
class _Tally:
    advanced: Callable[[int], None]
    """Of this artifact alone: another one may be on its way into the same repository."""
    uploaded: int = 0
    mounted: int = 0
    present: int = 0
    sent: int = 0

    def count(self, *, mounted: bool, size: int) -> None:
        if mounted:
            self.mounted += 1
        else:
            self.uploaded += 1
            self.sent += size


def _size(content: Content) -> int:
    try:
        return size_of(content)
    except OSError as error:
        raise InstallError(f"a blob cannot be read: {error}") from error


def _verified(digest: Digest, content: Content) -> tuple[Content, int]:
    """Hash a blob before anything of it is sent; a small one, then in memory, and its size. Blocks.

    Raises:
        DigestMismatch: it holds something else.
        InstallError: it cannot be read.
    """
    if isinstance(content, bytes):
        return content, len(content)
    hashed, size, first = hashlib.sha256(), 0, b""
    try:
        with opened(content) as file:
            while chunk := file.read(_PIECE):
                first = first or chunk
                hashed.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise InstallError(f"a blob cannot be read: {error}") from error
    if hashed.hexdigest() != digest.hex:
        raise DigestMismatch(f"{_where(content)}: {digest} holds other bytes: the file is damaged")
    return (first if size == len(first) else content), size


async def _pieces(content: Content, start: int, count: int) -> AsyncIterator[bytes]:
    """A part of a blob, read in a thread.

    Raises:
        InstallError: it cannot be read, or is shorter than it was.
    """
    if isinstance(content, bytes):
        yield content[start : start + count]
        return
    with ExitStack() as stack:
        try:
            file = await asyncio.to_thread(_positioned, stack, content, start)
            while count:
                piece = await asyncio.to_thread(file.read, min(_PIECE, count))
                if not piece:
                    raise InstallError(f"{_where(content)} has become shorter while it was sent")
                count -= len(piece)
                yield piece
        except OSError as error:
            raise InstallError(f"{_where(content)} cannot be read: {error}") from error


def _positioned(stack: ExitStack, content: Content, start: int) -> BinaryIO:
    file = stack.enter_context(opened(content))
    file.seek(start)
    return file


def _where(content: Content) -> str:
    return "a blob" if isinstance(content, bytes) else str(getattr(content, "path", content))
