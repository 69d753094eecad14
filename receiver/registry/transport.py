"""One request over one connection: keep-alive, TLS, name resolution, and foreign exceptions into ours.

Knows nothing of tokens and redirects, and judges no status.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL  # part of aiohttp's interface: a judged URL must not be quoted once more

from receiver.breaker import Breaker
from receiver.document import Value
from receiver.errors import ConfigError, ProtocolViolation, RegistryError, Unavailable
from receiver.http_client import aiohttp
from receiver.oci.reference import ADDRESS_SETTING
from receiver.registry.location import Location, Origin, is_numeric, may_reach
from receiver.registry.pace import Pace
from receiver.registry.proxy import Proxy
from receiver.registry.stream import READ_BUFFER

HEAD_DEADLINE = 30.0
"""Seconds until the head of an answer must be complete, whatever number of 1xx answers comes before (hazards J24)."""
READ_TIMEOUT = 30.0
"""Seconds between two reads of a body."""
_CONNECT_TIMEOUT = 10.0
_KEEP_ALIVE = 60.0
"""Seconds; short of the idle timeout of usual proxies (75 s in nginx)."""
_CONNECTIONS = 32
_MOST_HOSTS = 64
"""Hosts that a registry may send us to and that are remembered; it invents as many as it likes."""


Asked = Callable[[Origin, int | None], None]
"""Told of every request: where it went, and the status of its answer; None where there was no answer in HTTP."""


def _untold(_: Origin, __: int | None) -> None:
    """Nobody counts."""


class TlsFiles(Value, frozen=True, kw_only=True):
    """PEM files for TLS to the registry."""

    ca_file: Path | None = None
    """Trusted instead of the system's authorities for the registry, and beside them for where it redirects to."""
    client_cert: Path | None = None
    client_key: Path | None = None
    """Shown to the registry's own origin only. Absent where the certificate's file holds the key too."""


class Transport:
    """The connections to one registry and to where it redirects; opened on first use."""

    def __init__(
        self,
        registry: Origin,
        *,
        tls: TlsFiles | None,
        proxy: Proxy | None = None,
        pace: Pace | None = None,
        asked: Asked | None = None,
        user_agent: str,
        named: str = ADDRESS_SETTING,
    ) -> None:
        """``named``: where the registry's address comes from, for messages."""
        self._registry = registry
        self._named = named
        self._asked = asked or _untold
        self._pace = pace or Pace(0.0)
        self._breakers: dict[Origin, Breaker] = {}
        self._tls = tls or TlsFiles()
        self._proxy = proxy
        self._user_agent = user_agent
        self._direct: aiohttp.ClientSession | None = None
        self._proxied: aiohttp.ClientSession | None = None
        self._resolver: RegistryResolver | None = None
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._lock = asyncio.Lock()

    async def send(
        self,
        method: str,
        location: Location,
        headers: Mapping[str, str],
        *,
        body: bytes | AsyncIterator[bytes] | None = None,
        body_seconds: float = 0.0,
        answer_seconds: float = 0.0,
    ) -> aiohttp.ClientResponse:
        """Send one request; the answer's head has arrived, its body not. The caller closes it.

        ``body_seconds``: what sending the body may take, besides. ``answer_seconds``: and what the other side may then
        take to answer, longer than usual.

        Raises:
            ConfigError: a TLS file cannot be used.
            Unavailable, ProtocolViolation: no answer, or none in HTTP.
        """
        proxy = self._proxy.origin if self._proxy is not None and self._proxy.serves(location.origin) else None
        session = self._open_direct() if proxy is None else self._open_proxied()
        context = await self._context(location.origin)
        self._refuse_forbidden_number(location.origin)
        await self._pace.step()
        with self._watched(location.origin), self._told(location.origin), translated(location.origin, self._named):
            async with asyncio.timeout(HEAD_DEADLINE + body_seconds + answer_seconds):
                response = await session.request(
                    method,
                    URL(location.url, encoded=True),
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    ssl=context if context is not None else True,
                    proxy=None if proxy is None else str(proxy),
                    timeout=aiohttp.ClientTimeout(
                        total=None, sock_connect=_CONNECT_TIMEOUT, sock_read=READ_TIMEOUT + answer_seconds
                    ),
                )
        self._asked(location.origin, response.status)
        return response

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        sessions, self._direct, self._proxied = (self._direct, self._proxied), None, None
        for session in sessions:
            if session is not None:
                await session.close()

    @contextmanager
    def _watched(self, origin: Origin) -> Iterator[None]:
        """Spare a host that the registry sent us to, while it does not answer."""
        if origin == self._registry:
            yield
            return
        if origin not in self._breakers and len(self._breakers) >= _MOST_HOSTS:
            del self._breakers[next(iter(self._breakers))]
        breaker = self._breakers.setdefault(origin, Breaker())
        wait = breaker.wait(time.monotonic())
        if wait > 0:
            raise Unavailable(f"{origin} was not asked: it does not answer, and is tried again in {wait:.0f} s")
        try:
            yield
        except Unavailable:
            breaker.failed(time.monotonic())
            raise
        breaker.answered()

    @contextmanager
    def _told(self, origin: Origin) -> Iterator[None]:
        """Tell of a request that came to nothing; one that was cancelled says nothing about its host."""
        try:
            yield
        except RegistryError:
            self._asked(origin, None)
            raise

    def _open_direct(self) -> aiohttp.ClientSession:
        if self._direct is None:
            self._resolver = RegistryResolver(self._registry)
            self._direct = self._session(self._resolver)
        return self._direct

    def _open_proxied(self) -> aiohttp.ClientSession:
        """One of its own: its connections lead to the proxy only, which the registry's word must not reach directly."""
        if self._proxied is None:
            self._proxied = self._session(aiohttp.ThreadedResolver())
        return self._proxied

    def _session(self, resolver: AbstractResolver) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE, resolver=resolver),
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=READ_BUFFER,
        )

    async def _context(self, origin: Origin) -> ssl.SSLContext | None:
        if origin.scheme == "http":
            return None
        own = origin == self._registry
        async with self._lock:
            if own not in self._contexts:
                self._contexts[own] = await asyncio.to_thread(tls_context, self._tls, own=own)
            return self._contexts[own]

    def _refuse_forbidden_number(self, origin: Origin) -> None:
        """Judge numbers here, since aiohttp asks no resolver about them (hazards "Realm SSRF", J3)."""
        if origin.host == self._registry.host or not is_numeric(origin.host):
            return
        own = self._registry.host
        known = {own} if is_numeric(own) else set(self._resolver.addresses if self._resolver else ())
        if not may_reach(origin.host, registry=known):
            raise ProtocolViolation(f"{self._registry} sends us to {origin}, an address that it may not name; refused")


