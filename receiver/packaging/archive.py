"""An OCI image layout in a tar archive, read where it lies. Nothing of it is written anywhere, whatever its names.

The archive is judged as strictly as a layer. Documents are verified before they are parsed; what a large blob holds is
verified by whoever takes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from receiver.catalog.archive import Budget, entries
from receiver.catalog.header import BLOCK, ZERO
from receiver.catalog.limits import ArchiveLimits
from receiver.document import Document, InvalidDocument, decode
from receiver.errors import (
    DigestMismatch,
    InstallError,
    SizeMismatch,
    UnsafeArchive,
    UnsupportedContent,
)
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest
from receiver.oci.manifest import MAX_DOCUMENT_SIZE, DocumentLimits, Index, parse_manifest
from receiver.packaging.artifact import FileSlice
from receiver.packaging.layout import opened

_BLOBS = "blobs/sha256/"
_CHUNK = 1024 * 1024
_ANY_SIZE = 2**63 - 1
_LIMITS = ArchiveLimits(max_addon_size=_ANY_SIZE, max_file_size=_ANY_SIZE, max_files=100_000)
"""Of the archive itself: images may make it as large as they like. What is installed of it has the usual limits."""
_MAGIC = slice(257, 262)
"""Where POSIX and GNU headers say what they are."""
_FOREIGN = ((b"\x1f\x8b", "is compressed: unpack it with gunzip first"), (b"PK", "is a ZIP file, as older exports are"))


class _LayoutVersion(Document, frozen=True):
    image_layout_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutArchive:
    """An archive whose names and sizes are known; ``index`` is its ``index.json``."""

    path: Path
    index: Index
    limits: DocumentLimits
    _blobs: Mapping[str, FileSlice] = field(repr=False)

    @classmethod
    def open(cls, path: Path, *, limits: DocumentLimits) -> Self:
        """Look through the archive. Blocks.

        Raises:
            InstallError: there is no such file, or it cannot be read.
            UnsafeArchive: it is damaged, ambiguous, or no archive.
            ContentError: it holds no image layout, or one that is not supported.
        """
        found = _scan(path)
        _check_version(_document(found, "oci-layout", path))
        index = parse_manifest(_document(found, "index.json", path), media.OCI_INDEX, limits=limits)
        assert isinstance(index, Index)
        blobs = {name.removeprefix(_BLOBS): part for name, part in found.items() if name.startswith(_BLOBS)}
        return cls(path=path, index=index, limits=limits, _blobs=blobs)

    def has(self, descriptor: Descriptor) -> bool:
        """Whether there is a blob of that digest and size."""
        part = self._blobs.get(descriptor.digest.hex)
        return part is not None and part.size == descriptor.size

    def blob(self, descriptor: Descriptor) -> FileSlice:
        """Where a blob lies; its bytes are not verified.

        Raises:
            UnsupportedContent: it is not in the archive.
            SizeMismatch: it has another size.
        """
        part = self._blobs.get(descriptor.digest.hex)
        if part is None:
            raise UnsupportedContent(f"{self.path} does not hold {descriptor.digest}, which it names: export it again")
        if part.size != descriptor.size:
            raise SizeMismatch(f"{self.path}: {descriptor.digest} has {part.size} bytes, not {descriptor.size}")
        return part

    def document(self, descriptor: Descriptor) -> bytes:
        """A manifest or index, verified. Blocks.

        Raises:
            ContentError: it is not there, too large, or not what it should be.
            InstallError: the file cannot be read.
        """
        part = self.blob(descriptor)
        if part.size > self.limits.max_size:
            raise UnsupportedContent(
                f"{self.path}: {descriptor.digest} has {part.size} bytes, more than the limit of "
                f"{self.limits.max_size} (ADDON_SYNC_MAX_DOCUMENT_SIZE)"
            )
        content = _read(part)
        if Digest.of(content) != descriptor.digest:
            raise DigestMismatch(f"{self.path}: {descriptor.digest} holds other bytes: the file is damaged")
        return content


def _scan(path: Path) -> dict[str, FileSlice]:
    try:
        if not path.is_file():
            raise InstallError(f"{path} is no file" if path.exists() else f"there is no file {path}")
        with path.open("rb") as file:
            return _entries(file, path)
    except OSError as error:
        raise InstallError(f"{path} cannot be read: {error.strerror or error}") from error


def _entries(file: BinaryIO, path: Path) -> dict[str, FileSlice]:
    beginning = file.read(BLOCK)
    what = next((what for magic, what in _FOREIGN if beginning.startswith(magic)), "is no tar archive")
    # An archive without entries begins with its end.
    if beginning != ZERO and beginning[_MAGIC] != b"ustar":
        raise UnsafeArchive(f"{path} {what if beginning else 'is empty'}; expected the .oci.tar of an export")
    file.seek(0)
    found: dict[str, FileSlice] = {}
    doubled = False
    chunks = iter(lambda: file.read(_CHUNK), b"")
    try:
        for entry in entries(chunks, Budget(_LIMITS), leap=lambda count: file.seek(count, 1)):
            if entry.is_folder:
                continue
            doubled |= entry.path in found
            found[str(entry.path)] = FileSlice(path=path, offset=entry.offset, size=entry.size)
    except UnsafeArchive as error:
        raise UnsafeArchive(f"{path}: {error}") from error
    if doubled:
        raise UnsafeArchive(f"{path}: a name stands twice in it, and readers would disagree which one counts")
    return found


def _document(found: Mapping[str, FileSlice], name: str, path: Path) -> bytes:
    part = found.get(name)
    if part is None:
        raise UnsupportedContent(
            f"{path} holds no OCI image layout ({name} is missing): expected the .oci.tar of an export"
        )
    if part.size > MAX_DOCUMENT_SIZE:
        raise UnsupportedContent(f"{path}: {name} has {part.size} bytes, more than the limit of {MAX_DOCUMENT_SIZE}")
    return _read(part)


def _read(part: FileSlice) -> bytes:
    try:
        with opened(part) as file:
            content = file.read(part.size)
    except OSError as error:
        raise InstallError(f"{part.path} cannot be read: {error.strerror or error}") from error
    if len(content) != part.size:
        raise InstallError(f"{part.path} has changed while it was read: begin again")
    return content


def _check_version(body: bytes) -> None:
    try:
        version = decode(body, _LayoutVersion).image_layout_version
    except InvalidDocument as error:
        raise UnsupportedContent(f"oci-layout is not what an image layout has: {error}") from error
    if version != "1.0.0":
        raise UnsupportedContent(f"the image layout has the version {version[:40]!r}; only 1.0.0 is known")
