"""Hazards E: what is wrong with the compressed stream, or with the end of what is in it."""

import bz2
import functools
import gzip
import io
import lzma
import random
import zipfile
import zlib
from collections.abc import Callable

from receiver.errors import DigestMismatch, ReceiverError, SizeMismatch
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.sync.plan import NAME
from tests.support.hazards import ADDON, Case, Elsewhere, Push, config_layer, scripts, scripts_layer
from tests.support.sync_fakes import FakeRegistry
from tests.support.tarwriter import BLOCK, archive, entry, gzipped, header, pax, record

FILES = {"run.ps1": b"Write-Output 'new'\n"}
TAR = archive(entry("run.ps1", FILES["run.ps1"]))
GOOD = gzipped(TAR)
POWERSHELL = b"\r\nStart-Process evil.exe\r\n"
_EVIL = archive(entry("evil.ps1", b"evil"))
_DAMAGE = "tests/property/test_archive_damage.py"
_BOMBS = ("tests/fault/test_bombs.py::test_a_bomb_is_refused_in_little_time_and_memory",)
_FLAG_EXTRA, _FLAG_NAME, _FLAG_COMMENT = 0x04, 0x08, 0x10


def _refused(number: int, title: str, layer: bytes, says: str) -> Case:
    return Case(id=f"E{number}", title=title, push=scripts_layer(layer), says=says)


def _taken(number: int, title: str, layer: bytes, files: dict[str, bytes] = FILES) -> Case:
    return Case(id=f"E{number}", title=title, push=scripts_layer(layer), verdict="accepted", tree=files)


def _zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as writer:
        writer.writestr("run.ps1", b"1")
    return target.getvalue()


