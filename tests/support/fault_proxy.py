"""A proxy on loopback that is the bad weather between a client and a registry: it breaks, stalls and bends answers.

It takes each answer whole from the registry and then delivers it by the word of a `Forecast` (`tests.support.weather`),
so that an answer can be cut at any of its bytes. Runs in a thread of its own::

    with FakeRegistry() as registry, FaultProxy(registry.authority, Weather(seed)) as proxy:
        RegistryAddress.parse(proxy.url, insecure=True)
"""

import asyncio
import contextlib
import os
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

_LINGER_NONE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""Closes with RST instead of FIN (SO_LINGER with no time; the members are shorter on Windows)."""
_MAX_SILENCE = 60.0
"""Seconds: a client without a deadline of its own ends there, and its test fails."""


BREAKING = ("reset", "cut", "cut in chunks", "stall")
"""The answer does not arrive whole: RST, FIN, FIN in a chunked answer, silence until the client has gone."""
LYING = ("short", "corrupt")
"""What arrives looks whole, and is not: its end is missing, a byte of its body is another."""
HARMLESS = ("pause", "drip", "pieces", "chunks", "goodbye")
"""The whole answer arrives: after a silence, byte by byte, in odd pieces, in chunks, and the connection is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked, as far as a forecast depends on it."""

    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the registry said: the head with its empty line, and the body."""

    head: bytes
    body: bytes

    @property
    def whole(self) -> bytes:
        """All of it."""
        return self.head + self.body

    def without_length(self) -> "Answer":
        """Framed by the end of the connection only (RFC 9112 section 6.3), so that nobody sees that it is short."""
        return replace(self, head=self._framed(b"Connection: close"))

    def chunked(self, chance: random.Random) -> tuple[bytes, bytes]:
        """The same in chunks of odd sizes, and the last chunk apart."""
        parts = bytearray(self._framed(b"Transfer-Encoding: chunked"))
        for part in _pieces(self.body, chance):
            parts += b"%x\r\n%b\r\n" % (len(part), part)
        return bytes(parts), b"0\r\n\r\n"

    def _framed(self, field: bytes) -> bytes:
        fields = self.head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        kept = [line for line in fields if not line.lower().startswith((b"content-length:", b"transfer-encoding:"))]
        return b"\r\n".join([*kept, field, b"", b""])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that happens to one answer."""

    kind: str
    at: float = 0.0
    """Where, from 0 (its first byte) to 1."""
    place: int | None = None
    """Where, in bytes; then ``at`` means nothing, and an answer that is not as long passes."""
    seconds: float = 0.0
    """How long a pause is, also that between two bytes of a drip."""
    count: int | None = None
    """Bytes of a drip that come one by one; None: all that are left."""


Forecast = Callable[[Request], Fault | None]
"""Asked once for each request, in the proxy's thread; None lets the answer pass."""


