"""The HTTP door with a queue that only remembers, and a client that says what it is told, byte for byte."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Self, cast

from receiver.errors import QueueUnavailable
from receiver.metrics import Metrics
from receiver.server.app import Door, HttpServer
from receiver.server.connections import ConnectionServer, Limits
from receiver.tasks.journal import Aside, Journal
from receiver.tasks.queue import Intake, Receipt, TaskQueue
from receiver.tasks.task import Task

PATH = "/v1/notifications"
TOKEN = "sample-token"  # the one in the recorded deliveries


@dataclass
class RememberingQueue:
    """Keeps intakes, drops duplicates by event identifier, and fails where it is told to."""

    intakes: list[Intake] = field(default_factory=list)
    asides: list[Aside] = field(default_factory=list)
    waiting: list[Task] = field(default_factory=list)
    broken: QueueUnavailable | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event | None = None
    """Where there is one, `ingest` waits for it."""
    _seen: set[str] = field(default_factory=set)

    async def ingest(self, intake: Intake, *, now: float) -> Receipt:
        self.arrived.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.broken is not None:
            raise self.broken
        self.intakes.append(intake)
        names = [event.event_id for event in intake.events if event.left_out is None]
        fresh = [name for name in names if name is None or name not in self._seen]
        self._seen.update(name for name in names if name is not None)
        return Receipt(accepted=len(fresh), duplicates=len(names) - len(fresh), new_instance=False)

    async def tasks(self) -> Sequence[Task]:
        if self.broken is not None:
            raise self.broken
        return self.waiting

    def note(self, aside: Aside) -> None:
        self.asides.append(aside)

    def as_journal(self) -> Journal:
        """The door only ever notes."""
        return cast("Journal", self)

    def as_queue(self) -> TaskQueue:
        """The door only ever calls what is here."""
        return cast("TaskQueue", self)


@dataclass(frozen=True)
class Reply:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> object:
        return json.loads(self.body)


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, address: tuple[str, int], **options: object) -> Self:
        return cls(*await asyncio.open_connection(*address, **options))  # type: ignore[arg-type] # asyncio judges them

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, *, head: bool = False) -> Reply | None:
        """The next response; None where the connection ends without one."""
        try:
            block = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        status_line, *lines = block.decode().splitlines()
        fields = (line.split(": ", 1) for line in lines if line)
        headers = {name.lower(): value for name, value in fields}
        size = 0 if head else int(headers.get("content-length", 0))
        return Reply(int(status_line.split()[1]), headers, await self.reader.readexactly(size))

    async def is_closed(self) -> bool:
        """Wait for the end of the connection; whether nothing came before it."""
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return


def post(body: bytes, *headers: str, token: str | None = TOKEN, length: int | None = None, path: str = PATH) -> bytes:
    """A request with a JSON body, ``length`` bytes of it announced."""
    lines = [f"POST {path} HTTP/1.1", "Host: receiver", f"Content-Length: {len(body) if length is None else length}"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join([*lines, *headers, "", ""]).encode("utf-8", "surrogateescape") + body


def get(path: str, method: str = "GET") -> bytes:
    """A request without a body."""
    return f"{method} {path} HTTP/1.1\r\nHost: receiver\r\n\r\n".encode()


@dataclass
class Endpoint:
    """A running door, and all that a test may look at."""

    server: HttpServer
    address: tuple[str, int]
    queue: RememberingQueue
    metrics: Metrics
    command_address: tuple[str, int] = ("", 0)
    """Where commands are taken, if any are."""

    @property
    def connections(self) -> ConnectionServer:
        """Those of the first address."""
        return self.server._listeners[0].connections

    @asynccontextmanager
    async def connect(self, **options: object) -> AsyncIterator[Wire]:
        """A connection that is closed in the end; ``options`` as `asyncio.open_connection` has them."""
        wire = await Wire.open(self.address, **options)
        try:
            yield wire
        finally:
            await wire.close()

    async def ask(self, request: bytes, **options: object) -> Reply | None:
        """Send on a connection of its own; None where it is closed without an answer."""
        async with self.connect(**options) as wire:
            await wire.send(request)
            return await wire.reply(head=request.startswith(b"HEAD"))

    def count(self, series: str) -> float:
        """The value of a series in the metrics, 0 where there is none."""
        text = self.metrics.render()[0].decode()
        return next((float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{series} ")), 0)


@asynccontextmanager
async def running(limits: Limits | None = None, **changes: object) -> AsyncIterator[Endpoint]:
    """A door on a free port of loopback that wants `TOKEN`; ``changes`` replace what it works with."""
    queue, metrics, tokens = RememberingQueue(), Metrics(), (TOKEN,)
    door = Door(
        queue=queue.as_queue(),
        journal=queue.as_journal(),
        metrics=metrics,
        tokens=lambda: tokens,
        ready=lambda: (),
        limits=limits or Limits(),
    )
    server = HttpServer(replace(door, **changes))  # type: ignore[arg-type] # the names are those of Door
    address = await server.start("127.0.0.1", 0)
    try:
        commands = await server.start_commands() if "commands" in changes else ("", 0)
        yield Endpoint(server, address, queue, metrics, commands)
    finally:
        await server.stop(1.0)
