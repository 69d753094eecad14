"""Artifacts as an OCI image layout (image-spec image-layout.md) in one archive.

``oras`` and ``skopeo`` copy from it, and ``umoci`` reads the folder that ``tar`` unpacks.
"""

import io
import os
import tarfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from receiver.document import encode
from receiver.errors import InstallError
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.packaging.artifact import Artifact, Content, FileSlice, index_entry

TAG = "org.opencontainers.image.ref.name"
_MAX_BLOB = 8**11
"""Bytes: what the eleven octal digits of a POSIX header can say. Beyond, each program has its own way."""
_VERSION = encode({"imageLayoutVersion": "1.0.0"})


def write_archive(artifacts: Sequence[Artifact], path: Path, *, mtime: int = 0) -> int:
    """Write one tar archive, in the place of what ``path`` was; its size in bytes.

    What is needed to find a tag stands first, so that ``tar -xf FILE index.json`` need not read gigabytes.

    Args:
        artifacts: What the layout holds; the same blob is in it once.
        path: The archive; whoever reads it sees the former one or the new one, and never a part.
        mtime: Time of every entry, in seconds since the epoch.

    Raises:
        InstallError: the disk refused; nothing is left behind, and what was there still is.
    """
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with partial.open("xb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8") as archive:
                _write(archive, artifacts, mtime)
            size = file.tell()
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InstallError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return size


@contextmanager
def opened(content: Content) -> Iterator[BinaryIO]:
    """The bytes of a blob, from its beginning to its end.

    Raises:
        OSError: the file is gone or cannot be read.
    """
    if isinstance(content, bytes):
        yield io.BytesIO(content)
        return
    if isinstance(content, Path):
        with content.open("rb") as file:
            yield file
        return
    with content.path.open("rb") as file:
        yield cast("BinaryIO", _Part(file, content))


class _Part:
    """A part of a file, as a file."""

    def __init__(self, file: BinaryIO, part: FileSlice) -> None:
        self._file = file
        self._part = part
        self._left = 0
        self.seek(0)

    def seek(self, position: int) -> None:
        self._file.seek(self._part.offset + position)
        self._left = self._part.size - position

    def read(self, most: int) -> bytes:
        chunk = self._file.read(min(most, self._left))
        self._left -= len(chunk)
        return chunk


def _write(archive: tarfile.TarFile, artifacts: Sequence[Artifact], mtime: int) -> None:
    for name, document in (("oci-layout", _VERSION), ("index.json", _index(artifacts))):
        _add(archive, name, document, len(document), mtime)
    for name in ("blobs", "blobs/sha256"):
        folder = tarfile.TarInfo(name)
        folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o755, mtime
        archive.addfile(folder)
    for digest, content in _blobs(artifacts).items():
        _add(archive, f"blobs/sha256/{digest.hex}", content, size_of(content), mtime)


def _add(archive: tarfile.TarFile, name: str, content: Content, size: int, mtime: int) -> None:
    if size >= _MAX_BLOB:
        raise OSError(f"{name} has {size} bytes, and an entry of an archive at most {_MAX_BLOB}: split the images")
    member = tarfile.TarInfo(name)
    member.mode, member.mtime, member.size = 0o644, mtime, size
    with opened(content) as source:
        archive.addfile(member, source)


def size_of(content: Content) -> int:
    """How many bytes a blob has.

    Raises:
        OSError: the file is gone.
    """
    if isinstance(content, bytes):
        return len(content)
    return content.size if isinstance(content, FileSlice) else content.stat().st_size


def _blobs(artifacts: Sequence[Artifact]) -> dict[Digest, Content]:
    """Every blob that is reachable, manifests among them, once; small documents first."""
    found: dict[Digest, Content] = {}
    for artifact in artifacts:
        found[artifact.digest] = artifact.manifest
        found |= _blobs(artifact.children)
    for artifact in artifacts:
        found |= artifact.blobs
    return found


def _index(artifacts: Sequence[Artifact]) -> bytes:
    entries = [index_entry(artifact, {**artifact.annotations, TAG: str(artifact.tag)}) for artifact in artifacts]
    return encode({"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": entries})
