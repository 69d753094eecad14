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
import threading
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import aiofiles

from receiver.document import encode
from receiver.errors import InstallError, SizeMismatch
from receiver.ingest import Incoming, Ingest, InMemory, check_hash
from receiver.links import is_plain_folder
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
        self._guard = threading.Lock()
        self._pins: Counter[str] = Counter()
        self._pinned_lately: set[str] | None = None
        """While a collection runs: what was pinned at any time since it began."""

    def prepare(self) -> None:
        """Create the folders, and clear away what a crash left half-written. Blocks; call it once, before any ingest.

        Raises:
            InstallError: the disk refused; what was there still is.
        """
        with _refused(self._root):
            for folder in (self._root, self._root / "blobs", self._blobs, self._ingest):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not is_plain_folder(folder):
                    raise InstallError(f"{folder} is a link or no folder: remove it")
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

    @contextlib.asynccontextmanager
    async def ingest(self, descriptor: Descriptor) -> AsyncIterator[Ingest]:
        """Take a blob in, in one go or in several; what is not whole at the end of this is removed."""
        ingest = Ingest(descriptor, self.path(descriptor.digest), fresh=self._incoming, discard=self._clean)
        try:
            yield ingest
        finally:
            await ingest.drop()

    async def put(self, digest: Digest, content: bytes) -> Path:
        """Store a small document whose digest has been verified.

        Raises:
            InstallError: the disk refused; nothing is left behind.
        """
        path = self.path(digest)
        if not _is_file(path, len(content)):
            await asyncio.to_thread(self._replace, path, content)
        return path

    def read(self, descriptor: Descriptor) -> bytes:
        """The whole content of a small blob, verified anew. Blocks.

        Raises:
            DigestMismatch, SizeMismatch: the file is damaged, or gone.
            InstallError: it cannot be read.
        """
        with _refused(self.path(descriptor.digest), verb="read"):
            try:
                content = self.path(descriptor.digest).read_bytes() if self.has(descriptor) else b""
            except FileNotFoundError:
                content = b""
        if len(content) != descriptor.size:
            raise SizeMismatch(f"{descriptor.digest} is not whole in the blob store, or not there")
        check_hash(descriptor, hashlib.sha256(content).hexdigest())
        return content

    def discard_damaged(self, descriptors: Collection[Descriptor]) -> list[Descriptor]:
        """Hash each blob anew and remove those that are not what they were; which are missing now. Blocks.

        Raises:
            InstallError: one cannot be read or removed.
        """
        missing = []
        for descriptor in descriptors:
            path = self.path(descriptor.digest)
            with _refused(path, verb="read"):
                if self.has(descriptor):
                    with path.open("rb") as file:
                        if hashlib.file_digest(file, "sha256").hexdigest() == descriptor.digest.hex:
                            continue
                    path.unlink()
            missing.append(descriptor)
        return missing

    @contextlib.contextmanager
    def pinned(self) -> Iterator[Callable[[Digest], None]]:
        """Within this, what is given to the function that it yields is not collected."""
        mine: list[str] = []

        def pin(digest: Digest) -> None:
            # Under the lock: a removal that has begun is over then, and `has` tells the truth.
            with self._guard:
                mine.append(digest.hex)
                self._pins[digest.hex] += 1
                if self._pinned_lately is not None:
                    self._pinned_lately.add(digest.hex)

        try:
            yield pin
        finally:
            with self._guard:
                self._pins.subtract(mine)
                self._pins = +self._pins

    def collect(self, wanted: Callable[[], Collection[Digest]]) -> int:
        """Remove every blob that is neither wanted nor pinned; how many. Blocks; one at a time.

        ``wanted`` is asked after the collection has begun: what is pinned when it answers may not be wanted yet.

        Raises:
            InstallError: the disk refused; the rest is still there.
        """
        with self._guard:
            self._pinned_lately = set(self._pins)
        try:
            keep = {digest.hex for digest in wanted()}
            count = 0
            with _refused(self._blobs, verb="remove"):
                for path in self._blobs.iterdir():
                    count += path.name not in keep and self._remove_unless_pinned(path)
            return count
        finally:
            with self._guard:
                self._pinned_lately = None

    def write_index(self, entries: Sequence[Descriptor]) -> None:
        """Replace ``index.json``, by which other tools find the manifests in the folder. Blocks.

        Raises:
            InstallError: the disk refused; the old index is still there.
        """
        self._replace(self._root / "index.json", _index(entries))

    def _remove_unless_pinned(self, path: Path) -> bool:
        with self._guard:
            if self._pinned_lately is not None and path.name in self._pinned_lately:
                return False
            path.unlink(missing_ok=True)
            return True

    def _incoming(self, descriptor: Descriptor) -> Incoming:
        return InMemory(self._replace) if descriptor.size <= _SMALL else _OnDisk(self._temporary())

    def _temporary(self) -> Path:
        return self._ingest / uuid.uuid4().hex

    def _replace(self, path: Path, content: bytes | bytearray) -> None:
        temporary = self._temporary()
        with _refused(path):
            try:
                temporary.write_bytes(content)
                _settle(temporary, path, len(content))
            finally:
                temporary.unlink(missing_ok=True)

    async def _clean(self, incoming: Incoming) -> None:
        """Discard, to the end also where this task is cancelled a second time."""
        task = asyncio.create_task(incoming.discard())
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)
        await asyncio.shield(task)


class _OnDisk:
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
        if self._file is None:
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
def _refused(path: Path, *, verb: str = "write") -> Iterator[None]:
    """Translate what the file system raises; wraps nothing but our own file operations."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            remedy = "the disk is full: free some space, or move ADDON_SYNC_STATE_DIR to a larger volume"
        else:
            remedy = f"{error.strerror or type(error).__name__}; check the folder and its permissions"
        raise InstallError(f"cannot {verb} {path}: {remedy}") from error
