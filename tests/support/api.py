"""The API over a receiver in memory: a real server on loopback, and a client that says what it is told."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from receiver.metrics import Metrics
from receiver.server.app import Door, HttpServer
from receiver.tasks.journal import Event
from receiver.tasks.queue import Intake
from tests.support.notifications import envelope
from tests.support.notifications import event as sent
from tests.support.sync_fakes import NOW, PREFIX, World

SENDER = "token-of-senders"
HOST = "credential-of-the-host"
API = "token-of-the-api"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Events:
    """Server-sent events as they come."""

    response: aiohttp.ClientResponse

    async def next(self) -> dict[str, str]:
        """The next block of fields; a comment is in the field of no name."""
        found: dict[str, str] = {}
        async with asyncio.timeout(10):
            while line := (await self.response.content.readline()).decode().rstrip("\n"):
                name, _, text = line.partition(":")
                found[name] = text.strip()
        return found

    async def entry(self) -> dict[str, Any]:
        """The next entry, whatever comes before it."""
        while "data" not in (found := await self.next()):
            assert found, "the stream has ended"
        data: dict[str, Any] = json.loads(found["data"])
        assert (str(data["id"]), data["kind"]) == (found["id"], found["event"])
        return data


@dataclass(frozen=True)
class Client:
    """Asks one address."""

    session: aiohttp.ClientSession
    url: str
    world: World
    server: HttpServer

    async def get(self, path: str, **more: Any) -> Answer:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: object = None, **more: Any) -> Answer:
        return await self.ask("POST", path, data=json.dumps({} if body is None else body), **more)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = HOST,
        headers: Mapping[str, str] | None = None,
        data: str | None = None,
    ) -> Answer:
        sent = {"Content-Type": "application/json"} if data is not None else {}
        sent |= {} if token is None else {"Authorization": f"Bearer {token}"}
        body = None if data is None else io.BytesIO(data.encode())
        asked = self.session.request(method, self.url + path, headers={**sent, **(headers or {})}, data=body)
        async with asked as response:
            return Answer(response.status, response.headers, await response.text())

    @asynccontextmanager
    async def stream(self, query: str = "", *, last: int | None = None) -> AsyncIterator[Events]:
        """An open stream, behind its first words."""
        headers = {"Authorization": f"Bearer {HOST}", **({} if last is None else {"Last-Event-ID": str(last)})}
        async with self.session.get(f"{self.url}/v1/stream{query}", headers=headers) as response:
            assert response.status == 200, await response.text()
            events = Events(response)
            assert "retry" in await events.next()
            yield events


@asynccontextmanager
async def serving(world: World | None = None, **changes: object) -> AsyncIterator[Client]:
    """The API on loopback, for this host; ``changes`` replace what the door works with."""
    world = world or World()
    senders = (SENDER,)
    door = Door(
        queue=world.queue,
        journal=world.queue,
        metrics=Metrics(),
        tokens=lambda: senders,
        ready=lambda: (),
        prefix=PREFIX,
        clock=world.clock,
        commands=world.engine,
        control_token=HOST,
        views=world.views,
        is_local=True,
    )
    server = HttpServer(replace(door, **changes))  # type: ignore[arg-type] # the names are those of Door
    host, port = await server.start("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession() as session:
            yield Client(session, f"http://{host}:{port}", world, server)
    finally:
        await server.stop(1.0)


async def announce(world: World, leaf: str, *, tag: str = "v1.0.0", sender: str = "zot", event_id: str = "") -> None:
    """An event arrives."""
    event_id = event_id or f"{leaf} {tag}"
    event = Event(repository=PREFIX + leaf, tag=tag, event_id=event_id, actor="ann")
    body = envelope(sent(id=event_id, target={"repository": PREFIX + leaf, "tag": tag}))
    intake = Intake(
        sender=sender, received=NOW, verdict="accepted", reason=None, headers=b"{}", body=body, events=(event,)
    )
    await world.queue.ingest(intake, now=NOW)
