"""A tree of files in a folder of its own, written from verified layers; nobody sees it until somebody publishes it.

Every file is created, never opened: ``O_EXCL`` and, where the system has folder descriptors, relative to one that was
reached without following a link. So nothing that an archive says, and no link that somebody plants, leads outside.
"""

import hashlib
import os
import shutil
from collections.abc import Collection, Iterable, Mapping, Set
from contextlib import closing
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self

from receiver.catalog.archive import Budget, Entry, entries
from receiver.catalog.inflate import inflate
from receiver.catalog.names import EntryPath
from receiver.errors import InstallError, UnsafeArchive

# The reader of the catalogue takes every file of this name for a manifest, at any depth, on Windows in any case.
_MANIFEST_KEY = "addon.manifest.yaml"
# Windows has neither folder descriptors nor O_NOFOLLOW, and needs O_BINARY to write bytes as they are.
_HAS_FOLDER_DESCRIPTORS = os.open in os.supports_dir_fd and os.mkdir in os.supports_dir_fd
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_SAME_FOLDER = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_DIRECTORY", 0)
FILE_MODE, FOLDER_MODE, _PRIVATE_MODE = 0o644, 0o755, 0o700
# Small files are collected and written in a row: measured with 20,000 of 500 bytes, parsing and writing in turns costs
# a third more than 200 of each at a time, and a second writing thread gains nothing (it waits for the interpreter).
_MAX_COLLECTED_FILES, _MAX_COLLECTED_SIZE, _SMALL = 200, 1024 * 1024, 64 * 1024


class StagedFile(NamedTuple):
    """What was written: ``size`` in bytes, ``sha256`` in hexadecimal digits."""

    size: int
    sha256: str


