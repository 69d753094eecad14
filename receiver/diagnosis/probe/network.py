"""The way to a server, step by step: its name, a connection, through a proxy, TLS. Blocks, each step within seconds."""

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass, replace

from receiver.diagnosis.network import Failure, Reached, certificate_of

SECONDS = 5.0
"""For each step."""
_MOST_ANSWER = 16 * 1024
_NAME_MISMATCH = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where to, and how."""

    host: str
    port: int
    proxy: tuple[str, int] | None = None
    tls: ssl.SSLContext | None = None
    seconds: float = SECONDS

    @property
    def target(self) -> str:
        """``host:port``."""
        return _written(self.host, self.port)


class _Failed(Exception):
    def __init__(self, failure: Failure, reason: str) -> None:
        super().__init__(reason)
        self.failure = failure
        self.reason = reason


def reach(way: Way) -> Reached:
    """Go as far as one gets. Blocks; the system's resolver decides how long a name may take."""
    host, port = way.proxy or (way.host, way.port)
    reached = Reached(target=way.target, proxy=_written(*way.proxy) if way.proxy else None)
    try:
        addresses = _resolved(host, port)
        reached = replace(reached, addresses=addresses)
        with _connected(addresses, port, way.seconds) as connection:
            if way.proxy is not None:
                _tunnel(connection, way)
            reached = replace(reached, connected=connection.getpeername()[0])
            return reached if way.tls is None else _secured(connection, way, way.tls, reached)
    except _Failed as failed:
        return replace(reached, failure=failed.failure, reason=failed.reason)
    except TimeoutError:
        return replace(reached, failure="time" if reached.connected is None else "cut", reason="no answer in time")
    except OSError as error:
        return replace(reached, failure="connection" if reached.connected is None else "cut", reason=_words(error))


def _resolved(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _Failed("name", _words(error)) from error
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def _connected(addresses: tuple[str, ...], port: int, seconds: float) -> socket.socket:
    """The first address that takes a connection; all of them share the time."""
    deadline = time.monotonic() + seconds
    failure: OSError = TimeoutError("no answer in time")
    for number, address in enumerate(addresses):
        left = (deadline - time.monotonic()) / (len(addresses) - number)
        try:
            connection = socket.create_connection((address, port), timeout=max(left, 0.05))
        except OSError as error:
            failure = error
            continue
        connection.settimeout(seconds)
        return connection
    raise failure


def _tunnel(connection: socket.socket, way: Way) -> None:
    """Ask the proxy for a connection (RFC 9110 section 9.3.6); plain HTTP goes to the proxy as it is."""
    if way.tls is None:
        return
    connection.sendall(f"CONNECT {way.target} HTTP/1.1\r\nHost: {way.target}\r\n\r\n".encode("ascii"))
    answer = bytearray()
    while b"\r\n\r\n" not in answer and len(answer) < _MOST_ANSWER and (part := connection.recv(1)):
        answer += part  # byte by byte: what comes after the head is TLS
    words = bytes(answer).split(b" ", 2)
    if len(words) < 2 or words[1] != b"200":
        raise _Failed("proxy", words[1][:3].decode("ascii", "replace") if len(words) > 1 else "no HTTP")


def _secured(connection: socket.socket, way: Way, context: ssl.SSLContext, reached: Reached) -> Reached:
    try:
        with context.wrap_socket(connection, server_hostname=way.host.rstrip(".")) as secured:
            certificate = certificate_of(secured.getpeercert() or {})
            protocol = secured.version()
            with contextlib.suppress(OSError):
                secured.unwrap()
    except ssl.SSLCertVerificationError as error:
        kind: Failure = "host" if error.verify_code in _NAME_MISMATCH else "certificate"
        raise _Failed(kind, error.verify_message) from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError) as error:  # the second: Python 3.11.2
        raise _Failed("cut", _words(error)) from error
    except ssl.SSLError as error:
        raise _Failed("no tls", (error.reason or "").replace("_", " ").lower()) from error
    return replace(reached, protocol=protocol, certificate=certificate)


def free_port(host: str, port: int) -> str | None:
    """Why nobody can listen at an address now, in the system's words; None where one can."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
                else:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        return _words(error)
    return None


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _words(error: Exception) -> str:
    words = getattr(error, "strerror", None)
    return words if isinstance(words, str) and words else type(error).__name__
