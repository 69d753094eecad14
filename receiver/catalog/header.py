"""One header block of a tar archive, and what extension headers hold. Pure: bytes in, judged values out.

Every byte that means something to us is judged; what would let two readers see two archives is refused.
"""

import re
import struct
import zlib
from functools import lru_cache
from typing import NamedTuple, NoReturn

from receiver.catalog.names import shown

BLOCK = 512
ZERO = bytes(BLOCK)
# name, (mode, owner), size, (time), checksum, type, link name, magic and version, (owners, device), prefix, padding
_HEADER = struct.Struct("100s24x12s12x8sc100s8s80x155s12s")
_POSIX_MAGIC, _GNU_MAGIC = b"ustar\x0000", b"ustar  \0"
_OCTAL = re.compile(rb"([0-7]+)[ \0]+\Z")  # terminated, as POSIX wants: some readers go on into the next field
_PREFIX = 155
_GNU_TIMES = re.compile(rb"[0-7 \0]{24}\0*\Z")  # atime and ctime, and nothing where a reader could see a prefix

_FILES, FOLDER = frozenset({b"0", b"\0"}), b"5"
PAX, PAX_GLOBAL, GNU_NAME = b"x", b"g", b"L"
EXTENSIONS = frozenset({PAX, PAX_GLOBAL, GNU_NAME})
_REFUSED = {
    b"1": "a hard link", b"2": "a symbolic link", b"3": "a character device", b"4": "a block device",
    b"6": "a named pipe", b"7": "a contiguous file", b"K": "a long link name", b"S": "a sparse file",
    b"D": "a GNU folder dump", b"M": "a part of a file of another volume", b"V": "a volume label",
    b"X": "a Solaris extended header",
}  # fmt: skip

_PAX_LENGTH = re.compile(rb"([1-9][0-9]{0,5}) ")
_PAX_SIZE = re.compile(rb"(?:0|[1-9][0-9]{0,18})\Z")
# What describes an entry and not which bytes go where; any other keyword (sparse maps, link targets) is refused.
_PAX_IGNORED = re.compile(
    rb"(?:[acm]time|[ug]id|[ug]name|comment|LIBARCHIVE\..+|SCHILY\.(?!realsize|filetype).+|RHT\.security\.selinux)\Z"
)
_PAX_UTF8 = b"ISO-IR 10646 2000 UTF-8"


class Header(NamedTuple):
    """One block, with a right checksum, of a type that we take."""

    type: bytes
    name: bytes
    size: int


def parse_header(block: bytes) -> Header:
    """Judge every byte of a header that has a meaning for us.

    Raises:
        ValueError: with the reason.
    """
    name, size, checksum, kind, link, magic, prefix, padding = _HEADER.unpack(block)
    if _octal(checksum) != _sum(block):
        raise ValueError("the checksum is wrong")
    name = _text(name)
    folder = _judge_form(kind, link[:1], magic, prefix + padding)
    return Header(kind, folder + b"/" + name if folder else name, _octal(size))


@lru_cache(maxsize=64)  # the same for nearly every header of an archive
def _judge_form(kind: bytes, link: bytes, magic: bytes, tail: bytes) -> bytes:
    """Judge type, format and the last 167 bytes, and give the prefix of the name that they hold."""
    if kind in EXTENSIONS:
        if (kind == GNU_NAME) != (magic == _GNU_MAGIC):
            raise ValueError("an extension header of the other format")
    elif kind not in _FILES and kind != FOLDER:
        raise ValueError(_REFUSED.get(kind, f"an entry of the unknown type {kind!r}"))
    elif link != b"\0":
        raise ValueError("a link target, but no link")
    if magic == _POSIX_MAGIC:
        if tail[_PREFIX:].strip(b"\0"):
            raise ValueError("padding that is not zero")
        return _text(tail[:_PREFIX])
    # GNU keeps other fields where POSIX has the prefix.
    if magic != _GNU_MAGIC or _GNU_TIMES.match(tail) is None:
        raise ValueError("neither a POSIX header nor a GNU header of a whole file")
    return b""


def _sum(block: bytes) -> int:
    """Add up a header with spaces for its checksum; 10 times faster than `sum`.

    The lower half of Adler-32 is one more than the sum of the bytes, exact for up to 256 of them (RFC 1950, 9).
    """
    first, second, third = zlib.adler32(block[:148]), zlib.adler32(block[156:412]), zlib.adler32(block[412:])
    return (first & 0xFFFF) + (second & 0xFFFF) + (third & 0xFFFF) - 3 + 8 * 0x20


@lru_cache(maxsize=1024)
def _octal(value: bytes) -> int:
    match = _OCTAL.match(value)
    if match is None:
        # Base 256, which GNU uses from 8 GiB on, is far above every limit.
        raise ValueError(f"{shown(value)} is not an octal number")
    return int(match[1], 8)


def _text(value: bytes) -> bytes:
    text = value.rstrip(b"\0")
    if b"\0" in text:
        raise ValueError(f"{shown(text)}: text after the end of a name")
    return text


def gnu_name(body: bytes) -> bytes:
    """The name in a GNU long name header.

    Raises:
        ValueError: more follows after its end.
    """
    name = body.removesuffix(b"\0")
    if b"\0" in name:
        raise ValueError(f"{shown(name)}: a GNU long name with more after its end")
    return name


def pax_records(body: bytes, limit: int) -> dict[bytes, bytes]:
    """The records of a PAX header by keyword, at most ``limit``.

    Raises:
        ValueError: damaged, doubled, too many, or a keyword that changes what the entry is.
    """
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(body):
        match = _PAX_LENGTH.match(body, at)
        end = at + int(match[1]) if match else 0
        if match is None or not match.end() < end <= len(body) or body[end - 1 : end] != b"\n":
            raise ValueError("a PAX record with a wrong length")
        keyword, equals, value = body[match.end() : end - 1].partition(b"=")
        if not equals or keyword in records:
            raise ValueError(f"the PAX record {shown(keyword)} stands twice or has no value")
        _judge_record(keyword, value)
        records[keyword] = value
        if len(records) > limit:
            raise ValueError(f"more PAX records than the limit of {limit} (ADDON_SYNC_MAX_PAX_RECORDS)")
        at = end
    return records


def _judge_record(keyword: bytes, value: bytes) -> None:
    if keyword == b"path" or _PAX_IGNORED.match(keyword) is not None:
        return
    if keyword == b"size":
        if _PAX_SIZE.match(value) is None:
            raise ValueError(f"the PAX size {shown(value)} is no size")
    elif keyword != b"hdrcharset" or value != _PAX_UTF8:
        _refuse_record(keyword, value)


def _refuse_record(keyword: bytes, value: bytes) -> NoReturn:
    raise ValueError(f"the PAX record {shown(keyword)} ({shown(value)}) is not supported")
