"""TLS on the endpoint: its certificate, read again when the files change, and the certificates that clients show.

A context belongs to the connections that were accepted with it: a new one ends none of them.
"""

import asyncio
import contextlib
import logging
import os
import ssl
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from receiver.errors import ConfigError, quoted

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0
"""Between looks at the files; a change is used after two, so that a certificate and its key are written both."""
_Stamps = Sequence[tuple[int, int, int] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files of the endpoint."""

    cert: Path
    """The certificate, and what lies between it and the authority that clients trust."""
    key: Path
    client_ca: Path | None = None
    """The authorities of senders, which then must show a certificate."""

    def named(self) -> Iterator[tuple[str, Path]]:
        """Each file with its setting."""
        yield "ADDON_SYNC_TLS_CERT", self.cert
        yield "ADDON_SYNC_TLS_KEY", self.key
        if self.client_ca is not None:
            yield "ADDON_SYNC_TLS_CLIENT_CA", self.client_ca


class ServerTls:
    """The context for new connections; `load` makes the first, `run` the later ones."""

    def __init__(self, files: TlsFiles) -> None:
        self.files = files
        self._context: ssl.SSLContext | None = None
        self._used: _Stamps = ()
        self._seen: _Stamps = ()

    @property
    def context(self) -> ssl.SSLContext:
        """The one to accept a connection with."""
        assert self._context is not None, "load comes first"
        return self._context

    def load(self) -> None:
        """Read the files. Blocks.

        Raises:
            ConfigError: they cannot be used, the text names which; the context is the one from before.
        """
        self._used = self._seen = _stamps(self.files)
        self._context = _context(self.files)
        _warn_of_readers(self.files.key)

    def look(self) -> None:
        """Read the files again if they changed and have come to rest since the last look. Blocks."""
        stamps = _stamps(self.files)
        if stamps != self._seen:
            self._seen = stamps
            return
        if stamps == self._used:
            return
        try:
            self.load()
        except ConfigError as error:
            _log.error("%s; the certificate from before stays in use", error)
        else:
            _log.info("the TLS certificate was read again; new connections get it")

    async def run(self) -> None:
        """Look at the files for ever."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.to_thread(self.look)


def shows_certificate(request: web.BaseRequest) -> bool:
    """Whether the connection of ``request`` showed a client certificate."""
    # Empty without one. One that its authority did not sign never gets past the handshake.
    return request.transport is not None and bool(request.transport.get_extra_info("peercert"))


def _context(files: TlsFiles) -> ssl.SSLContext:
    for setting, path in files.named():
        _read(setting, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # RFC 9325 section 3.1.1: TLS 1.2 is the oldest version that is still sound. Renegotiation (section 3.5) is work
    # that a client can ask for again and again.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    _load_pair(context, files)
    if files.client_ca is not None:
        _load_authorities(context, files.client_ca)
        # Optional for the connection: probes and Prometheus have none. `endpoint` asks for it where it matters.
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _read(setting: str, path: Path) -> None:
    """OpenSSL is given two files at once, and its errors name neither."""
    try:
        path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{setting} {quoted(path)} cannot be read: {error.strerror or error}") from error


def _load_pair(context: ssl.SSLContext, files: TlsFiles) -> None:
    try:
        context.load_cert_chain(files.cert, files.key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigError(_fault_of_pair(files, error)) from error


def _fault_of_pair(files: TlsFiles, error: Exception) -> str:
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return (
            f"ADDON_SYNC_TLS_KEY {quoted(files.key)} is not the key of the certificate in "
            f"ADDON_SYNC_TLS_CERT {quoted(files.cert)}"
        )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(files.cert)
    except OSError:
        return f"ADDON_SYNC_TLS_CERT {quoted(files.cert)} holds no certificate in PEM form"
    return f"ADDON_SYNC_TLS_KEY {quoted(files.key)} holds no private key in PEM form, or one with a password"


def _no_password() -> str:
    """Nobody sits at the terminal of a service; OpenSSL would wait for somebody."""
    raise ValueError("the key is encrypted")


def _load_authorities(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(path)
    except OSError as error:
        raise ConfigError(f"ADDON_SYNC_TLS_CLIENT_CA {quoted(path)} holds no certificate in PEM form") from error


def _stamps(files: TlsFiles) -> _Stamps:
    return tuple(_stamp(path) for _, path in files.named())


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _warn_of_readers(key: Path, *, system: str = os.name) -> None:
    """Windows has access lists in the place of modes."""
    with contextlib.suppress(OSError):  # it was read a moment ago; if it is gone, the next look says so
        if system != "nt" and key.stat().st_mode & stat.S_IROTH:
            _log.warning("ADDON_SYNC_TLS_KEY %s can be read by every user of this machine: chmod o-r", key)