class StagedTree:
    """A context: entering creates ``root``, leaving completes it, an exception removes it with all that is in it.

    ``root`` is private (0700) until it is complete; folders end as 0755 and files as 0644, whatever the umask is.
    """

    def __init__(self, root: Path, budget: Budget) -> None:
        self.root = root
        self.budget = budget
        self._files: dict[str, StagedFile] = {}
        self._spellings: dict[str, str] = {}
        self._fresh: set[str] = set()  # files of the layer that is being unpacked
        self._folders = _Folders(root)
        self._collected: list[tuple[str, bytes | memoryview]] = []  # small files of the current folder, by name
        self._collected_size = 0

    def __enter__(self) -> Self:
        try:
            self._folders.start()
        except OSError as error:
            raise InstallError(f"cannot create {self.root}: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        complete = False
        try:
            if kind is None:
                self.flush()
                self._folders.publish_mode()
                complete = True
        except OSError as problem:
            raise InstallError(f"cannot complete {self.root}: {problem.strerror}") from problem
        finally:
            self._folders.close()
            if not complete:
                # What cannot be removed now is in nobody's way; recovery removes it at the next start.
                shutil.rmtree(self.root, ignore_errors=True)

    @property
    def files(self) -> Mapping[str, StagedFile]:
        """Every file by its path in the tree."""
        return MappingProxyType(self._files)

    @property
    def folders(self) -> Set[str]:
        """Every folder by its path in the tree, also those that only their files imply; not the root."""
        return self._folders.known - {""}

    def start_layer(self) -> None:
        """From here on, a file of an earlier layer may come again if its content is the same (hazards H12)."""
        self._fresh.clear()

    def add_folder(self, path: str) -> None:
        """Create a folder with what leads to it, unless it is there.

        Raises:
            UnsafeArchive: ``path`` is not portable, a file already, or another one in other letters.
            InstallError: the file system refused. The tree is of no use any more.
        """
        self._enter(self._claim(path, folder=True))

    def add_file(self, path: str, content: bytes | Iterable[memoryview]) -> None:
        """Create a file with what leads to it; a small one is there after `flush`, at the latest when the tree is left.

        Raises:
            UnsafeArchive: as for `add_folder`, or the file is there already with other content, or from this layer.
            InstallError: the file system refused. The tree is of no use any more.
        """
        path = self._claim(path, folder=False)
        if path in self._files:
            self._compare(path, _pieces(content))
            return
        self._fresh.add(path)
        folder, _, name = path.rpartition("/")
        self._enter(folder)
        whole = _whole(content)
        if whole is None or len(whole) > _SMALL:
            self._files[path] = self._write(path, name, _pieces(content))
            return
        self._files[path] = StagedFile(len(whole), hashlib.sha256(whole).hexdigest())
        self._collected.append((name, whole))
        self._collected_size += len(whole)
        if len(self._collected) >= _MAX_COLLECTED_FILES or self._collected_size >= _MAX_COLLECTED_SIZE:
            self.flush()

    def flush(self) -> None:
        """Write the small files that have been collected.

        Raises:
            UnsafeArchive, InstallError: as for `add_file`.
        """
        collected, self._collected, self._collected_size = self._collected, [], 0
        create, write = self._folders.create, os.write
        name = ""
        try:
            for name, content in collected:
                descriptor = create(name)
                try:
                    if (written := write(descriptor, content)) != len(content):
                        _write_all(descriptor, content[written:])
                finally:
                    os.close(descriptor)
        except OSError as error:
            raise _refused(f"{self._folders.current}/{name}".lstrip("/"), error) from error

    def _enter(self, folder: str) -> None:
        if folder == self._folders.current:
            return
        self.flush()
        try:
            self._folders.enter(folder)
        except OSError as error:
            raise _refused(folder, error) from error

    def _write(self, path: str, name: str, pieces: Iterable[bytes | memoryview]) -> StagedFile:
        digest, size = hashlib.sha256(), 0
        try:
            descriptor = self._folders.create(name)
            try:
                for piece in pieces:
                    digest.update(piece)
                    size += len(piece)
                    _write_all(descriptor, piece)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _refused(path, error) from error
        return StagedFile(size, digest.hexdigest())

    def _claim(self, text: str, *, folder: bool) -> str:
        """Judge a path against all others: each has one spelling, and is a file or a folder with folders above it."""
        limits = self.budget.limits.names
        path = text if isinstance(text, EntryPath) else EntryPath.parse(text, limits=limits, folder=folder)
        known = self._spellings.setdefault(path.collision_key, path)
        if known != path:
            raise UnsafeArchive(f"{path!a} and {known!a} are one name on some systems")
        if (path in self._files) if folder else (path in self._folders.known):
            raise UnsafeArchive(f"{path!a} is a file and a folder")
        parent = path.rpartition("/")[0]
        if parent not in self._folders.known:
            self._claim(EntryPath(parent), folder=True)
        return path

    def _compare(self, path: str, pieces: Iterable[bytes | memoryview]) -> None:
        if path in self._fresh:
            raise UnsafeArchive(f"{path!a} is in one layer twice")
        digest, size = hashlib.sha256(), 0
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
        if self._files[path] != StagedFile(size, digest.hexdigest()):
            raise UnsafeArchive(f"{path!a} is in two layers with different content")
        self._fresh.add(path)


class _Folders:
    """The folders from the root down to the one that is being written to, each held open where the system can."""

    def __init__(self, root: Path) -> None:
        self.known: set[str] = {""}
        self.current = ""
        self._root = root
        self._open: list[tuple[str, int | None]] = []
        self._masked = False

    def start(self) -> None:
        """Create the root and learn from it whether the umask takes something from our modes.

        Raises:
            OSError: nothing is left behind.
        """
        self._root.mkdir(mode=FOLDER_MODE)
        try:
            # Windows has no modes; access is what the state folder's ACL says.
            self._masked = _HAS_FOLDER_DESCRIPTORS and self._root.stat().st_mode & 0o777 != FOLDER_MODE
            self._root.chmod(_PRIVATE_MODE)
            self._push("", str(self._root), None)
        except OSError:
            self._root.rmdir()
            raise

    def enter(self, folder: str) -> None:
        """Make ``folder`` the current one; what is missing on the way is created."""
        while not _is_within(folder, self.current):
            self._pop()
        for name in folder[len(self.current) :].split("/"):
            if name:
                self._descend(name)

    def create(self, name: str) -> int:
        """Create a file in the current folder, and give its descriptor."""
        parent = self._open[-1][1]
        descriptor = os.open(name if parent is not None else self._path(name), _NEW_FILE, FILE_MODE, dir_fd=parent)
        if self._masked:
            os.fchmod(descriptor, FILE_MODE)
        return descriptor

    def publish_mode(self) -> None:
        """Let others read the tree."""
        self._root.chmod(FOLDER_MODE)

    def close(self) -> None:
        """Close every folder; the tree cannot be written to any more."""
        while self._open:
            self._pop()

    def _descend(self, name: str) -> None:
        path = f"{self.current}/{name}" if self.current else name
        parent = self._open[-1][1]
        place = name if parent is not None else self._path(name)
        is_new = path not in self.known
        if is_new:
            os.mkdir(place, FOLDER_MODE, dir_fd=parent)
        self._push(path, place, parent)
        self.known.add(path)
        descriptor = self._open[-1][1]
        if is_new and self._masked and descriptor is not None:
            os.fchmod(descriptor, FOLDER_MODE)

    def _push(self, path: str, place: str, parent: int | None) -> None:
        descriptor = os.open(place, _SAME_FOLDER, dir_fd=parent) if _HAS_FOLDER_DESCRIPTORS else None
        self._open.append((path, descriptor))
        self.current = path

    def _pop(self) -> None:
        descriptor = self._open.pop()[1]
        self.current = self._open[-1][0] if self._open else ""
        if descriptor is not None:
            os.close(descriptor)

    def _path(self, name: str = "") -> str:
        return str(self._root / self.current / name)


def unpack(
    layer: Path, *, size: int, tree: StagedTree, prefix: str = "", capture: Collection[str] = ()
) -> dict[str, bytes]:
    """Unpack a gzipped tar of ``size`` bytes below ``prefix`` of ``tree``; the files in ``capture`` are given instead.

    Raises:
        UnsafeArchive: the text names layer and entry. ``tree`` holds a part of the layer and is of no use any more.
        InstallError: likewise, but the file system refused.
    """
    captured: dict[str, bytes] = {}
    tree.start_layer()
    try:
        with closing(inflate(layer, size=size, limits=tree.budget.limits)) as chunks:
            for entry in entries(chunks, tree.budget):
                if entry.path in capture:
                    _capture(entry, captured, tree.budget.limits.max_manifest_size)
                else:
                    _add(tree, entry, prefix)
        tree.flush()
    except UnsafeArchive as error:
        raise UnsafeArchive(f"layer {layer.name[:12]}: {error}") from error
    return captured


def _add(tree: StagedTree, entry: Entry, prefix: str) -> None:
    path = entry.path
    key = path.collision_key
    if _MANIFEST_KEY in key and _MANIFEST_KEY in key.split("/"):
        raise UnsafeArchive(f"{path!a}: a second manifest would make the catalogue unreadable")
    if prefix:
        path = EntryPath.parse(f"{prefix}/{path}", limits=tree.budget.limits.names, folder=entry.is_folder)
    if entry.is_folder:
        tree.add_folder(path)
    else:
        tree.add_file(path, entry.content)


def _capture(entry: Entry, captured: dict[str, bytes], limit: int) -> None:
    if entry.is_folder or entry.path in captured:
        raise UnsafeArchive(f"{entry.path!a}: a folder, or there twice, where one file is expected")
    if entry.size > limit:
        raise UnsafeArchive(f"{entry.path!a}: {entry.size} bytes, the limit is {limit} (ADDON_SYNC_MAX_MANIFEST_SIZE)")
    captured[entry.path] = b"".join(entry.content)


def _is_within(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _pieces(content: bytes | Iterable[memoryview]) -> Iterable[bytes | memoryview]:
    return (content,) if isinstance(content, bytes) else content


def _whole(content: bytes | Iterable[memoryview]) -> bytes | memoryview | None:
    """The content, where it is in one piece already."""
    if isinstance(content, bytes):
        return content
    if isinstance(content, tuple):
        return content[0] if content else b""
    return None


def _write_all(descriptor: int, content: bytes | memoryview) -> None:
    # Before it refuses, a file system that is nearly full takes a part.
    while content:
        content = memoryview(content)[os.write(descriptor, content) :]


def _refused(path: str, error: OSError) -> InstallError | UnsafeArchive:
    if isinstance(error, FileExistsError):
        # In a folder of our own, that is a name which this file system takes for another and our rules do not.
        return UnsafeArchive(f"{path!a} and another path are one name on this file system")
    return InstallError(f"cannot write {path!a}: {error.strerror}")