class FaultProxy:
    """A proxy on ``127.0.0.1`` in front of the registry at ``upstream`` (``host:port``); see the module."""

    def __init__(
        self, upstream: str, forecast: Forecast, *, seed: int = 0, latency: float = 0.0, refusals: float = 0.0
    ) -> None:
        self.port = 0
        self.told: Counter[str] = Counter()
        """How often each fault happened; also connections, refused ones, and answers that overtook an earlier one."""
        self._upstream = upstream
        self._forecast = forecast
        self._chance = random.Random(seed)
        self._latency = latency
        """Seconds, at most, that a connection's answers are late; drawn for each, which reorders them."""
        self._refusals = refusals
        """How likely a new connection is reset at once."""
        self._refused_last = False
        self._asked = 0
        self._latest = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._faults: list[BaseException] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="fault proxy")

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the proxy does not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._faults:
            raise AssertionError("the proxy itself failed") from self._faults[0]

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.told["connections"] += 1
        writer.transport.set_write_buffer_limits(0)
        try:
            if self._refuses():
                self.told["refused connections"] += 1
                _reset(writer)
            else:
                await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client, or the registry, has gone
        except Exception as error:  # noqa: BLE001 - told at the end of the test
            self._faults.append(error)
        finally:
            self._tasks.discard(task)
            writer.close()

    def _refuses(self) -> bool:
        """Never twice in a row: this one belongs to no repository, so no budget bounds it."""
        self._refused_last = not self._refused_last and self._chance.random() < self._refusals
        return self._refused_last

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self._upstream.rpartition(":")
        source, sink = await asyncio.open_connection(host, int(port))
        late = self._chance.uniform(0.0, self._latency)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, path = head.split(b" ", 2)[:2]
                request = Request(method=method.decode(), path=path.decode().partition("?")[0])
                self._asked = number = self._asked + 1
                sink.write(head)
                answer = await _read_answer(source, request)
                await asyncio.sleep(late)
                stays = await self._deliver(request, answer, reader, writer)
                self.told["answers out of order"] += number < self._latest
                self._latest = max(self._latest, number)
                if not stays:
                    return
        finally:
            sink.close()

    async def _deliver(
        self, request: Request, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Deliver ``answer`` by the forecast; whether the connection is kept."""
        fault = self._forecast(request)
        if fault is None:
            await _send(writer, answer.whole)
            return True
        if fault.kind not in {*BREAKING, "short"}:
            self.told[fault.kind] += 1
            return await self._deliver_whole(fault, answer, writer)
        begun, whole = self._begun(fault, answer)
        self.told[fault.kind] += not whole
        self.told["whole after all"] += whole
        await _send(writer, begun)
        if fault.kind == "reset":
            _reset(writer)
        elif fault.kind == "stall":
            await _silence(reader)
        return False

    def _begun(self, fault: Fault, answer: Answer) -> tuple[bytes, bool]:
        """What is delivered of ``answer`` before it breaks; and whether that is all."""
        kept, content = b"", answer.whole
        if fault.kind == "cut in chunks":
            content = b"".join(answer.chunked(self._chance))
        elif fault.kind == "short":
            bent = answer.without_length()
            kept, content = bent.head, bent.body
        if fault.place is not None:
            return kept + content[: fault.place], fault.place >= len(content)
        return kept + content[: _place(content, fault.at)], False

    async def _deliver_whole(self, fault: Fault, answer: Answer, writer: asyncio.StreamWriter) -> bool:
        """Deliver as many bytes as there are; whether the connection is kept."""
        place = _place(answer.whole, fault.at)
        before, after = answer.whole[:place], answer.whole[place:]
        match fault.kind:
            case "corrupt":
                body = bytearray(answer.body)
                if body:
                    # The high bit: ASCII becomes no other ASCII. A listing has no digest; over plain HTTP nothing but
                    # its grammar tells that it was bent.
                    body[_place(body, fault.at)] ^= 0x80
                await _send(writer, answer.head, bytes(body))
            case "pause":
                await _send(writer, before)
                await asyncio.sleep(fault.seconds)
                await _send(writer, after)
            case "drip":
                count = len(after) if fault.count is None else min(fault.count, len(after))
                await _send(writer, before)
                for start in range(count):
                    await _send(writer, after[start : start + 1])
                    await asyncio.sleep(fault.seconds)
                await _send(writer, after[count:])
            case "pieces":
                for piece in _pieces(answer.whole, self._chance):
                    await _send(writer, piece)
                    await asyncio.sleep(0)
            case "chunks":
                await _send(writer, *answer.chunked(self._chance))
            case "goodbye":
                await _send(writer, answer.whole)
                return False
            case unknown:
                raise AssertionError(f"no such fault: {unknown}")
        return True


async def _read_answer(source: asyncio.StreamReader, request: Request) -> Answer:
    head = await source.readuntil(b"\r\n\r\n")
    fields = {
        name.strip().lower(): text.strip()
        for name, _, text in (line.partition(b":") for line in head.split(b"\r\n")[1:])
    }
    if request.method == "HEAD" or head.split(b" ", 2)[1] in {b"204", b"304"}:
        return Answer(head=head, body=b"")
    if fields.get(b"transfer-encoding") == b"chunked":
        return _with_length(head, await _read_chunks(source))
    return Answer(head=head, body=await source.readexactly(int(fields[b"content-length"])))


async def _read_chunks(source: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int(await source.readline(), 16):
        body += (await source.readexactly(size + 2))[:-2]
    await source.readline()
    return bytes(body)


def _with_length(head: bytes, body: bytes) -> Answer:
    fields = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"transfer-encoding:")]
    return Answer(head=b"\r\n".join([*fields[:-2], b"Content-Length: %d" % len(body), b"", b""]), body=body)


def _place(content: bytes | bytearray, at: float) -> int:
    """One of the bytes of ``content``."""
    return max(0, min(int(len(content) * at), len(content) - 1))


def _pieces(content: bytes, chance: random.Random) -> Iterator[bytes]:
    """All of ``content``: a few bytes, then more."""
    start, size = 0, 1
    while start < len(content):
        size = chance.randint(1, 7) if start < 50 else chance.randint(1, max(1, len(content) // 4))
        yield content[start : start + size]
        start += size


async def _send(writer: asyncio.StreamWriter, *parts: bytes) -> None:
    """Hand ``parts`` to the system, all of them, before anything else happens to the connection."""
    for part in parts:
        writer.write(part)
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    writer.transport.abort()


async def _silence(reader: asyncio.StreamReader) -> None:
    """Say nothing until the client has gone."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_MAX_SILENCE):
            await reader.read()
