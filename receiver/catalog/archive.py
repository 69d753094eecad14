"""A strict reader of tar archives: what is in them, entry by entry. It writes nothing, and it is no general tar reader.

Taken: regular files and folders of POSIX (ustar, PAX) and GNU archives, as GNU tar, bsdtar, Go and Python write them.
Everything else is refused, and so is whatever two readers could read differently: ``tarfile`` takes broken archives for
short ones, and sizes that disagree have hidden entries from scanners (CVE-2025-62518). Owners, modes, times, ACLs and
attributes are ignored.

Format: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar Format".
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from receiver.catalog.header import (
    BLOCK,
    EXTENSIONS,
    FOLDER,
    GNU_NAME,
    PAX_GLOBAL,
    ZERO,
    Header,
    gnu_name,
    parse_header,
    pax_records,
)
from receiver.catalog.limits import ArchiveLimits
from receiver.catalog.names import EntryPath, NameLimits, shown
from receiver.errors import UnsafeArchive

_MIB = 1024 * 1024
_MAX_END = _MIB  # zero bytes after the end; GNU tar fills up to 10 KiB, others to what a tape drive took


@dataclass(slots=True)
class Budget:
    """What the layers of one artifact have used so far of their limits. One thread at a time."""

    limits: ArchiveLimits = field(default_factory=ArchiveLimits)
    entries: int = 0
    size: int = 0

    def charge_entry(self) -> None:
        """Count a file or folder.

        Raises:
            UnsafeArchive: one too many.
        """
        self.entries += 1
        if self.entries > self.limits.max_files:
            raise UnsafeArchive(
                f"more entries than the limit of {self.limits.max_files} an artifact (ADDON_SYNC_MAX_FILES)"
            )

    def charge(self, size: int) -> None:
        """Count bytes before they are read.

        Raises:
            UnsafeArchive: more than an artifact may unpack.
        """
        self.size += size
        if self.size > self.limits.max_addon_size:
            raise UnsafeArchive(
                f"unpacks to more than the limit of {self.limits.max_addon_size} bytes an artifact "
                "(ADDON_SYNC_MAX_ADDON_SIZE)"
            )


class Entry(NamedTuple):
    """A file or folder. Its content is read before the next entry is asked for, or not at all."""

    path: EntryPath
    is_folder: bool
    size: int
    content: Iterable[memoryview]
    """The bytes in pieces, once; a file that lies in one chunk of the stream comes as one piece."""
    offset: int
    """Where the content begins, in bytes of the stream."""


class _Stream:
    """The inflated bytes, whose chunks have any size, as blocks and contents."""

    def __init__(self, chunks: Iterator[bytes], leap: Callable[[int], object] | None) -> None:
        self._chunks = chunks
        self._leap = leap
        self._chunk = b""
        self._at = 0
        self._before = 0  # bytes of the stream before this chunk
        self._unread = 0  # of the content of the current entry, with its padding
        self._blocks = 0  # read so far: tells the content of this entry from that of an earlier one

    @property
    def offset(self) -> int:
        return self._before + self._at

    def block(self) -> bytes:
        """The next block, after whatever was left of the content before it."""
        if self._unread:
            self._skip()
        self._blocks += 1
        end = self._at + BLOCK
        if end <= len(self._chunk):
            block = self._chunk[self._at : end]
            self._at = end
            return block
        return b"".join(self._pieces(BLOCK))

    def content(self, size: int) -> Iterable[memoryview]:
        """The ``size`` bytes that follow; at once where this chunk holds them, else as they come."""
        padded = -(-size // BLOCK) * BLOCK
        end = self._at + padded
        if end <= len(self._chunk):
            piece = memoryview(self._chunk)[self._at : self._at + size]
            self._at = end
            return (piece,) if size else ()
        self._unread = padded
        return self._later(size, self._blocks)

    def rest(self) -> Iterator[bytes]:
        """Everything to the end of the stream."""
        yield self._chunk[self._at :]
        yield from self._chunks

    def _later(self, size: int, blocks: int) -> Iterator[memoryview]:
        while size:
            if self._blocks != blocks:
                raise RuntimeError("the content of an entry was asked for after the next entry")
            piece = self._piece(size)
            self._unread -= len(piece)
            size -= len(piece)
            yield piece

    def _skip(self) -> None:
        unread, self._unread = self._unread, 0
        beyond = unread - (len(self._chunk) - self._at)
        if self._leap is not None and beyond > 0:
            self._before += len(self._chunk) + beyond
            self._chunk, self._at = b"", 0
            self._leap(beyond)
            return
        for _ in self._pieces(unread):
            pass

    def _pieces(self, count: int) -> Iterator[memoryview]:
        while count:
            piece = self._piece(count)
            count -= len(piece)
            yield piece

    def _piece(self, most: int) -> memoryview:
        if self._at == len(self._chunk):
            self._before += len(self._chunk)
            self._chunk, self._at = next(filter(None, self._chunks), b""), 0
            if not self._chunk:
                raise UnsafeArchive(f"the archive is cut off at byte {self._before}")
        piece = memoryview(self._chunk)[self._at : self._at + most]
        self._at += len(piece)
        return piece


@dataclass(slots=True)
class _Extensions:
    """What the extension headers in front of an entry say of it."""

    limits: ArchiveLimits
    count: int = 0
    pending: bool = False
    name: bytes | None = None
    size: int | None = None

    def read(self, header: Header, body: bytes) -> None:
        self.count += 1
        if self.count > self.limits.max_extensions:
            raise ValueError(
                f"more extension headers in a row than the limit of {self.limits.max_extensions} "
                "(ADDON_SYNC_MAX_EXTENSIONS)"
            )
        if self.pending:
            # Readers disagree on which of two names holds, and whether one header applies to the other.
            raise ValueError("an extension header that follows another one for the same entry")
        if header.type == GNU_NAME:
            self.pending, self.name = True, gnu_name(body)
            return
        records = pax_records(body, self.limits.max_pax_records)
        if header.type == PAX_GLOBAL:
            if b"path" in records or b"size" in records:
                raise ValueError("a global PAX header that renames or resizes what follows")
            return
        self.pending, self.name = True, records.get(b"path")
        self.size = None if b"size" not in records else int(records[b"size"])

    def apply(self, header: Header) -> Header:
        """The header as it is meant."""
        if self.size is not None and self.size != header.size:
            raise ValueError(f"PAX says {self.size} bytes and the header {header.size}")
        return header if self.name is None else header._replace(name=self.name)


def entries(chunks: Iterator[bytes], budget: Budget, *, leap: Callable[[int], object] | None = None) -> Iterator[Entry]:
    """Read an archive to its end, and ``chunks`` to theirs.

    ``leap``: makes ``chunks`` leave out so many bytes, for content that nobody has asked for.

    Raises:
        UnsafeArchive: damaged, ambiguous, over a limit, or more than plain files and folders. What was given before
            that is worth nothing.
    """
    stream = _Stream(chunks, leap)
    extensions = _Extensions(budget.limits)
    while (block := stream.block()) != ZERO:
        start = stream.offset - BLOCK
        try:
            header = parse_header(block)
            if header.type in EXTENSIONS:
                extensions.read(header, _extension_body(stream, header, budget))
                continue
            if extensions.count:
                header = extensions.apply(header)
                extensions = _Extensions(budget.limits)
        except ValueError as error:
            name = shown(block[:100].rstrip(b"\0"))
            raise UnsafeArchive(f"header at byte {start}, {name}: {error}") from error
        yield _entry(stream, header, budget)
    if extensions.pending:
        raise UnsafeArchive("the archive ends after an extension header")
    _read_end(stream)


def _entry(stream: _Stream, header: Header, budget: Budget) -> Entry:
    is_folder = header.type == FOLDER
    path = _path(header.name, budget.limits.names, folder=is_folder)
    budget.charge_entry()
    if header.size:
        if header.size > budget.limits.max_file_size:
            raise UnsafeArchive(
                f"{path!a}: {header.size} bytes, the limit of a file is {budget.limits.max_file_size} "
                "(ADDON_SYNC_MAX_FILE_SIZE)"
            )
        if is_folder:
            raise UnsafeArchive(f"{path!a}: a folder with content")
        budget.charge(header.size)
    offset = stream.offset
    return Entry(path, is_folder, header.size, stream.content(header.size), offset)


def _path(name: bytes, limits: NameLimits, *, folder: bool) -> EntryPath:
    try:
        text = name.decode()
    except UnicodeDecodeError as error:
        raise UnsafeArchive(f"{shown(name)}: not UTF-8") from error
    return EntryPath.parse(text, limits=limits, folder=folder)


def _extension_body(stream: _Stream, header: Header, budget: Budget) -> bytes:
    limit, setting = budget.limits.max_pax_header, "ADDON_SYNC_MAX_PAX_HEADER"
    if header.type == GNU_NAME:
        limit, setting = budget.limits.max_gnu_name, "ADDON_SYNC_MAX_GNU_NAME"
    if header.size > limit:
        raise ValueError(f"an extension header of {header.size} bytes, the limit is {limit} ({setting})")
    budget.charge(BLOCK + header.size)
    return b"".join(stream.content(header.size))


def _read_end(stream: _Stream) -> None:
    """Read the second block of zeros and whatever fills up after it; the rest of the stream must be nothing else."""
    if stream.block() != ZERO:
        raise UnsafeArchive(f"entries after the end of the archive, at byte {stream.offset - BLOCK}")
    length = 0
    for chunk in stream.rest():
        length += len(chunk)
        if chunk.strip(b"\0"):
            raise UnsafeArchive("more than zeros after the end of the archive")
        if length > _MAX_END:
            raise UnsafeArchive(f"more zeros after the end of the archive than the limit of {_MAX_END}")
    if length % BLOCK:
        raise UnsafeArchive("the archive does not end with a whole block")
