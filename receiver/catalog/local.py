"""Files that are the operator's: carried over when a release is exchanged, kept when it must replace them.

Two passes, because people and programs write while we work. Before the exchange every local file is linked into the
staged tree, so that it is never missing, and a program that holds it open goes on writing into the same file. After
the exchange, when nobody finds the old tree by its name any more, that tree is compared with what was ours: whatever
else is in it moves to the new tree or into the backups.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from receiver.links import is_plain_folder

OwnedFiles = Mapping[str, tuple[int, str]]
"""Size in bytes and SHA-256 in hexadecimal digits, by path with ``/`` below the unit's folder."""


def link_local(live: Path, staged: Path, *, owned: OwnedFiles, delivered: OwnedFiles) -> None:
    """Link each regular local file of ``live`` into ``staged``, which the release ``delivered`` fills.

    Links and special files are left to `settle`: they cannot be hard-linked everywhere.

    Raises:
        OSError: ``live`` is untouched.
    """
    ours = _folders_of(owned)
    for path, entry in _walk(live):
        target = staged / path
        # Asked of the file system too: where case does not count, a delivered file may have this name (hazards G15).
        if path in owned or path in delivered or path in ours or os.path.lexists(target):
            continue
        if is_plain_folder(entry):
            _make_folders(target, staged, like=live)
        elif entry.is_file(follow_symlinks=False) and _make_folders(target.parent, staged, like=live):
            _link_or_copy(Path(entry.path), target)


def settle(old: Path, live: Path, *, owned: OwnedFiles, backup: Path) -> list[str]:
    """Bring what is the operator's out of ``old``: to ``live`` where it has no such file, else below ``backup``.

    ``backup`` is that of one installation, ``<backups>/<leaf>/<name>``.

    Afterwards nothing but our own, unedited files is in ``old``. Safe to repeat after a crash.

    Returns:
        The paths that were put below ``backup``.

    Raises:
        OSError: what has not moved yet is still in ``old``.
    """
    kept = []
    ours = _folders_of(owned)
    for path, entry in _walk(old):
        source, target = Path(entry.path), live / path
        if is_plain_folder(entry):
            if path not in ours and not os.path.lexists(target):
                _make_folders(target, live, like=old)
            continue
        if _is_ours(source, entry, owned.get(path)) or _is_same(source, entry, target):
            continue
        if path not in owned and not os.path.lexists(target) and _make_folders(target.parent, live, like=old):
            source.rename(target)
        else:
            make_backup_folder((backup / path).parent, backup.parents[1])
            source.rename(backup / path)
            kept.append(path)
    return kept


def _walk(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every entry below ``root`` with its path, folders before what is in them; links are not followed."""
    waiting = [("", root)]
    while waiting:
        prefix, folder = waiting.pop()
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            path = prefix + entry.name
            yield path, entry
            if is_plain_folder(entry):
                waiting.append((f"{path}/", Path(entry.path)))


def _is_ours(source: Path, entry: os.DirEntry[str], record: tuple[int, str] | None) -> bool:
    """Whether the file is byte for byte what we installed. The time is not asked: copying tools preserve it."""
    if record is None or not entry.is_file(follow_symlinks=False):
        return False
    return entry.stat(follow_symlinks=False).st_size == record[0] and _sha256(source) == record[1]


def _is_same(source: Path, entry: os.DirEntry[str], target: Path) -> bool:
    """Whether ``target`` already is this file, or an equal one."""
    if not entry.is_file(follow_symlinks=False) or target.is_symlink() or not target.is_file():
        return False
    if source.samefile(target):
        return True
    return source.stat().st_size == target.stat().st_size and _sha256(source) == _sha256(target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folders_of(owned: OwnedFiles) -> frozenset[str]:
    """The folders that hold owned files, at any depth: they go when the files go."""
    parents = {path.rpartition("/")[0] for path in owned}
    return frozenset(
        "/".join(parts[:depth])
        for parts in (parent.split("/") for parent in parents)
        for depth in range(1, len(parts) + 1)
    )


def _make_folders(folder: Path, root: Path, *, like: Path | None = None) -> bool:
    """Create ``folder`` below ``root``; False where a file of the release stands in the way.

    Each that is new gets the mode and the owner that it has below ``like``: a folder of the operator stays theirs.
    Without one it is private.
    """
    for part in [*reversed(folder.relative_to(root).parents), folder.relative_to(root)]:
        step = root / part
        if not os.path.lexists(step):
            step.mkdir(mode=0o700)
            if like is not None and is_plain_folder(like / part):
                _copy_access(like / part, step)
        elif not is_plain_folder(step):
            return False
    return True


def _copy_access(source: Path, target: Path) -> None:
    status, mine = source.lstat(), target.lstat()
    if (status.st_uid, status.st_gid) != (mine.st_uid, mine.st_gid) and hasattr(os, "chown"):
        with contextlib.suppress(PermissionError):  # who is not root cannot give away, and works on files of their own
            os.chown(target, status.st_uid, status.st_gid)
    target.chmod(stat.S_IMODE(status.st_mode))


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        # FAT, some network shares, and the kernel's limit of links a file.
        shutil.copy2(source, target, follow_symlinks=False)


def make_backup_folder(folder: Path, backups: Path) -> None:
    """Create ``folder`` below ``backups``, step by step: what somebody keeps must not land behind a link.

    Raises:
        OSError: a link or a file is in the way.
    """
    if not is_plain_folder(backups) or not _make_folders(folder, backups):
        raise NotADirectoryError(errno.ENOTDIR, "a link or no folder is in the way, remove it", str(folder))
