"""Sees whatever this process reads, writes or changes below a folder where it has no business, in any thread."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FOLLOWING = {"open", "os.listdir", "os.scandir", "os.chmod", "os.truncate", "os.utime", "sqlite3.connect"}
"""Audit events of calls that follow a link at the end of their path."""
_ACTING = {
    "os.mkdir": (0,),
    "os.rename": (0, 1),
    "os.link": (0, 1),
    "os.symlink": (1,),
    "os.remove": (0,),
    "os.rmdir": (0,),
}
"""Audit events of calls that act on a link itself, and which of their arguments are paths."""
_forbidden: list[tuple[str, list[str]]] = []


@contextmanager
def watching(folder: Path) -> Iterator[list[str]]:
    """The calls that reach into ``folder``, whatever links lead there, as ``<event> <path>``."""
    _install()
    seen: list[str] = []
    watch = (os.path.realpath(folder), seen)
    _forbidden.append(watch)
    try:
        yield seen
    finally:
        _forbidden.remove(watch)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _forbidden:
        return
    for path in _places(event, arguments):
        for root, seen in _forbidden:
            if path == root or path.startswith(root + os.sep):
                seen.append(f"{event} {path}")


def _places(event: str, arguments: tuple[Any, ...]) -> Iterator[str]:
    """Where a call leads; one that is relative to a descriptor has been seen when that one was opened."""
    if event in _FOLLOWING and isinstance(arguments[0], str | bytes | os.PathLike):
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & getattr(os, "O_NOFOLLOW", 0):
            yield _parent(arguments[0])
        else:
            yield os.path.realpath(os.fsdecode(arguments[0]))
    for index in _ACTING.get(event, ()):
        yield _parent(arguments[index])


def _parent(path: str | bytes | os.PathLike[str]) -> str:
    folder, name = os.path.split(os.fsdecode(path))
    return os.path.realpath(folder) + os.sep + name


_installed: list[bool] = []


def _install() -> None:
    """Once a process: a hook cannot be taken away."""
    if not _installed:
        sys.addaudithook(_hook)
        _installed.append(True)
