"""A strict reader of one gzip stream, and the home of isal. It knows nothing of what is inside.

Against RFC 1952 it is narrower in one point: exactly one member. Readers disagree about a second one, and about bytes
after the end, which is how an archive shows other entries to a scanner than to us (hazards E5-E7).
"""

import os
from collections import deque
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from io import FileIO
from pathlib import Path

from isal import igzip_lib, isal_zlib

from receiver.catalog.limits import ArchiveLimits
from receiver.errors import InstallError, UnsafeArchive

_READ = 256 * 1024
_CHUNK = 512 * 1024
_RATIO_FROM = 1024 * 1024
# Below, inflating takes less than 0.1 s, and the two threads would mostly wait for the interpreter (measured).
_READ_AHEAD_FROM = 8 * 1024 * 1024
_READ_AHEAD = 3
_TRAILER = 8
_FHCRC, _FEXTRA, _FNAME, _FCOMMENT, _RESERVED = 0x02, 0x04, 0x08, 0x10, 0xE0


def inflate(path: Path, *, size: int, limits: ArchiveLimits) -> Generator[bytes, None, None]:
    """Inflate the layer at ``path``, which must be ``size`` bytes long, in chunks of at most 512 KiB.

    A layer of 8 MiB or more is inflated in a thread of its own, a few chunks ahead. Close the iterator to end it early:
    the file is closed and the thread has ended when ``close`` returns.

    Raises:
        UnsafeArchive: another size, no gzip stream, damaged, more than one member, or over a limit; during iteration.
        InstallError: the file cannot be read; during iteration.
    """
    chunks = _inflated(path, size, limits)
    return chunks if size < _READ_AHEAD_FROM else _read_ahead(chunks)


def _read_ahead(chunks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """Run ``chunks`` in a thread: inflating releases the GIL, so that hashing and writing go on beside it."""
    with closing(chunks), ThreadPoolExecutor(max_workers=1, thread_name_prefix="inflate") as thread:
        ahead = deque(thread.submit(next, chunks, b"") for _ in range(_READ_AHEAD))
        while chunk := ahead.popleft().result():
            ahead.append(thread.submit(next, chunks, b""))
            yield chunk


def _inflated(path: Path, size: int, limits: ArchiveLimits) -> Generator[bytes, None, None]:
    if size > limits.max_layer_size:
        raise UnsafeArchive(
            f"the layer has {size} bytes, the limit is {limits.max_layer_size} (ADDON_SYNC_MAX_LAYER_SIZE)"
        )
    try:
        with path.open("rb", buffering=0) as file:
            actual = os.fstat(file.fileno()).st_size
            if actual != size:
                raise UnsafeArchive(f"the layer has {actual} bytes, its descriptor says {size}")
            yield from _member(file, max(_RATIO_FROM, size * limits.max_ratio), limits)
    except OSError as error:
        raise InstallError(f"cannot read the layer {path.name}: {error.strerror}") from error


def _member(file: FileIO, ceiling: int, limits: ArchiveLimits) -> Generator[bytes, None, None]:
    data = file.read(_READ)
    data = data[_header_length(data) :]
    inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
    crc = length = 0
    while True:
        try:
            chunk = inflater.decompress(data, _CHUNK)
        except igzip_lib.error as error:  # type: ignore[misc]  # a class; isal's stub says an instance
            raise UnsafeArchive(f"the gzip stream is damaged: {error}") from error
        if chunk:
            crc, length = isal_zlib.crc32(chunk, crc), length + len(chunk)
            if length > ceiling:
                raise UnsafeArchive(
                    f"inflates to more than the limit of {limits.max_ratio} times its size (ADDON_SYNC_MAX_RATIO)"
                )
            yield chunk
        if inflater.eof:
            break
        data = file.read(_READ) if inflater.needs_input else b""
        if inflater.needs_input and not data:
            raise UnsafeArchive("the gzip stream is cut off")
    _check_trailer(inflater.unused_data + file.read(_TRAILER + 1), crc, length)


def _header_length(data: bytes) -> int:
    """Judge the member header (RFC 1952, 2.3) at the start of ``data``, and say where it ends.

    Raises:
        UnsafeArchive: no gzip, or a header that is damaged or longer than ``data``.
    """
    if data[:3] != b"\x1f\x8b\x08":
        raise UnsafeArchive(f"not a gzip stream: it begins with {data[:4].hex(' ') or 'nothing'}")
    if len(data) < 10 or data[3] & _RESERVED:
        raise UnsafeArchive("the gzip header is cut off or has reserved flags")
    flags, end = data[3], 10
    if flags & _FEXTRA:
        end += 2 + int.from_bytes(data[end : end + 2], "little")
    for flag in (_FNAME, _FCOMMENT):
        if flags & flag:
            end = data.find(b"\0", end) + 1 or len(data) + 1
    if flags & _FHCRC:
        # The CRC is the lower half of the CRC-32 of everything before it.
        if int.from_bytes(data[end : end + 2], "little") != isal_zlib.crc32(data[:end]) & 0xFFFF:
            raise UnsafeArchive("the checksum of the gzip header is wrong")
        end += 2
    if end > len(data):
        raise UnsafeArchive(f"the gzip header does not end within {len(data)} bytes")
    return end


def _check_trailer(trailer: bytes, crc: int, length: int) -> None:
    if len(trailer) < _TRAILER:
        raise UnsafeArchive("the gzip stream is cut off")
    if len(trailer) > _TRAILER:
        raise UnsafeArchive("bytes after the end of the gzip stream: one member is expected")
    if trailer != crc.to_bytes(4, "little") + (length & 0xFFFFFFFF).to_bytes(4, "little"):
        raise UnsafeArchive("the checksum or length at the end of the gzip stream is wrong")
