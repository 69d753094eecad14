"""The blob store: whole and true under its digest, or not there at all."""

import asyncio
import errno
import hashlib
import json
import os
import random
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiofiles
import pytest
from aiofiles.threadpool.binary import AsyncBufferedIOBase

from receiver.blobs import BlobStore
from receiver.errors import DigestMismatch, InstallError, SizeMismatch, Unavailable
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest

SMALL = b"a small layer"
LARGE = random.Random(7).randbytes(1_500_000)
BOTH = pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path / "blobs")
    store.prepare()
    return store


def descriptor_of(content: bytes, *, size: int | None = None) -> Descriptor:
    return Descriptor(media_type=media.SCRIPTS, digest=Digest.of(content), size=len(content) if size is None else size)


async def ingest(store: BlobStore, descriptor: Descriptor, chunks: AsyncIterator[bytes]) -> Path:
    async with store.ingest(descriptor) as incoming:
        return await incoming.take(0, chunks)


async def chunks_of(content: bytes, *, step: int = 300_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), step):
        yield content[start : start + step]


def files_below(tmp_path: Path) -> set[str]:
    root = tmp_path / "blobs"
    return {str(path.relative_to(root).as_posix()) for path in root.rglob("*") if path.is_file()}


LAYOUT = {"oci-layout", "index.json"}


@pytest.mark.parametrize("size", [0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 1_500_000])
async def test_a_blob_that_keeps_its_promise_appears(store: BlobStore, tmp_path: Path, size: int) -> None:
    """Under its digest, byte for byte, at every size around the limit between the two ways of writing."""
    content = LARGE[:size]
    descriptor = descriptor_of(content)
    assert not store.has(descriptor)

    path = await ingest(store, descriptor, chunks_of(content))

    assert path == store.path(descriptor.digest)
    assert path.read_bytes() == content
    assert store.has(descriptor)
    assert files_below(tmp_path) == LAYOUT | {f"blobs/sha256/{descriptor.digest.hex}"}


@BOTH
@pytest.mark.parametrize("wrong", [-1, 1])
async def test_another_size_leaves_nothing_behind(store: BlobStore, tmp_path: Path, content: bytes, wrong: int) -> None:
    """A byte more or fewer than promised, even where the hash would be right (hazards "Size", E15)."""
    descriptor = descriptor_of(content, size=len(content) + wrong)

    with pytest.raises(SizeMismatch):
        await ingest(store, descriptor, chunks_of(content))
    assert files_below(tmp_path) == LAYOUT


@BOTH
async def test_other_bytes_leave_nothing_behind(store: BlobStore, tmp_path: Path, content: bytes) -> None:
    """The right size and one bit wrong (hazards J15)."""
    damaged = bytes([content[0] ^ 1]) + content[1:]

    with pytest.raises(DigestMismatch):
        await ingest(store, descriptor_of(content), chunks_of(damaged))
    assert files_below(tmp_path) == LAYOUT


@BOTH
async def test_nothing_is_read_after_the_first_byte_too_many(store: BlobStore, content: bytes) -> None:
    """An endless body fills no disk."""
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield content

    with pytest.raises(SizeMismatch):
        await ingest(store, descriptor_of(content), endless())
    assert taken == 2