def _bomb(size: int, first: bytes = b"") -> bytes:
    """A gzip member of ``size`` zeros after ``first``; as small as gzip gets."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [deflater.compress(first)]
    parts += [deflater.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join(parts) + deflater.flush()


def _made(number: int, title: str, make: Callable[[], bytes], says: str) -> Case:
    """A refused layer that is made when it is pushed, since making it takes a while."""

    def push(registry: FakeRegistry) -> Digest:
        return scripts_layer(make())(registry)

    return Case(id=f"E{number}", title=title, push=push, says=says)


def _delivered(content: bytes, *, promised: bytes = GOOD, size: int | None = None) -> Push:
    """A layer for which the registry gives ``content``, and its descriptor promises ``promised``."""

    def push(registry: FakeRegistry) -> Digest:
        descriptor = registry.layer(promised, media.SCRIPTS)
        if size is not None:
            descriptor["size"] = size
        registry.contents[Digest.of(promised)] = content
        return registry.manifest_of({NAME: ADDON}, registry.layer(config_layer(), media.CONFIG_FILES), descriptor)

    return push


def _lied(title: str, push: Push, error: type[ReceiverError] = SizeMismatch) -> Case:
    return Case(id="E15", title=title, push=push, error=error, says="sha256:", retried=True)


_NOISE = entry("noise", random.Random(12).randbytes(20_000))  # or the ratio would end it
_EXTRA = (65_535).to_bytes(2, "little") + bytes(65_535)
_NESTED = {"inner.tar.gz": _bomb(64 << 20)}

CASES: tuple[Case | Elsewhere, ...] = (
    Elsewhere(id="E1", title="cut at every byte", tests=(f"{_DAMAGE}::test_every_truncation_is_refused",)),
    _refused(1, "cut in the middle", GOOD[: len(GOOD) // 2], "cut off"),
    _refused(1, "cut by 20 bytes", GOOD[:-20], "cut off"),
    _refused(
        1, "an archive that is cut exactly at a header, in a whole gzip stream", gzipped(TAR[: 2 * BLOCK]), "cut off"
    ),
    Elsewhere(
        id="E2",
        title="every flipped bit: the identical tree or a refusal",
        tests=(
            f"{_DAMAGE}::test_every_flipped_bit_of_a_layer_is_refused_or_harmless",
            f"{_DAMAGE}::test_every_flipped_bit_of_a_header_is_refused_or_harmless",
            f"{_DAMAGE}::test_every_flipped_bit_of_an_archive_is_refused",
        ),
    ),
    _refused(3, "a wrong CRC", gzipped(TAR, checksum=zlib.crc32(TAR) ^ 1), "checksum or length"),
    _refused(3, "a wrong length", gzipped(TAR, length=len(TAR) + 1), "checksum or length"),
    _refused(3, "the CRC of another archive", gzipped(TAR, checksum=zlib.crc32(_EVIL)), "checksum or length"),
    _taken(4, "zeros that fill up the archive", gzipped(TAR + bytes(20 * BLOCK))),
    _refused(4, "zeros after the gzip stream", GOOD + bytes(BLOCK), "after the end of the gzip stream"),
    _refused(4, "zeros that are no whole block", gzipped(TAR + bytes(100)), "whole block"),
    _refused(5, "garbage after the gzip stream", GOOD + b"garbage", "after the end of the gzip stream"),
    _refused(5, "one byte after the gzip stream", GOOD + b"\0", "after the end of the gzip stream"),
    _refused(6, "a second gzip member with an archive", GOOD + gzipped(_EVIL), "one member is expected"),
    _refused(
        6, "an archive over two gzip members", gzipped(TAR[:BLOCK]) + gzipped(TAR[BLOCK:]), "one member is expected"
    ),
    _refused(6, "an empty gzip member first", gzipped(b"") + GOOD, "one member is expected"),
    _refused(7, "10,000 empty members after the archive", GOOD + gzipped(b"") * 10_000, "one member is expected"),
    _refused(7, "10,000 empty members", gzipped(b"") * 10_000, "one member is expected"),
    Elsewhere(id="E7", title="10,000 empty members in time and memory", tests=_BOMBS),
    _taken(
        8, "a file name of 70,000 bytes in the gzip header", gzipped(TAR, flags=_FLAG_NAME, extra=b"n" * 70_000 + b"\0")
    ),
    _taken(8, "a comment of 100,000 bytes", gzipped(TAR, flags=_FLAG_COMMENT, extra=b"c" * 100_000 + b"\0")),
    _taken(8, "an extra field of 65,535 bytes", gzipped(TAR, flags=_FLAG_EXTRA, extra=_EXTRA)),
    _taken(
        8,
        "a file name in the gzip header that leads elsewhere is not read",
        gzipped(TAR, flags=_FLAG_NAME, extra=b"../../evil\0"),
    ),
    *(
        _refused(9, f"the reserved flag {flag:#x}", gzipped(TAR, flags=flag), "reserved flags")
        for flag in (0x20, 0x40, 0x80)
    ),
    _refused(9, "another method than deflate", GOOD[:2] + b"\x07" + GOOD[3:], "not a gzip stream"),
    _refused(
        9, "a wrong checksum of the gzip header", gzipped(TAR, flags=0x02, extra=b"\0\0"), "checksum of the gzip header"
    ),
    *(
        _refused(10, f"{name} under a gzip media type", content, "not a gzip stream")
        for name, content in {
            "zip": _zipped(),
            "zstd": b"\x28\xb5\x2f\xfd" + bytes(100),
            "xz": lzma.compress(TAR),
            "bz2": bz2.compress(TAR),
            "zlib": zlib.compress(TAR),
            "a plain archive": TAR,
        }.items()
    ),
    _refused(11, "a blob of zero bytes", b"", "begins with nothing"),
    _refused(11, "20 bytes that inflate to nothing", gzip.compress(b"", mtime=0), "cut off"),
    _refused(12, "no end of the archive", gzipped(TAR[: -2 * BLOCK]), "cut off"),
    _refused(12, "one block of zeros at the end", gzipped(TAR[:-BLOCK]), "cut off"),
    _taken(12, "many blocks of zeros at the end", gzipped(TAR + bytes(2000 * BLOCK))),
    _refused(
        12,
        "more than 1 MiB of zeros at the end",
        gzipped(archive(_NOISE) + bytes(2049 * BLOCK)),
        "more zeros after the end",
    ),
    _refused(12, "one block of zeros, then an entry", gzipped(TAR[:-BLOCK] + _EVIL), "entries after the end"),
    _refused(12, "an archive after the end", gzipped(TAR + _EVIL), "more than zeros after the end"),
    _refused(12, "text after the end", gzipped(TAR + POWERSHELL.ljust(BLOCK, b"\0")), "more than zeros after the end"),
    Elsewhere(id="E13", title="1 GiB out of 1 MB, in time and memory", tests=_BOMBS),
    _made(
        13,
        "64 MiB of zeros in one file",
        functools.partial(_bomb, 64 << 20, header("zeros", size=64 << 20)),
        "200 times",
    ),
    _made(
        13,
        "a file that says 1 GiB",
        functools.partial(_bomb, 64 << 20, header("zeros", size=1 << 30)),
        "'zeros': 1073741824",
    ),
    _refused(
        13,
        "a bomb in a PAX header",
        gzipped(archive(header("x", kind=b"x", size=64 << 20)) + bytes(1 << 20)),
        "67108864",
    ),
    _refused(
        13,
        "a bomb in a sparse file",
        gzipped(archive(pax(record("GNU.sparse.realsize", "1099511627776")), entry("sparse", b"x"))),
        "GNU.sparse.realsize",
    ),
    Case(
        id="E13",
        title="a gzip bomb as a file of the archive is not inflated",
        push=scripts(*(entry(name, content) for name, content in _NESTED.items())),
        verdict="accepted",
        tree=_NESTED,
    ),
    _refused(14, "a script before the gzip stream", POWERSHELL + GOOD, "not a gzip stream"),
    _refused(14, "a script after the gzip stream", GOOD + POWERSHELL, "after the end of the gzip stream"),
    _refused(14, "an archive whose first name begins like gzip", archive(entry(b"\x1f\x8b\x08x", b"1")), "gzip"),
    _refused(14, "an archive that is a gzip stream too", _EVIL + GOOD, "not a gzip stream"),
    _taken(
        14,
        "a script as the comment of the gzip header goes nowhere",
        gzipped(TAR, flags=_FLAG_COMMENT, extra=POWERSHELL + b"\0"),
    ),
    _lied("a byte more than promised", _delivered(GOOD + b"\0")),
    _lied("a byte fewer than promised", _delivered(GOOD[:-1])),
    _lied("a descriptor that says a byte more", _delivered(GOOD, size=len(GOOD) + 1)),
    _lied("a descriptor that says a byte fewer", _delivered(GOOD, size=len(GOOD) - 1)),
    _lied("other bytes of the same length", _delivered(GOOD[:-1] + bytes([GOOD[-1] ^ 1])), DigestMismatch),
)
