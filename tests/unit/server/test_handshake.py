"""A connection before TLS is agreed on. What happens over a socket: tests/fault/test_endpoint_tls.py."""

import asyncio
from typing import cast

import pytest

from receiver.server.connections import ConnectionServer
from receiver.server.handshake import Handshake
from receiver.server.tls import ServerTls


class Raw(asyncio.Transport):
    """A connection that was just accepted."""

    paused = False
    aborted = False
    closing = True
    protocol: asyncio.BaseProtocol | None = None

    def pause_reading(self) -> None:
        self.paused = True

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol


class Door:
    """Lets in or not."""

    def __init__(self, *, room: bool) -> None:
        self.room = room
        self.tasks: list[asyncio.Task[None]] = []
        self.connection: asyncio.Protocol | None = None

    def __call__(self) -> asyncio.Protocol:
        assert self.connection is not None, "a connection was made of what is closed"
        return self.connection

    def admit(self, client: object, transport: object) -> bool:
        return self.room

    def accompany(self, task: "asyncio.Task[None]") -> None:
        self.tasks.append(task)

    def left(self, client: object) -> None:
        """Not of interest here."""


def unheard(address: str, reason: str) -> None:
    raise AssertionError("no certificate was shown")


def begun(door: Door) -> Raw:
    raw = Raw()
    Handshake(cast("ConnectionServer", door), cast("ServerTls", None), refused=unheard).connection_made(raw)
    return raw


async def test_nothing_is_read_before_tls_can_read_it() -> None:
    """The first packet of a client is for TLS; taken for a request, it would be missing there."""
    door = Door(room=True)
    raw = begun(door)
    assert raw.paused
    await asyncio.gather(*door.tasks)  # the client is gone meanwhile, which is no fault


async def test_without_a_place_there_is_no_handshake() -> None:
    """It is the most expensive part of a connection."""
    door = Door(room=False)
    assert begun(door).aborted
    assert door.tasks == []


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "closing"])
async def test_what_ends_with_the_handshake_does_not_become_a_connection(lost: bool) -> None:
    """Nobody would tell it that it is over, and it would keep its place for ever."""

    class Ending(Handshake):
        async def _secured(self, transport: asyncio.Transport) -> asyncio.Transport | None:
            secured = Raw()
            secured.closing = not lost
            if lost:
                self.connection_lost(None)
            return secured

    door, raw = Door(room=True), Raw()
    raw.closing = False
    Ending(cast("ConnectionServer", door), cast("ServerTls", None), refused=unheard).connection_made(raw)
    await asyncio.gather(*door.tasks)


class Refused(asyncio.Protocol):
    """A connection for which there was no place."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Raw)
        transport.closing = True

    def data_received(self, data: bytes) -> None:
        raise AssertionError("a request was read from what is closed")


async def test_a_request_is_not_read_where_the_connection_was_refused() -> None:
    """The address was barred, or others took the last place, while hands were shaken."""

    class Early(Handshake):
        async def _secured(self, transport: asyncio.Transport) -> asyncio.Transport | None:
            self.data_received(b"GET / HTTP/1.1")
            return transport

    door, raw = Door(room=True), Raw()
    raw.closing, door.connection = False, Refused()
    Early(cast("ConnectionServer", door), cast("ServerTls", None), refused=unheard).connection_made(raw)
    await asyncio.gather(*door.tasks)
    assert raw.protocol is door.connection
