"""A client's connection until TLS is agreed on; then a `Connection` takes over.

`asyncio.loop.create_server` could do the handshake, but tells nobody of a connection before it is through: a stranger
who never ends one would be in no count of ours.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable

from receiver.server.connections import ConnectionServer, address_of
from receiver.server.tls import ServerTls

_log = logging.getLogger(__name__)


class Handshake(asyncio.Protocol):
    """Takes a place from the first moment, and gives it up to the connection that follows.

    ``refused`` is told the address of a client whose certificate was not taken, and why.
    """

    def __init__(self, door: ConnectionServer, tls: ServerTls, *, refused: Callable[[str, str], None]) -> None:
        self._door = door
        self._tls = tls
        self._refused = refused
        self._early = b""
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there is no room."""
        assert isinstance(transport, asyncio.Transport)
        if not self._door.admit(self, transport):
            transport.abort()
            return
        # What arrives is for TLS, which asyncio puts in our place a moment later.
        transport.pause_reading()
        self._door.accompany(asyncio.create_task(self._shake_hands(transport), name="TLS handshake"))

    def connection_lost(self, exc: Exception | None) -> None:
        """It never came to a request."""
        del exc
        self._lost = True
        self._door.left(self)

    def data_received(self, data: bytes) -> None:
        """A request that came in one packet with the end of the handshake, before `Connection` is in place."""
        self._early += data

    async def _shake_hands(self, transport: asyncio.Transport) -> None:
        try:
            secured = None if transport.is_closing() else await self._secured(transport)
        finally:
            self._door.left(self)
        if secured is None or secured.is_closing() or self._lost:
            return
        connection = self._door()
        secured.set_protocol(connection)
        connection.connection_made(secured)
        if self._early and not secured.is_closing():
            connection.data_received(self._early)

    async def _secured(self, transport: asyncio.Transport) -> asyncio.Transport | None:
        """The connection within TLS; None where none comes about."""
        limits = self._door.limits
        address = address_of(transport)
        try:
            return await asyncio.get_running_loop().start_tls(
                transport,
                self,
                self._tls.context,
                server_side=True,
                ssl_handshake_timeout=limits.headers_seconds,
                ssl_shutdown_timeout=limits.discard_seconds,
            )
        except ssl.SSLCertVerificationError as error:
            self._refused(address, error.verify_message)
            self._door.failed(address)
        except OSError as error:  # ssl.SSLError and ConnectionError are
            _log.debug("No TLS, from %s: %s", address, type(error).__name__)
        return None
