"""Credentials from Docker's configuration, as ``docker login`` and cloud tools leave them. Blocks; called in a thread.

Docker's order: the host's helper (``credHelpers``), the store (``credsStore``), then what ``auths`` itself holds.
"""

import base64
import binascii
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from receiver.document import Document, InvalidDocument, decode, field
from receiver.errors import AccessDenied
from receiver.registry.auth import Credentials, IdentityToken
from receiver.registry.credential_helper import ask_helper
from receiver.registry.location import Origin

MAX_CONFIG = 1024 * 1024
"""Bytes of a ``config.json`` that are read."""
HELPER_LIFE = 60.0
"""Seconds that a helper's answer is used again: hundreds of addons ask for tokens at about the same time."""
_DEFAULT_PORTS = {"http": 80, "https": 443}

Found = Credentials | IdentityToken | None
Helper = Callable[[str, str], Found]
"""Asks the helper of a name for a server; raises AccessDenied."""


class _Entry(Document, frozen=True):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""


class _Config(Document, frozen=True):
    auths: dict[str, _Entry] = field(default_factory=dict)
    creds_store: str = ""
    cred_helpers: dict[str, str] = field(default_factory=dict)


class DockerConfig:
    """What ``config.json`` in ``folder`` says of one registry; read again when it changes."""

    def __init__(
        self,
        folder: Path,
        registry: Origin,
        *,
        helper: Helper = ask_helper,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = folder / "config.json"
        self._names = _names(registry)
        self._helper = helper
        self._clock = clock
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._config = _Config()
        self._answers: dict[tuple[str, str], tuple[float, Found]] = {}

    def __call__(self) -> Found:
        """The credentials for the registry; None where there are none.

        Raises:
            AccessDenied: the file cannot be read, or a helper fails; the text names it.
        """
        with self._lock:
            self._read_again()
            helper = _match(self._config.cred_helpers, self._names)
            if helper is not None:
                return self._ask(self._config.cred_helpers[helper], helper)
            key = _match(self._config.auths, self._names)
            found: Found = None
            if self._config.creds_store:
                # The store knows a server by the words that were used at the login, which `auths` repeats.
                found = self._ask(self._config.creds_store, key or self._names[0])
            if found is None and key is not None:
                found = self._entry(key)
            return found

    def _ask(self, name: str, server: str) -> Found:
        until, found = self._answers.get((name, server), (0.0, None))
        if self._clock() >= until:
            found = self._helper(name, server)
            self._answers[name, server] = (self._clock() + HELPER_LIFE, found)
        return found

    def _read_again(self) -> None:
        try:
            status = self._file.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp == self._stamp:
                return
            with self._file.open("rb") as file:
                body = file.read(MAX_CONFIG + 1)
        except FileNotFoundError:
            self._stamp, self._config, self._answers = None, _Config(), {}
            return
        except OSError as error:
            raise AccessDenied(f"{self._file} cannot be read: {error.strerror}; see DOCKER_CONFIG") from error
        self._config, self._answers = self._parsed(body), {}
        # Taken before the reading: what is written meanwhile has another stamp, and is read the next time.
        self._stamp = stamp

    def _parsed(self, body: bytes) -> _Config:
        if len(body) > MAX_CONFIG:
            raise AccessDenied(f"{self._file} is longer than {MAX_CONFIG} bytes")
        try:
            return decode(body.removeprefix(b"\xef\xbb\xbf"), _Config)
        except InvalidDocument:
            # Without its cause, which may quote what stands there.
            raise AccessDenied(f"{self._file} is no configuration of Docker's; see DOCKER_CONFIG") from None

    def _entry(self, key: str) -> Found:
        entry = self._config.auths[key]
        if entry.identitytoken:
            return IdentityToken(entry.identitytoken)
        if entry.auth:
            return self._decoded(entry.auth, key)
        return Credentials(username=entry.username, password=entry.password) if entry.password else None

    def _decoded(self, auth: str, key: str) -> Credentials:
        try:
            username, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            username = colon = password = ""
        if not colon:
            raise AccessDenied(f"the entry {key[:200]!r} in {self._file} is damaged: use docker login again")
        return Credentials(username=username, password=password.rstrip("\0"))  # as Docker pads it


def _names(registry: Origin) -> tuple[str, ...]:
    """How a configuration may name the registry: the port may be left out where it is the usual one."""
    host = f"[{registry.host}]" if ":" in registry.host else registry.host
    full = f"{host}:{registry.port}"
    return (host, full) if registry.port == _DEFAULT_PORTS[registry.scheme] else (full,)


def _match(keys: Mapping[str, object], names: Iterable[str]) -> str | None:
    """The key that names the registry: as it is, else without a scheme and a path, as Docker compares them."""
    for name in names:
        if name in keys:
            return name
    return next((key for key in keys if _host(key) in names), None)


def _host(key: str) -> str:
    return key.lower().removeprefix("https://").removeprefix("http://").partition("/")[0]
