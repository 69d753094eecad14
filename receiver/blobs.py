"""The blob store: a content-addressed folder that is also an OCI image layout (image-spec image-layout.md).

A blob under its digest is whole and true, since it was written elsewhere, verified, and renamed into place. The one
home of aiofiles.
"""

import asyncio
import contextlib
import errno
import hashlib
import os
import stat
import time
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import aiofiles

from receiver.document import encode
from receiver.errors import DigestMismatch, InstallError, SizeMismatch
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest

if TYPE_CHECKING:
    from aiofiles.threadpool.binary import AsyncBufferedIOBase

_LAYOUT = encode({"imageLayoutVersion": "1.0.0"})
_THREAD_FROM = 256 * 1024
"""Bytes from which hashing goes to a thread: measured, 256 KiB would hold the loop for some 0.27 ms."""
_SMALL = 256 * 1024
"""Bytes up to which a blob is collected in memory and written in one go: most layers are, and one way to a thread is
cheaper than four (measured without fsync, 0.9 ms instead of 1.7 ms a blob of 20 kB)."""
_REPLACE_WAITS = (0.01, 0.05, 0.2, 0.5)
"""Seconds between tries to rename: on Windows a virus scanner holds a new file open for moments."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class BlobStore:
    """The folder ``root``; fulfils `receiver.sync.ports.Blobs`. One process at a time, any number of ingests in it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._blobs = root / "blobs" / "sha256"
        self._ingest = root / "ingest"
        self._cleaning: set[asyncio.Task[None]] = set()

    def prepare(self) -> None:
        """Create the folders, and clear away what a crash left half-written. Blocks; call it once, before any ingest.

        Raises:
            InstallError: the disk refused; what was there still is.
        """
        with _refused(self._root):
            self._blobs.mkdir(parents=True, exist_ok=True)
            self._ingest.mkdir(exist_ok=True)
            for leftover in self._ingest.iterdir():
                leftover.unlink()
        self._replace(self._root / "oci-layout", _LAYOUT)
        if not (self._root / "index.json").exists():
            self._replace(self._root / "index.json", _index(()))

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the blob is there with the size that ``descriptor`` says."""
        return _is_file(self.path(descriptor.digest), descriptor.size)

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be."""
        return self._blobs / digest.hex

    async def ingest(self, descriptor: Descriptor, chunks: AsyncIterator[bytes]) -> Path:
        """Write ``chunks`` to disk while size and SHA-256 are checked; the blob appears only when both hold.

        Raises:
            SizeMismatch: more or fewer bytes; nothing is read after the first byte too many, nothing is left behind.
            DigestMismatch: other bytes; nothing is left behind.
            InstallError: the disk refused; nothing is left behind.
        """
        path = self.path(descriptor.digest)
        if descriptor.size <= _SMALL:
            content = await _collected(descriptor, chunks)
            await asyncio.to_thread(self._replace, path, content)
        else:
            await self._stream(descriptor, chunks, path)
        return path

    async def put(self, digest: Digest, content: bytes) -> Path:
        """Store a small document whose digest has been verified.

        Raises:
            InstallError: the disk refused; nothing is left behind.
        """
        path = self.path(digest)
        if not _is_file(path, len(content)):
            await asyncio.to_thread(self._replace, path, content)
        return path

    async def write_index(self, entries: Sequence[Descriptor]) -> None:
        """Replace ``index.json``, by which other tools find the manifests in the folder.

        Raises:
            InstallError: the disk refused; the old index is still there.
        """
        await asyncio.to_thread(self._replace, self._root / "index.json", _index(entries))

    async def _stream(self, descriptor: Descriptor, chunks: AsyncIterator[bytes], path: Path) -> None:
        incoming = _Incoming(self._temporary())
        try:
            await incoming.open()
            async for chunk in _bounded(descriptor, chunks):
                await incoming.write(chunk)
            _check_hash(descriptor, incoming.hexdigest())
            await incoming.publish(path, descriptor.size)
        except BaseException:
            await self._clean(incoming)
            raise

    def _temporary(self) -> Path:
        return self._ingest / uuid.uuid4().hex

    def _replace(self, path: Path, content: bytes) -> None:
        temporary = self._temporary()
        with _refused(path):
            try:
                temporary.write_bytes(content)
                _settle(temporary, path, len(content))
            finally:
                temporary.unlink(missing_ok=True)

    async def _clean(self, incoming: "_Incoming") -> None:
        """Discard, to the end also where this task is cancelled a second time."""
        task = asyncio.create_task(incoming.discard())
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)
        await asyncio.shield(task)