@BOTH
async def test_a_cut_body_leaves_nothing_behind(store: BlobStore, tmp_path: Path, content: bytes) -> None:
    """What the registry raises comes out as it is."""

    async def cut() -> AsyncIterator[bytes]:
        yield content[: len(content) // 2]
        raise Unavailable("cut")

    with pytest.raises(Unavailable, match="cut"):
        await ingest(store, descriptor_of(content), cut())
    assert files_below(tmp_path) == LAYOUT


@BOTH
async def test_a_cut_body_is_continued(store: BlobStore, tmp_path: Path, content: bytes) -> None:
    """Twice cut, each time continued where it broke off: the whole is there, and nothing else."""
    descriptor, third = descriptor_of(content), len(content) // 3

    async def cut(start: int) -> AsyncIterator[bytes]:
        yield content[start : start + third]
        raise Unavailable("cut")

    async with store.ingest(descriptor) as incoming:
        for tries in range(2):
            with pytest.raises(Unavailable):
                await incoming.take(incoming.received, cut(incoming.received))
            assert incoming.received == (tries + 1) * third
        await incoming.take(incoming.received, chunks_of(content[2 * third :]))

    assert store.path(descriptor.digest).read_bytes() == content
    assert files_below(tmp_path) == LAYOUT | {f"blobs/sha256/{descriptor.digest.hex}"}


@BOTH
async def test_a_body_that_begins_again_drops_what_was_there(store: BlobStore, tmp_path: Path, content: bytes) -> None:
    """A source that cannot continue starts from zero; the first part is gone, and leaves no file."""
    descriptor = descriptor_of(content)

    async def cut() -> AsyncIterator[bytes]:
        yield b"other bytes"
        raise Unavailable("cut")

    async with store.ingest(descriptor) as incoming:
        with pytest.raises(Unavailable):
            await incoming.take(0, cut())
        await incoming.take(0, chunks_of(content))
    assert store.path(descriptor.digest).read_bytes() == content
    assert files_below(tmp_path) == LAYOUT | {f"blobs/sha256/{descriptor.digest.hex}"}


@BOTH
async def test_a_poisoned_part_does_not_survive(store: BlobStore, tmp_path: Path, content: bytes) -> None:
    """After a wrong digest the next bytes begin at zero, on an empty file (hazards "Range resume")."""
    descriptor, half = descriptor_of(content), len(content) // 2

    async def poisoned() -> AsyncIterator[bytes]:
        yield bytes(half)
        raise Unavailable("cut")

    async with store.ingest(descriptor) as incoming:
        with pytest.raises(Unavailable):
            await incoming.take(0, poisoned())
        with pytest.raises(DigestMismatch):
            await incoming.take(half, chunks_of(content[half:]))
        assert incoming.received == 0
        assert files_below(tmp_path) == LAYOUT
        await incoming.take(0, chunks_of(content))
    assert store.path(descriptor.digest).read_bytes() == content


@BOTH
async def test_an_error_of_the_source_is_not_taken_for_one_of_the_disk(store: BlobStore, content: bytes) -> None:
    """Only our own file operations become InstallError."""

    async def broken() -> AsyncIterator[bytes]:
        yield content[:5]
        raise OSError(errno.ENOSPC, "not our disk")

    with pytest.raises(OSError, match="not our disk"):
        await ingest(store, descriptor_of(content), broken())


async def test_cancelling_leaves_nothing_behind(store: BlobStore, tmp_path: Path) -> None:
    """A stop in the middle of a blob, also a second one while the first is being tidied."""
    for cancellations in (1, 2):
        reached = asyncio.Event()

        async def stuck(reached: asyncio.Event = reached) -> AsyncIterator[bytes]:
            yield LARGE[:500_000]
            reached.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(ingest(store, descriptor_of(LARGE), stuck()))
        await reached.wait()
        for _ in range(cancellations):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        await _until(lambda: files_below(tmp_path) == LAYOUT)


async def test_a_write_that_runs_when_cancelled_is_waited_for(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread cannot be cancelled: the file is closed and removed only after its last write."""
    entered, go_on = threading.Event(), threading.Event()
    real = hashlib.sha256

    class Slow:
        """Hashes when it may."""

        def __init__(self) -> None:
            self._hash = real()

        def update(self, part: bytes) -> None:
            entered.set()
            go_on.wait(10)
            self._hash.update(part)

    descriptor = descriptor_of(LARGE)
    monkeypatch.setattr(hashlib, "sha256", Slow)
    task = asyncio.create_task(ingest(store, descriptor, chunks_of(LARGE)))
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=0.05)
    assert not done
    assert len(files_below(tmp_path) - LAYOUT) == 1

    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files_below(tmp_path) == LAYOUT


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a file that disappears sets no event
            await asyncio.sleep(0.001)


@BOTH
async def test_the_same_blob_may_come_twice_at_once(store: BlobStore, tmp_path: Path, content: bytes) -> None:
    """Two addons that share a layer: both succeed, one file is there."""
    descriptor = descriptor_of(content)

    await asyncio.gather(*(ingest(store, descriptor, chunks_of(content)) for _ in range(8)))

    assert files_below(tmp_path) == LAYOUT | {f"blobs/sha256/{descriptor.digest.hex}"}
    assert store.path(descriptor.digest).read_bytes() == content


class Disk:
    """Lets the n-th call of one kind of file operation fail."""

    def __init__(self, code: int, *, after: int = 0) -> None:
        self.code = code
        self.left = after

    def check(self) -> None:
        if self.left == 0:
            raise OSError(self.code, os.strerror(self.code))
        self.left -= 1


@pytest.mark.parametrize(
    ("operation", "content"),
    [("open", LARGE), ("write", LARGE), ("fsync", LARGE), ("replace", LARGE), ("fsync", SMALL), ("replace", SMALL)],
)
async def test_a_disk_that_refuses_leaves_nothing_behind(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, content: bytes
) -> None:
    """Full at any step: an error that names the path and the remedy, and no file (hazards F1, F4)."""
    disk = Disk(errno.ENOSPC)
    _break(monkeypatch, operation, disk)

    with pytest.raises(InstallError, match=r"disk is full.*ADDON_SYNC_STATE_DIR") as caught:
        await ingest(store, descriptor_of(content), chunks_of(content))
    assert str(tmp_path) in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    monkeypatch.undo()
    assert files_below(tmp_path) == LAYOUT
    await ingest(store, descriptor_of(content), chunks_of(content))


def _break(monkeypatch: pytest.MonkeyPatch, operation: str, disk: Disk) -> None:
    if operation == "open":

        async def refused(*_: object, **__: object) -> None:
            disk.check()

        monkeypatch.setattr(aiofiles, "open", refused)
    elif operation == "write":

        async def write(self: object, chunk: bytes) -> None:
            disk.check()

        monkeypatch.setattr("aiofiles.threadpool.binary.AsyncBufferedIOBase.write", write)
    elif operation == "fsync":
        monkeypatch.setattr(os, "fsync", lambda descriptor: disk.check())
    else:
        monkeypatch.setattr(Path, "replace", lambda self, target: disk.check())


async def test_a_file_that_cannot_be_closed_is_removed(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing flushes what a full disk refused before: the first error counts, and nothing is left behind."""
    close = AsyncBufferedIOBase.close

    async def refuse(self: AsyncBufferedIOBase) -> None:
        await close(self)
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(AsyncBufferedIOBase, "close", refuse)
    with pytest.raises(DigestMismatch):
        await ingest(store, descriptor_of(LARGE), chunks_of(LARGE[:-1] + bytes([LARGE[-1] ^ 1])))
    assert files_below(tmp_path) == LAYOUT


async def test_a_refusal_names_the_folder_to_look_at(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a full disk: the system's own words, and what to check."""
    _break(monkeypatch, "fsync", Disk(errno.EIO))

    with pytest.raises(InstallError, match="check the folder and its permissions"):
        await ingest(store, descriptor_of(SMALL), chunks_of(SMALL))


@BOTH
async def test_bytes_are_durable_before_their_name(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """Flushed, then renamed: after a power cut a name must not stand for bytes that were never written."""
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def flush(descriptor: int) -> None:
        order.append("fsync")
        fsync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        order.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Path, "replace", rename)
    await ingest(store, descriptor_of(content), chunks_of(content))
    assert order == ["fsync", "replace"]


@BOTH
async def test_windows_does_not_replace_what_is_being_read(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """There a rename onto an open file is refused: the blob that is there has the same bytes and stays."""
    descriptor = descriptor_of(content)
    await ingest(store, descriptor, chunks_of(content))

    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(errno.EACCES, "sharing violation")

    monkeypatch.setattr(Path, "replace", refuse)
    await ingest(store, descriptor, chunks_of(content))
    assert files_below(tmp_path) == LAYOUT | {f"blobs/sha256/{descriptor.digest.hex}"}


async def test_windows_holds_a_new_file_for_moments(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virus scanner refuses the first renames; for good, it is an error that leaves nothing behind (hazards F3)."""
    real, refusals, waits = Path.replace, [2], list[float]()

    def refuse(self: Path, target: Path) -> Path:
        if refusals[0]:
            refusals[0] -= 1
            raise PermissionError(errno.EACCES, "sharing violation")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr("receiver.blobs.time.sleep", waits.append)
    await ingest(store, descriptor_of(LARGE), chunks_of(LARGE))
    assert len(waits) == 2

    refusals[0] = 100
    with pytest.raises(InstallError):
        await ingest(store, descriptor_of(SMALL), chunks_of(SMALL))
    assert files_below(tmp_path) == LAYOUT | {f"blobs/sha256/{Digest.of(LARGE).hex}"}


def test_a_blob_of_another_size_is_not_there(store: BlobStore) -> None:
    """Damaged on disk, or a folder in its place, even one of the right size: fetched again."""
    descriptor = descriptor_of(SMALL)
    path = store.path(descriptor.digest)

    path.write_bytes(SMALL[:-1])
    assert not store.has(descriptor)
    path.unlink()
    path.mkdir()
    assert not store.has(descriptor_of(SMALL, size=path.lstat().st_size))
    path.rmdir()
    path.write_bytes(SMALL)
    assert store.has(descriptor)


async def test_a_small_document_is_stored_once(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest that is there already is not written again."""
    digest = Digest.of(SMALL)

    assert (await store.put(digest, SMALL)).read_bytes() == SMALL
    monkeypatch.setattr(Path, "replace", lambda self, target: pytest.fail("written again"))
    await store.put(digest, SMALL)


def test_preparing_clears_what_a_crash_left(tmp_path: Path) -> None:
    """Half-written files go, blobs and the index stay."""
    store = BlobStore(tmp_path / "blobs")
    store.prepare()
    (tmp_path / "blobs" / "ingest" / "half").write_bytes(b"x")
    store.path(Digest.of(SMALL)).write_bytes(SMALL)
    (tmp_path / "blobs" / "index.json").write_text("kept")

    BlobStore(tmp_path / "blobs").prepare()

    assert files_below(tmp_path) == LAYOUT | {f"blobs/sha256/{Digest.of(SMALL).hex}"}
    assert (tmp_path / "blobs" / "index.json").read_text() == "kept"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "blobs").write_text("in the way")

    with pytest.raises(InstallError, match="blobs"):
        BlobStore(tmp_path / "blobs").prepare()


async def test_the_folder_is_an_image_layout(store: BlobStore, tmp_path: Path) -> None:
    """Other tools find the manifests through index.json (image-spec image-layout.md)."""
    root = tmp_path / "blobs"
    assert json.loads((root / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    empty: dict[str, Any] = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": []}
    assert json.loads((root / "index.json").read_text()) == empty

    name = {"org.opencontainers.image.ref.name": "addons/x:v1"}
    digest = Digest.of(SMALL)
    named = Descriptor(media_type=media.OCI_MANIFEST, digest=digest, size=13, annotations=name)
    store.write_index([named, Descriptor(media_type=media.OCI_INDEX, digest=digest, size=13)])

    first, second = json.loads((root / "index.json").read_text())["manifests"]
    assert first == {"mediaType": media.OCI_MANIFEST, "digest": str(digest), "size": 13, "annotations": name}
    assert second == {"mediaType": media.OCI_INDEX, "digest": str(digest), "size": 13}
    assert files_below(tmp_path) == LAYOUT


async def test_the_index_is_replaced_whole(store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk leaves the old one."""
    before = (tmp_path / "blobs" / "index.json").read_bytes()
    _break(monkeypatch, "fsync", Disk(errno.ENOSPC))

    with pytest.raises(InstallError):
        store.write_index([descriptor_of(SMALL)])
    assert (tmp_path / "blobs" / "index.json").read_bytes() == before
    assert files_below(tmp_path) == LAYOUT


async def test_large_chunks_are_hashed_off_the_loop(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop answers webhooks meanwhile: no large chunk is hashed or written in its thread."""
    loop_thread, threads = threading.get_ident(), set[int]()
    real = hashlib.sha256

    class Watched:
        """Remembers who hashes."""

        def __init__(self, content: bytes = b"") -> None:
            self._hash = real(content)

        def update(self, part: bytes) -> None:
            threads.add(threading.get_ident())
            self._hash.update(part)

        def hexdigest(self) -> str:
            return self._hash.hexdigest()

    descriptor = descriptor_of(LARGE)
    monkeypatch.setattr(hashlib, "sha256", Watched)
    await ingest(store, descriptor, chunks_of(LARGE))

    assert threads
    assert loop_thread not in threads


async def stored(store: BlobStore, content: bytes) -> Descriptor:
    await store.put(Digest.of(content), content)
    return descriptor_of(content)


async def test_what_is_neither_wanted_nor_pinned_is_collected(store: BlobStore) -> None:
    """The rest stays."""
    wanted, pinned, unused = [await stored(store, content) for content in (b"wanted", b"pinned", b"unused")]
    with store.pinned() as pin:
        pin(pinned.digest)
        assert store.collect(lambda: [wanted.digest]) == 1
    assert [store.has(blob) for blob in (wanted, pinned, unused)] == [True, True, False]
    assert store.collect(lambda: [wanted.digest]) == 1
    assert not store.has(pinned)


async def test_what_is_installed_while_blobs_are_collected_stays(store: BlobStore) -> None:
    """Pinned, recorded and let go between the question what is wanted and the removal: it is in neither answer."""
    blob = await stored(store, b"new")

    def wanted() -> list[Digest]:
        with store.pinned() as pin:
            pin(blob.digest)
        return []

    assert store.collect(wanted) == 0
    assert store.has(blob)


async def test_two_installations_may_pin_the_same_blob(store: BlobStore) -> None:
    """The first to end does not let go of the other's."""
    blob = await stored(store, b"shared")
    with store.pinned() as first:
        first(blob.digest)
        with store.pinned() as second:
            second(blob.digest)
        assert store.collect(list) == 0
    assert store.collect(list) == 1


async def test_a_blob_that_rotted_is_found_and_removed(store: BlobStore) -> None:
    """Of the same size, cut off, or gone: only those are missing then."""
    good, rotten, short, gone = [await stored(store, content) for content in (b"good", b"rotten", b"short", b"gone!")]
    store.path(rotten.digest).write_bytes(b"r0tten")
    store.path(short.digest).write_bytes(b"sho")
    store.path(gone.digest).unlink()
    assert store.discard_damaged([good, rotten, short, gone]) == [rotten, short, gone]
    assert store.read(good) == b"good"
    for blob in (rotten, gone):
        with pytest.raises(SizeMismatch):
            store.read(blob)
    assert not store.path(rotten.digest).exists()


async def test_a_document_is_verified_when_it_is_read_again(store: BlobStore) -> None:
    """A kept release is installed from it as root; the disk is not believed."""
    blob = await stored(store, b"manifest")
    store.path(blob.digest).write_bytes(b"manifesT")
    with pytest.raises(DigestMismatch):
        store.read(blob)
