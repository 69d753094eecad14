"""What is on a disk, to the byte: to compare two, and to go on from one again and again. Needs Linux's file numbers."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import close, read  # those of the system, whatever a test puts in their places
from os import open as open_
from pathlib import Path

_NUMBER = re.compile(rb'"number":(\d+)')
"""The file number of a staged tree in a journal: the one thing that a copy of a disk must not take over."""


@dataclass(frozen=True, slots=True)
class Entry:
    """``content`` is a file's bytes or a link's target; ``twin`` the first path of the same file, if it has several."""

    mode: int
    content: bytes | None
    twin: str = ""


Image = Mapping[str, Entry]
"""Everything below a folder, by path with ``/``."""


def image(root: Path) -> Image:
    """Read it all. File numbers in journals are replaced by the paths that have them."""
    paths: dict[int, str] = {}
    found: dict[str, Entry] = {}
    for entry, name in _walk(root):
        status = entry.stat(follow_symlinks=False)
        first = paths.setdefault(status.st_ino, name)
        several = stat.S_ISREG(status.st_mode) and status.st_nlink > 1
        found[name] = Entry(status.st_mode, _content(entry.path, status), first if several else "")
    for name in [name for name in found if _is_journal(name)]:
        content = _NUMBER.sub(lambda match: _renumbered(paths, match), found[name].content or b"")
        found[name] = Entry(found[name].mode, content)
    return found


def fingerprint(found: Image) -> bytes:
    """The same for equal images."""
    digest = hashlib.blake2b(digest_size=16)
    for name, entry in found.items():
        digest.update(
            f"{name}\0{entry.mode}\0{entry.twin}\0{-1 if entry.content is None else len(entry.content)}".encode()
        )
        digest.update(entry.content or b"")
    return digest.digest()


def copy_disk(source: Path, target: Path) -> Path:
    """A second disk with the same image, hard links and the numbers in journals included."""
    target.mkdir()
    numbers: dict[int, int] = {}
    twins: dict[int, Path] = {}
    journals = []
    for entry, name in _walk(source):
        path, status = target / name, entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            path.mkdir()
        elif stat.S_ISLNK(status.st_mode):
            path.symlink_to(Path(entry.path).readlink())
        elif status.st_ino in twins:
            os.link(twins[status.st_ino], path)
        else:
            path.write_bytes(_content(entry.path, status) or b"")
            twins[status.st_ino] = path
        if not stat.S_ISLNK(status.st_mode):
            path.chmod(stat.S_IMODE(status.st_mode))
        numbers[status.st_ino] = path.lstat().st_ino
        if _is_journal(name):
            journals.append(path)
    for path in journals:
        # What is not there any more gets a number that nothing has.
        changed = _NUMBER.sub(lambda match: b'"number":%d' % numbers.get(int(match[1]), 0), path.read_bytes())
        path.write_bytes(changed)
    return target


def _walk(root: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
    waiting = [("", str(root))]
    while waiting:
        prefix, folder = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                yield entry, prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((f"{prefix}{entry.name}/", entry.path))


def _content(path: str, status: os.stat_result) -> bytes | None:
    if stat.S_ISDIR(status.st_mode):
        return None
    if stat.S_ISLNK(status.st_mode):
        return os.fsencode(Path(path).readlink())
    # Asked a million times: no buffered file, which makes seven system calls of these three.
    if status.st_size == 0:
        return b""
    descriptor = open_(path, os.O_RDONLY)
    try:
        return read(descriptor, status.st_size)
    finally:
        close(descriptor)


def _is_journal(name: str) -> bool:
    return name.rpartition("/")[2].startswith("journal.json")


def _renumbered(paths: Mapping[int, str], match: re.Match[bytes]) -> bytes:
    return b'"number":"%s"' % paths.get(int(match[1]), "nothing").encode()
