"""How far a pull or a push is: bars where standard error is a terminal, now and then a line where not."""

import contextlib
import logging
import sys
import time
from typing import TYPE_CHECKING

from receiver.report import size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    import rich.progress

    from receiver.sync.ports import Progress

_log = logging.getLogger(__name__)

_WORTH_A_LINE = 16 * 1024 * 1024
"""Bytes: what is smaller is there before it could be read about."""
_EVERY = 10.0
"""Seconds between two lines of one pull."""
_WORDS = ("fetching", "fetched")


class PlainProgress:
    """Lines in the log for long pulls and pushes; ``doing`` and ``done`` are the words for it."""

    def __init__(self, *, doing: str = _WORDS[0], done: str = _WORDS[1]) -> None:
        self._doing = doing
        self._done = done
        self._pulls: dict[str, tuple[int, int, float]] = {}

    def started(self, name: str, total: int) -> None:
        """Begin."""
        self._pulls[name] = (0, total, time.monotonic())
        if total >= _WORTH_A_LINE:
            _log.info("%s: %s %s", name, self._doing, size(total))

    def advanced(self, name: str, count: int) -> None:
        """Go on."""
        done, total, told = self._pulls[name]
        now = time.monotonic()
        if now - told >= _EVERY:
            _log.info("%s: %s of %s %s", name, size(done + count), size(total), self._done)
            told = now
        self._pulls[name] = (done + count, total, told)

    def finished(self, name: str) -> None:
        """End."""
        self._pulls.pop(name, None)


class BarProgress:
    """A bar for each pull."""

    def __init__(self, bars: "rich.progress.Progress") -> None:
        self._bars = bars
        self._pulls: dict[str, rich.progress.TaskID] = {}

    def started(self, name: str, total: int) -> None:
        """Begin."""
        self._pulls[name] = self._bars.add_task(name, total=total)

    def advanced(self, name: str, count: int) -> None:
        """Go on."""
        self._bars.advance(self._pulls[name], count)

    def finished(self, name: str) -> None:
        """End."""
        self._bars.remove_task(self._pulls.pop(name))


@contextlib.contextmanager
def progress(*, doing: str = _WORDS[0], done: str = _WORDS[1]) -> "Iterator[Progress]":
    """What fits standard error."""
    if not sys.stderr.isatty():
        yield PlainProgress(doing=doing, done=done)
        return
    from rich import progress as rich_progress  # noqa: PLC0415 - a scheduled job has no terminal and does not pay
    from rich.console import Console  # noqa: PLC0415

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.DownloadColumn(),
        rich_progress.TransferSpeedColumn(),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield BarProgress(bars)


@contextlib.contextmanager
def reading(lines: "TextIO") -> "Iterator[Iterable[str]]":
    """The lines of a file that may be long, with how far it was read: a bar on a terminal, else now and then a line."""
    if not sys.stderr.isatty():
        yield _counted(lines)
        return
    from rich import progress as rich_progress  # noqa: PLC0415 - see progress
    from rich.console import Console  # noqa: PLC0415

    columns = (
        rich_progress.TextColumn("reading"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeElapsedColumn(),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield bars.track(lines, total=None)


def _counted(lines: "TextIO") -> "Iterator[str]":
    told = time.monotonic()
    for number, line in enumerate(lines, start=1):
        yield line
        if number % 1000 == 0 and time.monotonic() - told >= _EVERY:
            told = time.monotonic()
            _log.info("%d lines read", number)
