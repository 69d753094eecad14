"""Bombs: little on the wire, much to whoever unpacks it. Each is refused within stated time and memory."""

import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.tarwriter import archive, entry, folder, gzipped, header, long_name, pax, record

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
MAX_GROWTH, MAX_SECONDS = 32, 2.0
"""MiB, and seconds of the processor. Other readers took 309 MiB for the PAX header; here each layer took less than 2,
and a document some 25 as bytes, text and values. Most took less than 0.1 s."""
MAX_GROWTH_OF_MANY, MAX_SECONDS_OF_MANY = 64, 30.0
"""For the 50,000 entries that are taken before one is too many: they are written, noted, and removed again, so much of
it is the system's. Measured: 33 MiB and 7 s, where another reader was at 926 MiB."""
_NONE = gzipped(b"")


def _flushed(content: bytes) -> bytes:
    """``content`` as deflate blocks that may stand anywhere in a stream, any number of times."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(content) + deflater.flush(zlib.Z_FULL_FLUSH)


_ZEROS = _flushed(bytes(MIB))


def _packed(*parts: bytes) -> bytes:
    """A gzip member of flushed ``parts``. Its checksum is wrong, but nobody may get as far as that."""
    last = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + b"".join(parts) + last + bytes(8)


def _large_pax() -> bytes:
    length = 300 * MIB
    return _packed(_flushed(header("x", kind=b"x", size=length) + b"%d comment=" % length), _ZEROS * 300)


def _large_file(mib: int) -> bytes:
    return _packed(_flushed(header("zeros", size=mib * MIB)), _ZEROS * mib)


def _many_large_files() -> bytes:
    return _packed(*(_flushed(header(f"zeros{n}", size=MIB)) + _ZEROS for n in range(1000)))


def _many_files() -> bytes:
    return gzipped(archive(*(header(f"{n:06}") for n in range(200_000))), level=6)


def _many_folders() -> bytes:
    return gzipped(archive(*(folder("d/", mtime=b"%011o\0" % (n * n)) for n in range(60_000))), level=6)


def _sparse() -> bytes:
    size = str(1 << 40)
    return gzipped(archive(pax(record("GNU.sparse.realsize", size), record("GNU.sparse.major", "1")), entry("s", b"1")))


LAYERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "D12 a PAX header of 300 MiB": (_large_pax, "ADDON_SYNC_MAX_PAX_HEADER"),
    "D13 1,000 PAX headers in a row": (lambda: gzipped(pax(record("mtime", "1")) * 1000), "follows another"),
    "D13 1,000 global PAX headers in a row": (
        lambda: gzipped(pax(record("comment", "c"), kind=b"g") * 1000),
        "ADDON_SYNC_MAX_EXTENSIONS",
    ),
    "D13 1,000 long names in a row": (lambda: gzipped(long_name(b"a\0") * 1000), "follows another"),
    "D14 160 KB of digits": (lambda: gzipped(archive(pax(b"1" * 160_000))), "ADDON_SYNC_MAX_PAX_HEADER"),
    "D14 60 KB of digits as a size": (lambda: gzipped(archive(pax(record("size", "1" * 60_000)))), "is no size"),
    "D16 a sparse file of 1 TiB": (_sparse, "GNU.sparse"),
    "E7 10,000 empty members": (lambda: _NONE * 10_000, "one member is expected"),
    "E7 10,000 empty members after an archive": (
        lambda: gzipped(archive(entry("a", b"1"))) + _NONE * 10_000,
        "one member is expected",
    ),
    "E13 1 GiB as one file": (lambda: _large_file(1024), "ADDON_SYNC_MAX_FILE_SIZE"),
    "E13 512 MiB as one file": (lambda: _large_file(512), "ADDON_SYNC_MAX_RATIO"),
    "E13 1,000 files of 1 MiB": (_many_large_files, "ADDON_SYNC_MAX_RATIO"),
    "E13 1 GiB of zeros after the end": (lambda: _packed(_ZEROS * 1024), "more zeros after the end"),
}
"""By name: how the layer is made, and what its refusal says."""

MANY = {"200,000 empty files": _many_files, "D25 a folder 60,000 times": _many_folders}

DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "I15 2 million lists in each other": lambda: b"[" * 2_000_000,
    "I15 100,000 descriptors": lambda: (
        b'{"layers": [' + b",".join([b'{"mediaType":"x","digest":"y","size":1}'] * 100_000)
    ),
    "I15 a million empty objects": lambda: b'{"x": [' + b",".join([b"{}"] * 1_300_000) + b"]}",
    "I15 a million short texts": lambda: b'{"x": [' + b",".join([b'"ab"'] * 800_000) + b"]}",
    "I15 190,000 short texts": lambda: b'{"x": [' + b",".join([b'"' + b"a" * 18 + b'"'] * 190_000) + b"]}",
    "I17 an integer of 4 million digits": lambda: b'{"x": ' + b"9" * 4_000_000 + b"}",
}


def measured(kind: str, content: bytes, scratch: Path) -> tuple[float, float, str]:
    """Seconds of the processor, growth in MiB, and the refusal."""
    file = scratch / "bomb"
    file.write_bytes(content)
    command = [sys.executable, "-m", "tests.support.measured_refusal", kind, str(file)]
    ended = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
    found = json.loads(ended.stdout)
    assert not file.with_suffix(".tree").exists()
    return found["seconds"], found["growth"], found["error"]


@pytest.mark.parametrize("case", LAYERS)
def test_a_bomb_is_refused_in_little_time_and_memory(tmp_path: Path, case: str) -> None:
    """Hazards D12 to D14, D16, E7, E13: refused by its limit, not by what the host has."""
    make, says = LAYERS[case]
    seconds, growth, error = measured("unpack", make(), tmp_path)
    assert says in error
    assert growth < MAX_GROWTH
    assert seconds < MAX_SECONDS


@pytest.mark.parametrize("case", MANY)
def test_too_many_entries_are_refused_in_bounded_time_and_memory(tmp_path: Path, case: str) -> None:
    """One entry costs a moment and half a kilobyte; their number has a limit."""
    seconds, growth, error = measured("unpack", MANY[case](), tmp_path)
    assert "ADDON_SYNC_MAX_FILES" in error
    assert growth < MAX_GROWTH_OF_MANY
    assert seconds < MAX_SECONDS_OF_MANY


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_document_of_four_megabytes_is_refused_in_little_time_and_memory(tmp_path: Path, case: str) -> None:
    """Hazards I15, I17: a manifest is parsed while others wait."""
    content = DOCUMENTS[case]()
    assert len(content) <= 4 * MIB
    seconds, growth, error = measured("parse", content, tmp_path)
    assert "the manifest" in error
    assert growth < MAX_GROWTH
    assert seconds < MAX_SECONDS
