"""Error bodies, encodings, cookies and answers that are no HTTP (hazards, "Registry cases")."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from receiver.errors import (
    AccessDenied,
    NotInRegistry,
    ProtocolViolation,
    Unavailable,
)
from receiver.oci.digest import Digest
from receiver.oci.reference import RegistryAddress
from receiver.registry import answers, session, transport
from receiver.registry.client import RegistryClient
from tests.support import registry_faults as faults
from tests.support.fake_registry import Answer, FakeRegistry
from tests.support.pulling import (
    NAME,
    RETRY,
    client_of,
    sent,
)


async def test_what_a_registry_says_of_an_error_is_not_repeated(
    server: FakeRegistry, pushed: Digest, client: RegistryClient
) -> None:
    """Only its codes: no message, no markup, no control characters (hazards "Error bodies")."""
    body = b'{"errors": [{"code": "DENIED", "message": "\\u001b[31mevil\\nline"}]}'
    server.lie("GET tags", faults.status(403, body=body))

    with pytest.raises(AccessDenied, match="403 DENIED") as caught:
        await client.tags(NAME)
    assert "evil" not in str(caught.value)


async def test_an_encoded_error_body_is_not_decoded(
    server: FakeRegistry, pushed: Digest, client: RegistryClient
) -> None:
    """No decoder of the registry's choice runs, on no body, and none is asked for (J20)."""
    body = gzip.compress(b'{"errors": [{"code": "DENIED"}]}')
    server.lie("GET tags", faults.status(403, body=body, Content_Encoding="gzip"))

    with pytest.raises(AccessDenied) as caught:
        await client.tags(NAME)
    assert "DENIED" not in str(caught.value)
    assert sent(server, "GET tags")[0]["Accept-Encoding"] == "identity"


async def test_cookies_are_not_kept(server: FakeRegistry, pushed: Digest) -> None:
    """A registry cannot mark us. Under a name, since no client keeps the cookies of an address."""
    server.lie("GET tags", faults.header("Set-Cookie", "mark=1; Path=/"))

    async with client_of(server, address=f"http://localhost:{server.port}") as client:
        for _ in range(2):
            await client.tags(NAME)
    assert not any("Cookie" in headers for headers in sent(server, "GET tags"))


async def test_an_error_body_without_an_end_is_not_read(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 KiB, then the status has to do."""

    async def endless(request: web.Request, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=404)
        await response.prepare(request)
        while True:
            await response.write(b" " * answers.MAX_ERROR_BODY)

    monkeypatch.setattr(session, "_ERROR_DEADLINE", 60.0)
    server.lie("GET tags", endless)

    async with asyncio.timeout(20):
        with pytest.raises(NotInRegistry):
            await client.tags(NAME)


@asynccontextmanager
async def raw_server(answer: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[RegistryClient]:
    """A client of a server that sends what ``answer`` writes, whatever is asked."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = RegistryAddress.parse(f"http://127.0.0.1:{port}", insecure=True)
    try:
        async with RegistryClient(address, user_agent="addon-sync/test", retry=RETRY) as client:
            yield client
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
        b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["two lengths", "negative length", "long header", "no http", "smuggling"],
)
async def test_an_answer_that_is_no_http_is_refused(head: bytes) -> None:
    """Ambiguous framing is not interpreted (J24)."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await writer.drain()

    async with raw_server(answer) as client:
        with pytest.raises((ProtocolViolation, Unavailable)):
            await client.tags(NAME)


async def test_a_storm_of_informational_answers_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them is read in time; the head as a whole is not (J24)."""
    monkeypatch.setattr(transport, "HEAD_DEADLINE", 0.2)

    async def answer(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.001)

    async with raw_server(answer) as client:
        with pytest.raises(Unavailable, match="in time"):
            await client.tags(NAME)


async def test_nobody_listens() -> None:
    """The message names the address and what to check."""
    async with RegistryClient(
        RegistryAddress.parse("http://127.0.0.1:1", insecure=True), user_agent="x", retry=RETRY
    ) as client:
        with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1: .*check REGISTRY_URL"):
            await client.tags(NAME)


async def test_a_proxy_in_the_environment_is_not_used(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is configured (hazards "Proxy env"): this proxy does not exist."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    assert await client.tags(NAME) == ["v1.0.0"]
