"""The strict gzip reader: one whole member, bounded in memory, and no thread left behind."""

import gzip
import inspect
import io
import random
import threading
import tracemalloc
import zipfile
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from receiver.catalog import inflate as module
from receiver.catalog.inflate import inflate
from receiver.catalog.limits import ArchiveLimits
from receiver.errors import InstallError, UnsafeArchive
from tests.support.tarwriter import gzipped

TEXT = b"some text, some more text, and a little more. " * 100
LIMITS = ArchiveLimits()


@pytest.fixture(params=["beside", "in line"])
def _read_ahead(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every promise holds with the thread that reads ahead and without it."""
    monkeypatch.setattr(module, "_READ_AHEAD_FROM", 0 if request.param == "beside" else 1 << 60)


def inflated(folder: Path, data: bytes, *, size: int | None = None, limits: ArchiveLimits = LIMITS) -> bytes:
    path = folder / "layer"
    path.write_bytes(data)
    return b"".join(inflate(path, size=len(data) if size is None else size, limits=limits))


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("inflate")]


@pytest.mark.usefixtures("_read_ahead")
@pytest.mark.parametrize("length", [0, 1, 511, 65_536, 524_288, 524_289, 3_000_000])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_whatever_was_compressed_comes_out(tmp_path: Path, length: int, level: int) -> None:
    """Stored, fast and small; lengths around the size of a chunk."""
    content = random.Random(length).randbytes(min(length, 300_000))
    content += content[: length - len(content)] * 10
    assert inflated(tmp_path, gzipped(content, level=level)) == content


def test_chunks_are_bounded(tmp_path: Path) -> None:
    """Memory is a few chunks, however much comes out."""
    path = tmp_path / "layer"
    path.write_bytes(gzip.compress(random.Random(1).randbytes(100_000) * 30))
    sizes = [len(chunk) for chunk in inflate(path, size=path.stat().st_size, limits=LIMITS)]
    assert sum(sizes) == 3_000_000
    assert max(sizes) <= 512 * 1024


NAME, COMMENT = b"n" * 70_000 + b"\0", b"c" * 100_000 + b"\0"
EXTRA = (65_535).to_bytes(2, "little") + bytes(65_535)
FIXED = b"\x1f\x8b\x08\x1e\0\0\0\0\0\xff"
ALL = EXTRA + NAME + b"c\0"
GOOD_HEADERS = {
    "text flag": (0x01, b""),
    "extra field": (0x04, EXTRA),
    "name": (0x08, NAME),
    "comment": (0x10, COMMENT),
    "everything": (0x1E, ALL + (zlib.crc32(FIXED + ALL) & 0xFFFF).to_bytes(2, "little")),
}


@pytest.mark.parametrize("case", GOOD_HEADERS)
def test_optional_header_fields_are_passed_over(tmp_path: Path, case: str) -> None:
    """E8: long ones too."""
    flags, extra = GOOD_HEADERS[case]
    assert inflated(tmp_path, gzipped(TEXT, flags=flags, extra=extra)) == TEXT


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as writer:
        writer.writestr("a", TEXT)
    return target.getvalue()


GOOD = gzipped(TEXT)
BROKEN = {
    "empty": (b"", "begins with nothing"),
    "plain tar": (b"name" + bytes(508), "not a gzip stream: it begins with 6e 61 6d 65"),
    "zip": (zipped(), "not a gzip stream"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(20), "not a gzip stream"),
    "xz": (b"\xfd7zXZ\0" + bytes(20), "not a gzip stream"),
    "zlib": (zlib.compress(TEXT), "not a gzip stream"),
    "other method": (GOOD[:2] + b"\x07" + GOOD[3:], "not a gzip stream"),
    "reserved flag": (gzipped(TEXT, flags=0x20), "reserved flags"),
    "header cut off": (GOOD[:9], "cut off"),
    "header checksum wrong": (gzipped(TEXT, flags=0x02, extra=b"\0\0"), "checksum of the gzip header"),
    "name without end": (GOOD[:3] + b"\x08" + GOOD[4:10] + b"n" * 400_000, "does not end"),
    "extra beyond the end": (GOOD[:3] + b"\x04" + GOOD[4:10] + b"\xff\xff", "does not end"),
    "body cut off": (GOOD[:-20], "cut off"),
    "trailer cut off": (GOOD[:-1], "cut off"),
    "no trailer": (GOOD[:-8], "cut off"),
    "body damaged": (GOOD[:10] + b"\xff" + GOOD[11:], "damaged"),
    "checksum wrong": (gzipped(TEXT, checksum=1), "at the end of the gzip stream is wrong"),
    "length wrong": (gzipped(TEXT, length=1), "at the end of the gzip stream is wrong"),
    "garbage after": (GOOD + b"x", "one member"),
    "zeros after": (GOOD + bytes(512), "one member"),
    "second member": (GOOD + GOOD, "one member"),
    "empty members": (gzipped(b"") * 10_000, "one member"),
    "much garbage after": (GOOD + bytes(600_000), "one member"),
}


@pytest.mark.usefixtures("_read_ahead")
@pytest.mark.parametrize("case", BROKEN)
def test_everything_but_one_whole_member_is_refused(tmp_path: Path, case: str) -> None:
    """Hazards E1 to E11; afterwards no thread is left."""
    data, reason = BROKEN[case]
    with pytest.raises(UnsafeArchive, match=reason):
        inflated(tmp_path, data)
    assert threads() == []


@pytest.mark.parametrize("off", [-1, 1])
def test_another_size_than_the_descriptor_says_is_refused(tmp_path: Path, off: int) -> None:
    """E15: whatever happened to the file since it was verified."""
    with pytest.raises(UnsafeArchive, match=f"its descriptor says {len(GOOD) + off}"):
        inflated(tmp_path, GOOD, size=len(GOOD) + off)


def test_a_layer_over_its_limit_is_not_opened(tmp_path: Path) -> None:
    """The size is known before anything is read."""
    with pytest.raises(UnsafeArchive, match="the limit is 1000"):
        list(inflate(tmp_path / "not there", size=1001, limits=ArchiveLimits(max_layer_size=1000)))


@pytest.mark.usefixtures("_read_ahead")
def test_a_bomb_is_refused_early_and_in_little_memory(tmp_path: Path) -> None:
    """E13: 64 MiB out of 65 KB; at 200 times its size it ends."""
    path = tmp_path / "layer"
    deflater = zlib.compressobj(9, zlib.DEFLATED, 31)
    path.write_bytes(b"".join(deflater.compress(bytes(1 << 20)) for _ in range(64)) + deflater.flush())
    sizes: list[int] = []
    tracemalloc.start()
    try:
        with pytest.raises(UnsafeArchive, match="limit of 200 times"):
            sizes.extend(map(len, inflate(path, size=path.stat().st_size, limits=LIMITS)))
        assert 0 < sum(sizes) <= 200 * path.stat().st_size
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_small_layer_may_compress_well(tmp_path: Path) -> None:
    """The ratio counts from 1 MiB on: a file of one repeated line is no bomb."""
    assert inflated(tmp_path, gzipped(bytes(1 << 20))) == bytes(1 << 20)
    with pytest.raises(UnsafeArchive, match="limit of 200 times"):
        inflated(tmp_path, gzipped(bytes((1 << 20) + 1)))


@pytest.mark.usefixtures("_read_ahead")
def test_a_file_that_cannot_be_read_is_no_fault_of_its_content(tmp_path: Path) -> None:
    """Time or the operator cures it, no new push is needed."""
    with pytest.raises(InstallError, match="cannot read the layer gone"):
        list(inflate(tmp_path / "gone", size=10, limits=LIMITS))
    assert threads() == []


@pytest.mark.usefixtures("_read_ahead")
def test_stopping_early_ends_thread_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused entry ends everything at once: after ``close`` nothing runs and nothing is open."""
    opened: list[io.FileIO] = []
    real = Path.open

    def remember(self: Path, *args: object, **kwargs: object) -> object:
        file = real(self, *args, **kwargs)  # type: ignore[call-overload]  # whatever it was called with
        opened.append(file)
        return file

    path = tmp_path / "layer"
    path.write_bytes(gzip.compress(random.Random(2).randbytes(1 << 20) * 8, 1))
    monkeypatch.setattr(Path, "open", remember)
    chunks = inflate(path, size=path.stat().st_size, limits=LIMITS)
    next(chunks)
    chunks.close()
    assert threads() == []
    assert [file.closed for file in opened] == [True]


def test_the_source_is_closed_when_the_reader_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever else still refers to it: the file must not wait for the garbage collector."""

    def source() -> Generator[bytes, None, None]:
        yield from [b"x"] * 50

    chunks = source()
    reader = module._read_ahead(chunks)
    next(reader)
    reader.close()
    assert inspect.getgeneratorstate(chunks) == inspect.GEN_CLOSED
    assert threads() == []


def test_only_large_layers_get_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread for each of 143 small files would cost more than it saves."""
    monkeypatch.setattr(module, "_READ_AHEAD_FROM", 1000)

    def during(content: bytes) -> Iterator[list[str]]:
        path = tmp_path / "layer"
        path.write_bytes(gzipped(content, level=0))
        for _ in inflate(path, size=path.stat().st_size, limits=LIMITS):
            yield threads()

    assert list(during(bytes(100))) == [[]]
    assert list(during(bytes(2000))) == [["inflate_0"]]


def test_the_reader_stays_a_few_chunks_ahead_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk must not let the whole layer pile up in memory."""
    monkeypatch.setattr(module, "_READ_AHEAD_FROM", 0)
    taken: list[int] = []

    def source() -> Generator[bytes, None, None]:
        for n in range(50):
            taken.append(n)
            yield b"x"

    ahead = 0
    for used, _ in enumerate(module._read_ahead(source()), start=1):
        ahead = max(ahead, len(taken) - used)
    assert len(taken) == 50
    assert ahead <= 3
