"""One process at a time works on a state folder; who it is, and how to reach it. The home of filelock.

``engine.lock`` is held through the operating system, so it is free when its holder dies. ``engine.json`` beside it says
who holds it: it is only a note, and a stale one means nothing while the lock is free.
"""

import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import filelock

from receiver.errors import ConfigError

_TRIES, _PAUSE = 10, 0.02
"""For replacing a note that is being read: a fifth of a second, while reading one takes less than a thousandth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who works on the state folder; ``url`` and ``token`` where it takes commands."""

    pid: int
    command: str
    url: str | None = None
    token: str | None = None

    @classmethod
    def mine(cls, *, command: str, url: str | None = None, token: str | None = None) -> Self:
        """This process."""
        return cls(pid=os.getpid(), command=command, url=url, token=token)

    def __str__(self) -> str:
        return f"addon-sync {self.command} (process {self.pid})"


class StateLock:
    """The lock of ``state``; `acquire`, then `announce`, then `release`."""

    def __init__(self, state: Path) -> None:
        self._note = state / "engine.json"
        self._lock = filelock.FileLock(str(state / "engine.lock"), mode=0o600)
        self._state = state

    def acquire(self, *, command: str, timeout: float, waiting: Callable[[Holder | None], None]) -> None:
        """Take the lock; ``waiting`` is called once where somebody else holds it. Blocks up to ``timeout`` seconds.

        Raises:
            ConfigError: it is still held; the text says by whom.
        """
        try:
            self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take(timeout, waiting)
        except OSError as error:
            raise ConfigError(f"ADDON_SYNC_STATE_DIR {str(self._state)!r} cannot be used: {error}") from error
        try:
            self.announce(Holder.mine(command=command))
        except ConfigError:
            self._lock.release()
            raise

    def try_acquire(self, *, command: str) -> bool:
        """Take the lock if it is free.

        Raises:
            ConfigError: the state folder cannot be used.
        """
        held = False

        def note(_: Holder | None) -> None:
            nonlocal held
            held = True

        try:
            self.acquire(command=command, timeout=0, waiting=note)
        except ConfigError:
            if not held:
                raise
            return False
        return True

    def announce(self, holder: Holder) -> None:
        """Say who holds the lock, to those who may read the state folder.

        Raises:
            ConfigError: it cannot be written; the note is the one from before.
        """
        temporary = self._note.with_suffix(f".{holder.pid}.tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(holder), file)
            _replace(temporary, self._note)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise ConfigError(f"ADDON_SYNC_STATE_DIR {str(self._state)!r} cannot be used: {error}") from error

    def holder(self) -> Holder | None:
        """Who holds the lock, as far as it says."""
        try:
            return Holder(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def release(self) -> None:
        """Let the next one in."""
        # Windows refuses while somebody reads the note; a stale one means nothing.
        with contextlib.suppress(OSError):
            self._note.unlink(missing_ok=True)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _take(self, timeout: float, waiting: Callable[[Holder | None], None]) -> None:
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            waiting(self.holder())
            self._wait(timeout)

    def _wait(self, timeout: float) -> None:
        started = time.monotonic()
        try:
            self._lock.acquire(timeout=max(timeout, 0), poll_interval=0.05)
        except filelock.Timeout as error:
            waited = time.monotonic() - started
            raise ConfigError(
                f"{self.holder() or 'another process'} works on {self._state} and did not end within {waited:.0f} s"
            ) from error


def _replace(source: Path, target: Path) -> None:
    """Exchange the note; on Windows not while somebody reads it, which takes an instant."""
    for _ in range(_TRIES):
        try:
            source.replace(target)
        except PermissionError:
            time.sleep(_PAUSE)
        else:
            return
    source.replace(target)


def new_token() -> str:
    """A credential for commands, new at every start."""
    return secrets.token_urlsafe(32)
