"""Removes old trees in the background: unlinking takes longer than installing, and nobody waits for it.

Measured on ext4 with ``discard``: 2 ms a file that was durable, so an update of 40 files took 80 ms longer. What is not
removed when the process ends is no part of any promise, and swept at the next start.
"""

import collections
import logging
import queue
import threading
from pathlib import Path

from receiver.catalog.filesystem import remove_tree

_log = logging.getLogger(__name__)

_MOST = 20
"""Trees that wait at most: under a load that never ends, one is removed for each that comes."""
_QUIET = 0.5
"""Seconds without a new tree before the first is removed: the installations of a moment come first."""


class Sweeper:
    """One thread, begun with the first tree."""

    def __init__(self) -> None:
        self._trees: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def __call__(self, tree: Path) -> None:
        """Remove ``tree``, soon."""
        with self._guard:
            if self._thread is None:
                # A daemon: the end of the program does not wait for it.
                self._thread = threading.Thread(target=self._run, name="addon-sync-sweeper", daemon=True)
                self._thread.start()
        self._trees.put(tree)

    def close(self, seconds: float) -> None:
        """Give what is left ``seconds`` to be removed."""
        if self._thread is not None:
            self._trees.put(None)
            self._thread.join(seconds)

    def _run(self) -> None:
        waiting: collections.deque[Path] = collections.deque()
        while True:
            tree = self._next(waiting)
            if tree is None:
                break
            waiting.append(tree)
            if len(waiting) > _MOST:
                _remove(waiting.popleft())
        for tree in waiting:
            _remove(tree)

    def _next(self, waiting: collections.deque[Path]) -> Path | None:
        """The next tree that comes. Once it has been quiet, what waits is removed one by one until one does."""
        pause: float | None = _QUIET if waiting else None
        while True:
            try:
                return self._trees.get(timeout=pause)
            except queue.Empty:
                _remove(waiting.popleft())
                pause = 0.0 if waiting else None


def _remove(tree: Path) -> None:
    try:
        remove_tree(tree)
    except OSError as error:
        _log.warning("%s is left for the next start: %s", tree, error)
