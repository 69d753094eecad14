"""The folder of records: one JSON document an addon repository (`receiver.catalog.record`), replaced in one step.

It is kept beside the catalogue, not in the task database: a release of 20,000 files is one write of
a few megabytes, a person can read it, and neither store can damage the other
(``docs/decisions/0003-ownership-records.md``).
"""

from collections.abc import Iterator
from pathlib import Path

from receiver.catalog.filesystem import write_durably
from receiver.catalog.record import FORMAT, AddonRecord, InstalledRelease
from receiver.document import Document, InvalidDocument, convert, encode, parse
from receiver.errors import InstallError
from receiver.links import is_link


class _FirstFormat(Document, frozen=True):
    repository: str
    leaf: str


class Records:
    """The folder of records."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[str, tuple[tuple[int, int, int], AddonRecord]] = {}

    def read(self, leaf: str) -> AddonRecord | None:
        """The record of a repository; None where there never was anything to know.

        Raises:
            InstallError: the record is damaged or cannot be read; the text says what to do.
        """
        path = self._path(leaf)
        try:
            # Stamped before it is read: a record that is replaced meanwhile is read again the next time.
            status = path.lstat()
            if is_link(path):
                raise InstallError(f"{path} is a link: remove it; the addon's files then count as local")
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            known = self._read.get(leaf)
            if known is not None and known[0] == stamp:
                return known[1]
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InstallError(f"{path} cannot be read: {error.strerror}") from error
        record = _decoded(content, path)
        self._read[leaf] = (stamp, record)
        return record

    def all(self) -> Iterator[AddonRecord]:
        """Every record, by leaf.

        Raises:
            InstallError: one is damaged or cannot be read.
        """
        try:
            # Not glob, which takes a folder that it may not read for an empty one: everybody's files would be nobody's.
            names = sorted(path.stem for path in self._root.iterdir() if path.suffix == ".json")
        except FileNotFoundError:
            return
        except OSError as error:
            raise InstallError(f"{self._root} cannot be read: {error.strerror}") from error
        for name in names:
            record = self.read(name)
            if record is not None:
                yield record

    def write(self, record: AddonRecord, *, temporary: Path) -> None:
        """Replace the record of a repository; ``temporary`` is on the same volume and not there yet.

        Raises:
            OSError: the former record is still there, and ``temporary`` gone.
        """
        write_durably(self._path(record.leaf), encode(record), temporary=temporary)
        # A file number may be given again to the next record, within the same tick of the clock.
        self._read.pop(record.leaf, None)

    def _path(self, leaf: str) -> Path:
        return self._root / f"{leaf}.json"


def _decoded(content: bytes, path: Path) -> AddonRecord:
    try:
        return _record(parse(content))
    except InvalidDocument as error:
        raise InstallError(
            f"{path} is damaged ({error}): move it away and sync the addon again; its files then count as local"
        ) from error


def _record(document: object) -> AddonRecord:
    written = document.get("format") if isinstance(document, dict) else None
    if written == 1:
        first = convert(document, _FirstFormat)
        return AddonRecord(repository=first.repository, leaf=first.leaf, installed=convert(document, InstalledRelease))
    if written != FORMAT:
        raise InvalidDocument(f"format {written!r}, and this addon-sync knows 1 and {FORMAT}")
    return convert(document, AddonRecord)
