"""A file system that fails, or a process that dies, at the N-th call: every call of the catalogue is counted."""

import errno
import gc
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from receiver.catalog import filesystem

WRITING = frozenset({"open", "write", "fsync", "mkdir", "rename", "replace", "link", "exchange", "syncfs"})
"""Calls that a full disk refuses (an ``open`` only where it creates)."""
_CALLS = WRITING - {"exchange", "syncfs"} | {
    "chmod", "chown", "fchmod", "listdir", "lstat", "rmdir", "scandir", "stat", "unlink"
}  # fmt: skip
_READING = frozenset({"fsync", "listdir", "lstat", "read", "scandir", "stat", "syncfs"})
_OPENS_TO_WRITE = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_RDWR
Act = Callable[[int, str, tuple[Any, ...]], None]
"""What happens before call number N, of that name, with those arguments: nothing, an OSError, or death."""


class Disk:
    """Counts calls of the thread that made it; ``log`` names them in their order."""

    def __init__(self, act: Act) -> None:
        self.log: list[str] = []
        self._act = act
        self._thread = threading.get_ident()
        self._acting = False

    def reach(self, name: str, arguments: tuple[Any, ...] = ()) -> None:
        # What acts may look at the disk itself: that is no call of the catalogue.
        if threading.get_ident() != self._thread or self._acting:
            return
        self.log.append(name)
        self._acting = True
        try:
            self._act(len(self.log), name, arguments)
        finally:
            self._acting = False


@contextmanager
def watched(act: Act) -> Iterator[Disk]:
    """Everything of the file system that the catalogue calls passes ``act`` first; nothing is really synchronised."""
    disk = Disk(act)
    with pytest.MonkeyPatch.context() as patch:
        for name in _CALLS:
            if hasattr(os, name):
                patch.setattr(os, name, _through(disk, name, getattr(os, name)))
        patch.setattr(os, "fsync", lambda descriptor: disk.reach("fsync"))
        patch.setattr(io, "open", _through(disk, "read", io.open))
        exchange = filesystem._renameat2()
        if exchange is not None:
            patch.setattr(filesystem, "_renameat2", lambda: _through_errno(disk, "exchange", exchange))
            patch.setattr(filesystem, "_syncfs", lambda: _through_errno(disk, "syncfs", lambda descriptor: 0))
        yield disk


def _through(disk: Disk, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        disk.reach(name, arguments)
        return function(*arguments, **options)

    return call


def _through_errno(disk: Disk, name: str, function: Callable[..., int]) -> Callable[..., int]:
    def call(*arguments: Any) -> int:
        try:
            disk.reach(name)
        except OSError as error:
            return error.errno or errno.EIO
        return function(*arguments)

    return call


def undisturbed(count: int, name: str, arguments: tuple[Any, ...]) -> None:
    """Nothing happens."""


def stepped(work: Callable[[], object], look: Callable[[int], None]) -> int:
    """Do ``work``; ``look`` finds the disk as death before call N would leave it. How many calls there were.

    It is asked where the call before may have changed something, and after the last one.
    """
    changed = True

    def act(count: int, name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal changed
        assert name != "read" or "r" in arguments[1], "a file object writes when it likes, between the calls"
        if changed:
            look(count)
        changed = name not in _READING and (name != "open" or bool(arguments[1] & _OPENS_TO_WRITE))

    with watched(act) as disk:
        work()
    look(len(disk.log) + 1)
    return len(disk.log)


def fail_once(at: int, number: int) -> Act:
    """Call ``at`` fails with the error ``number``, and no other."""

    def act(count: int, name: str, arguments: tuple[Any, ...]) -> None:
        if count == at:
            raise OSError(number, os.strerror(number))

    return act


def full_from(at: int) -> Act:
    """The disk is full from call ``at`` on: what needs room fails, the rest works."""

    def act(count: int, name: str, arguments: tuple[Any, ...]) -> None:
        creates = name != "open" or (len(arguments) > 1 and arguments[1] & os.O_CREAT)
        if count >= at and name in WRITING - {"exchange", "rename"} and creates:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return act


class Death(BaseException):
    """The process is gone: from here on no call reaches the file system."""


def die_at(at: int, death: Callable[[], None]) -> Act:
    """Death before call ``at``."""

    def act(count: int, name: str, arguments: tuple[Any, ...]) -> None:
        if count >= at:
            death()

    return act


def dies(at: int, work: Callable[[], object]) -> bool:
    """Do ``work`` in a child process that dies, with no clean-up, before call ``at``; False where it came to its end.

    Without ``fork`` (Windows), a BaseException at that call and at each later one: clean-up reaches nothing either.
    """
    if not hasattr(os, "fork"):
        return _dies_here(at, work)
    child = os.fork()
    if child == 0:
        gc.disable()  # it would touch, and so copy, every page that the tests hold
        try:
            with watched(die_at(at, lambda: os._exit(9))):
                work()
        except BaseException:  # noqa: BLE001 - a child that comes back would run the tests a second time
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, 9}, f"the child failed before call {at}"
    return code == 9


def _dies_here(at: int, work: Callable[[], object]) -> bool:
    def death() -> None:
        raise Death

    with watched(die_at(at, death)):
        try:
            work()
        except Death:
            return True
    return False