class _Incoming:
    """A temporary file on its way in.

    A thread cannot be cancelled, so each operation runs to its end even where nobody waits for it any more; `discard`
    waits for that before it closes the file (Windows removes no file that is open).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self._file: AsyncBufferedIOBase | None = None
        self._last: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._run(self._open())

    async def write(self, chunk: bytes) -> None:
        await self._run(self._write(chunk))

    async def publish(self, final: Path, size: int) -> None:
        await self._run(self._publish(final, size))

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    async def discard(self) -> None:
        if self._last is not None:
            await asyncio.wait({self._last})
        with contextlib.suppress(OSError):  # closing writes once more what a full disk refused; it closes all the same
            await self._close()
        with contextlib.suppress(OSError):  # what cannot be removed now, `BlobStore.prepare` removes
            await asyncio.to_thread(self._path.unlink, missing_ok=True)

    async def _run(self, work: Coroutine[object, object, None]) -> None:
        self._last = asyncio.create_task(work)
        with _refused(self._path):
            await asyncio.shield(self._last)

    async def _open(self) -> None:
        self._file = await aiofiles.open(self._path, "xb")

    async def _write(self, chunk: bytes) -> None:
        assert self._file is not None
        if len(chunk) < _THREAD_FROM:
            self._hash.update(chunk)
            await self._file.write(chunk)
        else:
            await asyncio.gather(self._file.write(chunk), asyncio.to_thread(self._hash.update, chunk))

    async def _publish(self, final: Path, size: int) -> None:
        await self._close()
        await asyncio.to_thread(_settle, self._path, final, size)

    async def _close(self) -> None:
        if self._file is not None:
            await self._file.close()


async def _bounded(descriptor: Descriptor, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass ``chunks`` on, and no byte more or fewer than promised: size before hash (image-spec descriptor.md)."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > descriptor.size:
            raise SizeMismatch(f"{descriptor.digest}: more than the {descriptor.size} bytes of its descriptor")
        yield chunk
    if size != descriptor.size:
        raise SizeMismatch(f"{descriptor.digest}: {size} bytes, {descriptor.size} in its descriptor")


async def _collected(descriptor: Descriptor, chunks: AsyncIterator[bytes]) -> bytes:
    content = b"".join([chunk async for chunk in _bounded(descriptor, chunks)])
    _check_hash(descriptor, hashlib.sha256(content).hexdigest())
    return content


def _check_hash(descriptor: Descriptor, actual: str) -> None:
    if actual != descriptor.digest.hex:
        raise DigestMismatch(f"{descriptor.digest}: the bytes hash to sha256:{actual}")


def _settle(temporary: Path, final: Path, size: int) -> None:
    """Make the bytes durable, then the name: after a power cut the name must not stand for fewer bytes."""
    with temporary.open("rb+") as file:  # Windows flushes only files open for writing
        os.fsync(file.fileno())
    for wait in (*_REPLACE_WAITS, None):
        try:
            temporary.replace(final)
        except PermissionError:
            # Windows replaces no file that somebody reads. Below blobs/, the one that is there has the same bytes.
            if final.parent.name == "sha256" and _is_file(final, size):
                temporary.unlink()
                return
            if wait is None:
                raise
            time.sleep(wait)
        else:
            return


def _is_file(path: Path, size: int) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size


def _index(entries: Sequence[Descriptor]) -> bytes:
    manifests = [
        {
            "mediaType": entry.media_type,
            "digest": str(entry.digest),
            "size": entry.size,
            **({"annotations": dict(entry.annotations)} if entry.annotations else {}),
        }
        for entry in entries
    ]
    return encode({"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": manifests})


@contextlib.contextmanager
def _refused(path: Path) -> Iterator[None]:
    """Translate what the file system raises; wraps nothing but our own file operations."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            remedy = "the disk is full: free some space, or move ADDON_SYNC_STATE_DIR to a larger volume"
        else:
            remedy = f"{error.strerror or type(error).__name__}; check the folder and its permissions"
        raise InstallError(f"cannot write {path}: {remedy}") from error
