"""The few file-system calls that differ between Linux and Windows, each with its counterpart.

============================  =====================================  ==============================================
what                          Linux                                  elsewhere
============================  =====================================  ==============================================
exchange two folders          ``renameat2(RENAME_EXCHANGE)``         two renames, with retries on sharing violations
make a tree durable           ``syncfs``                             ``fsync`` of every file
make a rename durable         ``fsync`` of the folder                nothing: NTFS journals names
is it a link                  ``lstat``: symlink                     also reparse points (junctions)
============================  =====================================  ==============================================

The right column is chosen at run time by what the system has, and tested on Linux by taking the left one away.
"""

import contextlib
import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from receiver.links import is_plain_folder

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RETRY_SECONDS = 30.0
"""Virus scanners and running scripts hold files open for seconds (ERROR_SHARING_VIOLATION, ERROR_ACCESS_DENIED)."""
_HELD_OPEN = {errno.EACCES, errno.EPERM, errno.EBUSY}


class Exchange(Protocol):
    """Put ``staged`` in the place of ``live``; what was there ends at ``old`` or, where it is atomic, at ``staged``."""

    def __call__(self, staged: Path, live: Path, old: Path) -> None:
        """Exchange; on an OSError both are as they were."""
        ...


def _renameat2() -> Callable[[int, bytes, int, bytes, int], int] | None:
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415 - not paid by a start that finds everything installed

    library = ctypes.CDLL(None, use_errno=True)
    function = getattr(library, "renameat2", None)  # glibc 2.28 and later; musl has none
    if function is None:
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]

    def rename(from_fd: int, source: bytes, to_fd: int, target: bytes, flags: int) -> int:
        return 0 if function(from_fd, source, to_fd, target, flags) == 0 else ctypes.get_errno()

    return rename


def _syncfs() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415 - as above

    function = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if function is None:
        return None
    return lambda descriptor: 0 if function(descriptor) == 0 else ctypes.get_errno()


def exchange_atomically(staged: Path, live: Path, old: Path) -> None:  # noqa: ARG001 - the signature of Exchange
    """One system call: no instant without ``live``.

    Raises:
        OSError: nothing changed; ENOSYS or EINVAL where kernel or file system lack it.
    """
    rename = _renameat2()
    if rename is None:
        raise OSError(errno.ENOSYS, "renameat2 is not available")
    failed = rename(_AT_FDCWD, os.fsencode(staged), _AT_FDCWD, os.fsencode(live), _RENAME_EXCHANGE)
    if failed:
        raise OSError(failed, os.strerror(failed), str(live))


def exchange_by_two_renames(
    staged: Path,
    live: Path,
    old: Path,
    *,
    patience: float = _RETRY_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Move ``live`` to ``old``, then ``staged`` to ``live``; where the second fails, the first is undone.

    Raises:
        OSError: ``live`` and ``staged`` are as they were.
    """
    rename_patiently(live, old, patience=patience, sleep=sleep)
    try:
        rename_patiently(staged, live, patience=patience, sleep=sleep)
    except OSError:
        rename_patiently(old, live, patience=patience, sleep=sleep)
        raise


def rename_patiently(
    source: Path, target: Path, *, patience: float = _RETRY_SECONDS, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Rename, trying again for ``patience`` seconds while something is held open (Windows only: elsewhere it is final).

    Raises:
        OSError: nothing changed.
    """
    waited, pause = 0.0, 0.05
    while True:
        try:
            source.rename(target)
        except OSError as error:
            if not _is_held_open(error) or waited >= patience:
                raise
            sleep(pause)
            waited += pause
            pause = min(pause * 2, 1.0)
        else:
            return


def _is_held_open(error: OSError) -> bool:
    return os.name == "nt" and error.errno in _HELD_OPEN


def exchange(staged: Path, live: Path, old: Path) -> None:
    """The best that the system has; see the table above.

    Raises:
        OSError: ``live`` and ``staged`` are as they were.
    """
    try:
        exchange_atomically(staged, live, old)
    except OSError as error:
        if error.errno not in {errno.ENOSYS, errno.EINVAL}:
            raise
        exchange_by_two_renames(staged, live, old)


def make_tree_durable(root: Path) -> None:
    """Everything below ``root`` survives power loss once this returns.

    Raises:
        OSError: it may not.
    """
    syncfs = _syncfs()
    if syncfs is not None:
        with _opened(root, os.O_RDONLY) as descriptor:
            failed = syncfs(descriptor)
        if failed == 0:
            return
        if failed not in {errno.ENOSYS, errno.EINVAL}:
            raise OSError(failed, os.strerror(failed), str(root))
    for folder, _, files in os.walk(root):
        for name in files:
            # Windows: FlushFileBuffers wants a handle that may write.
            with _opened(Path(folder, name), os.O_RDWR | getattr(os, "O_BINARY", 0)) as descriptor:
                os.fsync(descriptor)
        make_rename_durable(Path(folder))


def make_rename_durable(folder: Path) -> None:
    """Names that were created, replaced or removed in ``folder`` stay so after power loss."""
    if os.name == "nt":
        return
    with _opened(folder, os.O_RDONLY) as descriptor:
        os.fsync(descriptor)


def make_folder(folder: Path, mode: int = 0o755) -> None:
    """Create ``folder`` with what leads to it, where it is missing, with ``mode`` whatever the umask is.

    Raises:
        OSError: it is not there.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent, mode)
    folder.mkdir(exist_ok=True)
    folder.chmod(mode)


def write_durably(path: Path, content: bytes, *, temporary: Path) -> None:
    """Replace ``path`` by ``content``, whole or not at all; ``temporary`` is on the same volume and not there yet.

    Raises:
        OSError: ``path`` is as it was and ``temporary`` gone.
    """
    try:
        with _opened(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)) as descriptor:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    make_rename_durable(path.parent)


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def identity(path: Path) -> tuple[int, int] | None:
    """Volume and file number: the same after a rename (on NTFS too), another for another folder; None where absent."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


def remove_tree(root: Path) -> None:
    """Remove what is ours to remove; links are removed, never followed.

    Raises:
        OSError: a part may be left; calling again goes on.
    """
    if is_plain_folder(root):
        shutil.rmtree(root)
    else:
        root.unlink(missing_ok=True)
