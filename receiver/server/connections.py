"""Connections: how many, and the deadlines that aiohttp does not have (as of 3.14.5).

aiohttp bounds the idle time of a connection. It does not bound how many there are, how long the headers of a request
take, or how long a client leaves its answers unread; one stranger could hold every descriptor of the process so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from receiver.metrics import Metrics
from receiver.server.answers import refusal
from receiver.server.failures import Failures
from receiver.server.head import HeadFilter
from receiver.server.places import Places, Standing

_log = logging.getLogger(__name__)
_MAX_HEADERS = 64
_READ_AHEAD = 64 * 1024
"""Bytes of a body that wait to be read; twice as many at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client may take of us: bytes, seconds, connections."""

    body: int = 1024 * 1024
    """Bytes of a notification."""
    body_seconds: float = 10.0
    """For a body to arrive after its headers."""
    headers_seconds: float = 10.0
    """For the headers of a request, counted from the connection or from their first byte."""
    idle_seconds: float = 100.0
    """Between requests. Longer than the 90 s after which Go's client lets go of an idle connection, so that it is not
    we who close it while a notification is on its way; zot would not repeat that one."""
    unread_seconds: float = 10.0
    """For a client to take the answers that fill its connection."""
    discard_seconds: float = 2.0
    """A refused body is read and thrown away for so long: closing at once would reset the answer as well."""
    connections: int = 512
    """At a time; one more takes the place of one that idles, or is closed at once. Half of the 1024 descriptors that a
    Linux service has by default (systemd.exec "DefaultLimitNOFILE"): the other half is for syncs and files."""
    failures: int = 20
    """Wrong credentials of one address within ``failure_seconds``, after which it is barred for ``barred_seconds``.
    More than a sender with a wrong token comes to, which shall see its 401: Distribution tries 5 times at once, then
    every 5 s or so (``threshold`` and ``backoff`` of its endpoints)."""
    failure_seconds: float = 60.0
    barred_seconds: float = 30.0
    trusted_seconds: float = 600.0
    """For a valid credential to keep its address from being barred."""
    retry_after: int = 5
    """Seconds that a sender is asked to wait where nothing can be stored."""


class Connection(web.RequestHandler):
    """A client's connection with deadlines; over the limit of its server, it closes before a byte is read."""

    __slots__ = ("_busy", "_deadline", "_door", "_gone", "_head", "address", "standing")

    def __init__(self, door: "ConnectionServer", **settings: object) -> None:
        super().__init__(door, loop=asyncio.get_running_loop(), **settings)  # type: ignore[arg-type] # as in web.Server
        self._door = door
        self._deadline: asyncio.TimerHandle | None = None
        self._busy = False
        self._head = HeadFilter()
        self._gone: Callable[[], None] | None = None
        self.address = ""
        """Of the client."""
        self.standing = Standing.STRANGER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the others, or be closed where they are too many."""
        assert isinstance(transport, asyncio.Transport)
        self.address = address_of(transport)
        if not self._door.admit(self, transport):
            transport.abort()
            return
        super().connection_made(transport)
        self._expect_within(self._door.limits.headers_seconds)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Leave."""
        self._expected()
        self._door.left(self)
        super().connection_lost(exc)
        if self._gone is not None:
            self._gone()

    def data_received(self, data: bytes) -> None:
        """The first bytes of a request start its deadline, unless they are its whole head; `begin` ends it."""
        if not data:
            # aiohttp calls itself so, to go on with what it has.
            super().data_received(data)
            return
        if not self._busy and self._door.bars(self.address):
            self._door.drop(self)
            return
        passed = self._head.feed(data)
        if not self._head.is_whole and not self._busy and self._deadline is None:
            self._expect_within(self._door.limits.headers_seconds)
        if passed:
            super().data_received(passed)

    def pause_writing(self) -> None:
        """The client takes no answers: it must soon."""
        super().pause_writing()
        self._expect_within(self._door.limits.unread_seconds)

    def resume_writing(self) -> None:
        """It took them."""
        self._expected()
        super().resume_writing()

    def begin(self) -> None:
        """The headers of a request are complete, it is being answered."""
        self._expected()
        self._busy = True
        self._door.places.begin(self)

    def when_gone(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when the client goes away while its request is answered; at once where it has."""
        self._gone = callback
        if self.transport is None:
            callback()

    def vouch(self) -> None:
        """A valid credential came with the request."""
        self.standing = Standing.SENDER
        self._door.succeeded(self.address)

    def end(self) -> None:
        """The answer is known; what arrives from here on is the next request."""
        self._busy = False
        self._gone = None
        self._head.expect_head()
        self._door.places.end(self, self.standing)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, and faults of our own, without repeating the client's bytes to anybody."""
        del message  # it quotes the client
        if status >= 500:
            _log.error("Fault while answering %s", request.remote, exc_info=exc)
        else:
            _log.debug("Not HTTP, from %s: %s", request.remote, type(exc).__name__)
        response = refusal(status, "the request could not be read" if status < 500 else "fault of the receiver")
        response.force_close()
        return response

    def _expect_within(self, seconds: float) -> None:
        self._expected()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expected(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        self._door.drop(self)


class ConnectionServer(web.Server):
    """Makes a `Connection` of each client, and knows them all, also those that are not one yet (`Handshake`)."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        limits: Limits,
        metrics: Metrics,
        failures: Failures,
    ) -> None:
        super().__init__(self._answer)
        self.limits = limits
        self.places: Places[asyncio.BaseProtocol] = Places(limits.connections, evict=self._evict)
        self._handler = handler
        self._metrics = metrics
        self._failures = failures
        self._open: dict[asyncio.BaseProtocol, asyncio.Transport] = {}
        self._handshakes: set[asyncio.Task[None]] = set()

    def __call__(self) -> Connection:
        """A connection for the next client (the protocol factory of asyncio)."""
        return Connection(
            self,
            keepalive_timeout=self.limits.idle_seconds,
            lingering_time=self.limits.discard_seconds,
            max_headers=_MAX_HEADERS,
            read_bufsize=_READ_AHEAD,
            auto_decompress=False,  # a compressed body is kept as it came, never unpacked
            access_log=None,
            logger=_log,
        )

    def admit(self, client: asyncio.BaseProtocol, transport: asyncio.Transport) -> bool:
        """Whether there is room for one more, and nothing is held against its address."""
        address = address_of(transport)
        if self.bars(address):
            return False
        standing = Standing.FAMILIAR if self._failures.trusts(address) else Standing.STRANGER
        if not self.places.take(client, standing):
            self._metrics.connection_refused()
            return False
        self._open[client] = transport
        return True

    def accompany(self, handshake: "asyncio.Task[None]") -> None:
        """Keep a handshake from being forgotten, and end it with us."""
        self._handshakes.add(handshake)
        handshake.add_done_callback(self._handshakes.discard)

    def left(self, client: asyncio.BaseProtocol) -> None:
        """The connection is closed."""
        self.places.leave(client)
        self._open.pop(client, None)

    def drop(self, client: asyncio.BaseProtocol) -> None:
        """Close the connection now, whatever is unsent."""
        transport = self._open.get(client)
        if transport is not None:
            transport.abort()

    def bars(self, address: str) -> bool:
        """Whether nothing is read from ``address`` now."""
        return self._failures.bars(address)

    def failed(self, address: str) -> None:
        """A wrong credential came from ``address``."""
        if self._failures.failed(address):
            self._metrics.address_barred()
            _log.warning(
                "%s presented %d wrong credentials within %g s: nothing is taken from there for %g s",
                address,
                self.limits.failures,
                self.limits.failure_seconds,
                self.limits.barred_seconds,
            )

    def succeeded(self, address: str) -> None:
        """A valid credential came from ``address``."""
        self._failures.succeeded(address)

    async def finish(self, grace: float) -> None:
        """Close what is idle, give running requests up to ``grace`` seconds, then close whatever is left."""
        self.pre_shutdown()
        for handshake in self._handshakes:
            handshake.cancel()
        if self._handshakes:
            await asyncio.wait(self._handshakes)
        # aiohttp waits twice: for the answer, then for the handler that it no longer feeds.
        await self.shutdown(grace / 2)
        for transport in list(self._open.values()):
            transport.abort()

    def _evict(self, client: asyncio.BaseProtocol) -> None:
        self._metrics.connection_evicted()
        self.drop(client)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)
        connection.begin()
        try:
            response = await self._handler(request)
            self._learn(connection, response.status)
        finally:
            connection.end()
        if not request.content.is_eof():
            # What was not read of the body would be taken for the next request.
            response.force_close()
        return response

    def _learn(self, connection: Connection, status: int) -> None:
        """Only what has a valid credential is answered with 202, and only a wrong credential with 401."""
        if status == 202:
            connection.vouch()
        elif status == 401:
            self.failed(connection.address)


def address_of(transport: asyncio.Transport) -> str:
    """The address of the client; nothing where it went away already."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""
