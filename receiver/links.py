"""What is a link, and what is a folder itself: nothing of ours is ever one, and none is followed where we write."""

import os
import stat
from pathlib import Path

_REPARSE_POINT = 0x400


def is_plain_folder(path: Path | os.DirEntry[str]) -> bool:
    """A folder, and no link to one: neither a symlink nor, on Windows, a junction or another reparse point."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISDIR(status.st_mode) and not _is_reparse_point(status)


def is_link(path: Path) -> bool:
    """A symlink or, on Windows, another reparse point; whether it leads anywhere is not asked.

    Raises:
        OSError: it cannot be told.
    """
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISLNK(status.st_mode) or _is_reparse_point(status)


def _is_reparse_point(status: os.stat_result) -> bool:
    return bool(getattr(status, "st_file_attributes", 0) & _REPARSE_POINT)
