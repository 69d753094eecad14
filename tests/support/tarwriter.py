"""Writes archives header by header, so that each byte of them can be wrong."""

import gzip
import struct
import zlib
from pathlib import Path

BLOCK = 512
POSIX, GNU = b"ustar\x0000", b"ustar  \0"


def header(
    name: str | bytes,
    *,
    size: int | bytes = 0,
    kind: bytes = b"0",
    link: bytes = b"",
    magic: bytes = POSIX,
    prefix: bytes = b"",
    mode: bytes = b"0000644\0",
    owner: bytes = b"0000000\x000000000\0",
    mtime: bytes = b"00000000000\0",
    padding: bytes = b"",
    checksum: bytes | None = None,
) -> bytes:
    """One block. ``size`` and ``checksum`` as bytes stand in the header as they are."""
    octal = size if isinstance(size, bytes) else b"%011o\0" % size
    text = name if isinstance(name, bytes) else name.encode()
    block = struct.pack(
        "100s8s16s12s12s8s1s100s8s80s155s12s",
        text, mode, owner, octal, mtime, b" " * 8, kind, link, magic, b"", prefix, padding,
    )  # fmt: skip
    return block[:148] + (b"%06o\0 " % sum(block) if checksum is None else checksum) + block[156:]


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)


def entry(name: str | bytes, content: bytes = b"", **fields: bytes) -> bytes:
    """A regular file, or what ``fields`` make of it."""
    return header(name, **{"size": len(content), **fields}) + padded(content)  # type: ignore[arg-type]  # by keyword


def folder(name: str | bytes, **fields: bytes) -> bytes:
    return header(name, **{"kind": b"5", "mode": b"0000755\0", **fields})


def record(keyword: str | bytes, value: str | bytes) -> bytes:
    """A PAX record with its right length."""
    key, text = (part if isinstance(part, bytes) else part.encode() for part in (keyword, value))
    rest = b" " + key + b"=" + text + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return b"%d" % length + rest


def pax(*records: bytes, kind: bytes = b"x", **fields: bytes) -> bytes:
    return entry("PaxHeaders/x", b"".join(records), kind=kind, **fields)


def long_name(name: bytes, **fields: bytes) -> bytes:
    return entry("././@LongLink", name, **{"kind": b"L", "magic": GNU, **fields})


def archive(*parts: bytes, end: bytes = bytes(2 * BLOCK)) -> bytes:
    return b"".join(parts) + end


def gzipped(
    content: bytes,
    *,
    flags: int = 0,
    extra: bytes = b"",
    level: int = 9,
    checksum: int | None = None,
    length: int | None = None,
) -> bytes:
    """A gzip member; ``extra`` is what follows the ten fixed bytes of its header."""
    deflater = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = deflater.compress(content) + deflater.flush()
    crc = zlib.crc32(content) if checksum is None else checksum
    size = len(content) if length is None else length
    return b"\x1f\x8b\x08" + bytes([flags]) + bytes(5) + b"\xff" + extra + body + struct.pack("<II", crc, size)


def write_layer(path: Path, *parts: bytes) -> Path:
    """A layer as the blob store would hold it."""
    path.write_bytes(gzip.compress(archive(*parts), mtime=0))
    return path
