"""One process at a time works on a state folder and on a catalogue; who it is, and how to reach it.

The home of filelock. ``engine.lock`` in the state folder, and ``.addon-sync.lock`` beside the catalogue where another
process may use another state folder, are held through the operating system, so they are free when their holder dies.
The JSON files beside them say who holds them: they are only notes, and a stale one means nothing while a lock is free.
"""

import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import filelock

from receiver.document import Value, encode
from receiver.errors import ConfigError, quoted
from receiver.links import is_link

_TRIES, _PAUSE = 10, 0.02
"""For replacing a note that is being read: a fifth of a second, while reading one takes less than a thousandth."""


class Holder(Value, frozen=True, kw_only=True):
    """Who works on the state folder; ``url``, on loopback, and ``token`` where it takes commands."""

    pid: int
    command: str
    url: str | None = None
    token: str | None = None
    state: str | None = None
    """The state folder, in the note beside the catalogue."""
    listen: str | None = None
    """Where senders and people reach it: the URL with the port that was taken, without a path."""
    sign_in: str | None = None
    """What opens the page at ``listen``: the name of a setting, or ``token``; None where there is no page."""
    settings: dict[str, str] | None = None
    """What it works by, as `receiver.config.deciding` gives it."""

    @classmethod
    def mine(
        cls,
        *,
        command: str,
        url: str | None = None,
        token: str | None = None,
        listen: str | None = None,
        sign_in: str | None = None,
        settings: dict[str, str] | None = None,
    ) -> Self:
        """This process."""
        pid = os.getpid()
        return cls(pid=pid, command=command, url=url, token=token, listen=listen, sign_in=sign_in, settings=settings)

    def __str__(self) -> str:
        where = "" if self.state is None else f", with the state folder {self.state}"
        return f"addon-sync {self.command} (process {self.pid}{where})"


class _Patience(Value, frozen=True):
    """How long to wait for locks, until when, and who is told."""

    seconds: float
    deadline: float
    waiting: Callable[[Holder | None], None]

    def take(self, lock: filelock.FileLock, folder: Path, holder: Callable[[], Holder | None]) -> None:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            self.waiting(holder())
            try:
                lock.acquire(timeout=max(self.deadline - time.monotonic(), 0), poll_interval=0.05)
            except filelock.Timeout as error:
                raise ConfigError(
                    f"{holder() or 'another process'} works on {folder} and did not end within {self.seconds:.0f} s"
                ) from error


class StateLock:
    """The lock of ``state``, and of the catalogue in ``install_dir``; `acquire`, then `announce`, then `release`."""

    def __init__(self, state: Path, *, install_dir: Path | None = None) -> None:
        self._state = state
        self._note = state / "engine.json"
        self._lock = _file_lock(state / "engine.lock")
        self._catalogue = None if install_dir is None else _CatalogueLock(install_dir, state)

    def acquire(self, *, command: str, timeout: float, waiting: Callable[[Holder | None], None]) -> None:
        """Take both; ``waiting`` is called once where somebody else holds one. Blocks up to ``timeout`` seconds.

        Raises:
            ConfigError: one is still held, the text says by whom; or the folder is not fit for it.
        """
        patience = _Patience(timeout, time.monotonic() + timeout, waiting)
        try:
            self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_links(self._state)
            patience.take(self._lock, self._state, self.holder)
        except OSError as error:
            raise _unusable("ADDON_SYNC_STATE_DIR", self._state, error) from error
        try:
            if self._catalogue is not None:
                self._catalogue.acquire(command, patience)
            self.announce(Holder.mine(command=command))
        except ConfigError:
            self._unlock()
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

    def is_held(self) -> bool:
        """Whether somebody holds one of the two now. No file is made, since who asks may be another user.

        Raises:
            ConfigError: it cannot be told.
        """
        paths = [self._state / "engine.lock", *([] if self._catalogue is None else [self._catalogue.path])]
        try:
            return any(_is_held(path) for path in paths)
        except OSError as error:
            raise ConfigError(f"{error.filename} cannot be looked at: {error.strerror}") from error

    def announce(self, holder: Holder) -> None:
        """Say who holds the lock, to those who may read the state folder.

        Raises:
            ConfigError: it cannot be written; the note is the one from before.
        """
        temporary = self._note.with_suffix(f".{holder.pid}.tmp")
        try:
            _write_private(temporary, holder)
            _replace(temporary, self._note)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise _unusable("ADDON_SYNC_STATE_DIR", self._state, error) from error

    def holder(self) -> Holder | None:
        """Who holds the lock, as far as it says; where that one is free, who holds the catalogue."""
        return _noted(self._note) or (self._catalogue.holder() if self._catalogue is not None else None)

    def release(self) -> None:
        """Let the next one in."""
        # Windows refuses while somebody reads the note; a stale one means nothing.
        with contextlib.suppress(OSError):
            self._note.unlink(missing_ok=True)
        self._unlock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _unlock(self) -> None:
        if self._catalogue is not None:
            self._catalogue.release()
        self._lock.release()


class _CatalogueLock:
    """Beside ``addons``, where nothing of ours may be."""

    def __init__(self, install_dir: Path, state: Path) -> None:
        self.path = install_dir / ".addon-sync.lock"
        self._note = install_dir / ".addon-sync.holder.json"
        self._lock = _file_lock(self.path)
        self._state = state

    def acquire(self, command: str, patience: _Patience) -> None:
        try:
            for path in (self.path, self._note):
                if is_link(path):
                    raise ConfigError(f"{path} is a link: remove it")
            patience.take(self._lock, self.path.parent, self.holder)
            temporary = self._note.with_suffix(f".{os.getpid()}.tmp")
            _write_private(temporary, Holder(pid=os.getpid(), command=command, state=str(self._state)))
            _replace(temporary, self._note)
        except OSError as error:
            raise _unusable("K2S_INSTALL_DIR", self.path.parent, error) from error

    def holder(self) -> Holder | None:
        return _noted(self._note)

    def release(self) -> None:
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                self._note.unlink(missing_ok=True)
            self._lock.release()


def _unusable(setting: str, folder: Path, error: OSError) -> ConfigError:
    """With the remedy, where it is another account's: most often a command was typed without sudo, or with it."""
    remedy = f"; run it as the account that serve runs as{_owner(folder)}" if isinstance(error, PermissionError) else ""
    return ConfigError(f"{setting} {quoted(folder)} cannot be used: {error}{remedy}")


def _owner(folder: Path) -> str:
    """Whose it is, or would be, where the system tells: neither on Windows nor of an account without a name."""
    for path in (folder, *folder.parents):
        try:
            return f" (here: {path.owner()})"
        except FileNotFoundError:
            continue
        except (OSError, KeyError, NotImplementedError):
            break
    return ""


def _file_lock(path: Path) -> filelock.FileLock:
    return filelock.FileLock(str(path), mode=0o600)


def _is_held(path: Path) -> bool:
    if is_link(path) or not path.exists():
        return False
    lock = _file_lock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    lock.release()
    return False


def _refuse_links(state: Path) -> None:
    """Nothing that we put into the state folder is a link, and what we write must not land behind one (hazards F6)."""
    if is_link(state):
        raise ConfigError(f"ADDON_SYNC_STATE_DIR {state} is a link: give the folder itself, or remove the link")
    for path in state.iterdir():
        if is_link(path):
            raise ConfigError(f"{path} is a link: remove it; what is in the state folder must be there itself")


def _noted(note: Path) -> Holder | None:
    try:
        return None if is_link(note) else Holder(**json.loads(note.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write_private(path: Path, holder: Holder) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(encode(holder).decode())


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