class RegistryResolver(AbstractResolver):
    """Resolves names, and refuses what a registry may not send us to: the address counts, not the name (hazards J4)."""

    def __init__(self, registry: Origin) -> None:
        self._registry = registry
        self._inner = aiohttp.ThreadedResolver()
        self.addresses: frozenset[str] = frozenset({registry.host} if is_numeric(registry.host) else ())
        """What the registry's own name resolved to."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve ``host``; only the addresses that may be asked.

        Raises:
            OSError: no address, or none that may be asked.
        """
        try:
            found = await self._inner.resolve(host, port, family)
        except UnicodeError as error:  # of Python's IDNA, at a label that is empty or too long
            raise OSError(None, "no possible host name") from error
        if host == self._registry.host:
            self.addresses = frozenset(entry["host"] for entry in found)
            return found
        allowed = [entry for entry in found if may_reach(entry["host"], registry=self.addresses)]
        if not allowed:
            raise OSError(None, "the registry may not name this address")
        return allowed

    async def close(self) -> None:
        """Nothing is held."""
        await self._inner.close()


def tls_context(files: TlsFiles, *, own: bool) -> ssl.SSLContext:
    """TLS for the registry itself (``own``) or for where it redirects to. Reads files.

    Raises:
        ConfigError: a file that cannot be read or is no PEM file; the text names its setting.
    """
    setting = "ADDON_SYNC_CA_FILE"
    try:
        context = ssl.create_default_context(cafile=files.ca_file if own else None)
        if files.ca_file is not None and not own:
            context.load_verify_locations(files.ca_file)
        # RFC 9325 section 3.1.1: TLS 1.2 is the oldest version that is still sound.
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if own and files.client_cert is not None:
            setting = "ADDON_SYNC_CLIENT_CERT or ADDON_SYNC_CLIENT_KEY"
            context.load_cert_chain(files.client_cert, files.client_key, password=_no_password)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"{setting} cannot be used: {_text(error)}") from error
    return context


@contextmanager
def translated(origin: Origin, named: str = ADDRESS_SETTING) -> Iterator[None]:
    """Translate what aiohttp raises; wraps nothing but our own requests and reads. ``named``: see `Transport`.

    Raises:
        ProtocolViolation: the other side does not speak HTTP as it should.
        Unavailable: anything that time may cure; the text names a remedy where there is one.
    """
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _translation(error, origin, named) from error


def _translation(error: Exception, origin: Origin, named: str) -> RegistryError:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return Unavailable(f"{origin}: the proxy refuses to connect to it ({error.status}); check ADDON_SYNC_PROXY")
    if isinstance(error, aiohttp.ClientResponseError):
        return ProtocolViolation(f"{origin}: its answer is no HTTP")
    return Unavailable(f"{origin}: {_reason(error, named)}")


def _reason(error: Exception, named: str) -> str:
    match error:  # the more special first: each is also one of those below it
        case aiohttp.ClientConnectorCertificateError():
            why = getattr(error.certificate_error, "verify_message", "") or "not trusted"
            return f"its certificate was refused ({why}); set ADDON_SYNC_CA_FILE"
        case aiohttp.ClientConnectorSSLError():
            return "no TLS connection; if the registry is meant to speak plain HTTP, set INSECURE=true"
        case aiohttp.ClientConnectorDNSError():
            return f"its name does not resolve ({_text(error.os_error)}); check {named}"
        case aiohttp.ClientConnectorError():
            proxied = isinstance(error, aiohttp.ClientProxyConnectionError)
            check = "ADDON_SYNC_PROXY" if proxied else f"{named} and that the registry runs"
            return f"no connection{' to the proxy' if proxied else ''} ({_text(error.os_error)}); check {check}"
        case TimeoutError():
            return "no answer in time"
        case _:
            return f"the connection was cut ({type(error).__name__})"


def _text(error: BaseException) -> str:
    """Why the system refused; never ``str(error)`` of a foreign exception, which may hold a URL."""
    reason = getattr(error, "strerror", None)
    return reason if isinstance(reason, str) and reason else type(error).__name__


def _no_password() -> str:
    # Without this, OpenSSL asks for the key's pass phrase on the terminal and the service hangs.
    raise ConfigError("ADDON_SYNC_CLIENT_KEY is encrypted, which is not supported: give a key without a pass phrase")
