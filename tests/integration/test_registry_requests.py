"""Every request that the pull client makes is told, with where it went and how it was answered."""

import asyncio
from pathlib import Path

import pytest

from receiver.blobs import BlobStore
from receiver.breaker import FAILURES
from receiver.errors import ProtocolViolation, Unavailable
from receiver.registry.location import Location, Origin
from receiver.registry.transport import Transport
from tests.support import registry_faults as faults
from tests.support.docker_registry import free_port
from tests.support.fake_registry import FakeRegistry
from tests.support.pulling import CREDENTIALS, LAYER, LAYER_DESCRIPTOR, NAME, PASSWORD, client_of, fetch
from tests.support.push import push_files


class Told:
    """What was told so far."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, int | None]] = []

    def __call__(self, origin: Origin, status: int | None) -> None:
        self.requests.append((str(origin), status))


async def test_each_step_of_a_pull_is_told(tmp_path: Path) -> None:
    """The challenge too, and a redirect with the host that it led to."""
    told, store = Told(), BlobStore(tmp_path / "blobs")
    store.prepare()
    with FakeRegistry() as storage, FakeRegistry(basic=("robot", PASSWORD)) as server:
        push_files(server.url, NAME, "v1.0.0", LAYER)
        push_files(storage.url, NAME, "v1.0.0", LAYER)
        server.lie("GET blob", faults.redirected(f"{storage.url}/v2/{NAME}/blobs/{LAYER_DESCRIPTOR.digest}"))
        async with client_of(server, credentials=lambda: CREDENTIALS, asked=told) as client:
            await client.tags(NAME)
            await fetch(client, store)
        assert told.requests == [(server.url, 401), (server.url, 200), (server.url, 307), (storage.url, 200)]


async def test_a_registry_that_is_not_there_is_told_as_often_as_it_was_asked() -> None:
    """No answer is one too; a host that is spared was not asked."""
    told = Told()
    away = Origin("http", "127.0.0.1", free_port())
    transport = Transport(Origin("http", "127.0.0.1", 1), tls=None, asked=told, user_agent="test")
    for _ in range(FAILURES + 2):
        with pytest.raises(Unavailable):
            await transport.send("GET", Location(away, "/"), {})
    await transport.close()
    assert told.requests == [(str(away), None)] * FAILURES


async def test_what_is_no_http_is_no_answer() -> None:
    """Whatever came, it had no status."""
    told = Told()

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    origin = Origin("http", "127.0.0.1", server.sockets[0].getsockname()[1])
    transport = Transport(origin, tls=None, asked=told, user_agent="test")
    with pytest.raises((ProtocolViolation, Unavailable)):
        await transport.send("GET", Location(origin, "/"), {})
    await transport.close()
    server.close()
    assert told.requests == [(str(origin), None)]


async def test_a_request_that_was_cancelled_says_nothing_about_its_host() -> None:
    """The program was told to stop; the registry did nothing wrong."""
    told, arrived = Told(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    origin = Origin("http", "127.0.0.1", server.sockets[0].getsockname()[1])
    transport = Transport(origin, tls=None, asked=told, user_agent="test")
    asking = asyncio.create_task(transport.send("GET", Location(origin, "/"), {}))
    await arrived.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await transport.close()
    server.close()
    assert told.requests == []
