"""A forward proxy on loopback for tests: whatever host is asked for, it connects to 127.0.0.1 at that port."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_ABSOLUTE = re.compile(rb"(GET|HEAD|POST) http://([^/ ]+)(/[^ ]*) HTTP/1.1\r\n")
_CONNECT = re.compile(rb"CONNECT ([^ ]+) HTTP/1.1\r\n")


@dataclass
class ForwardProxy:
    """What it was asked; ``refuse`` is a status that every tunnel is refused with."""

    port: int = 0
    refuse: int | None = None
    asked: list[str] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Its address, for the setting."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: a tunnel, or requests with absolute URLs, each to the place that the first one names."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def end(self) -> None:
        """End every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        tunnel, absolute = _CONNECT.match(head), _ABSOLUTE.match(head)
        if tunnel is not None and self.refuse is not None:
            writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % self.refuse)
            await writer.drain()
            return
        match = tunnel or absolute
        assert match is not None, head
        authority = match[1 if tunnel else 2].decode()
        self.asked.append(authority)
        upstream, outward = await asyncio.open_connection("127.0.0.1", int(authority.rpartition(":")[2]))
        try:
            if absolute is not None:
                rest = head[absolute.end() :].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
                outward.write(absolute[1] + b" " + absolute[3] + b" HTTP/1.1\r\n" + rest)
            else:
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            await asyncio.gather(_pipe(reader, outward), _pipe(upstream, writer))
        finally:
            outward.close()


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while part := await source.read(65536):
        sink.write(part)
        await sink.drain()
    sink.close()


@asynccontextmanager
async def forward_proxy(*, refuse: int | None = None) -> AsyncIterator[ForwardProxy]:
    """A running proxy."""
    proxy = ForwardProxy(refuse=refuse)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
