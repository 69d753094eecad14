"""More than a receiver can take, through the HTTP door into the real queue (W20 to W22)."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from receiver.tasks.limits import Limits
from receiver.tasks.sqlite import SqliteQueue
from tests.support.endpoint import Endpoint, Reply, get, post, running
from tests.support.notifications import envelope, event

ADDONS = [f"addons/addon-{number}" for number in range(14)]
PATIENCE = 60.0


@asynccontextmanager
async def flooded(tmp_path: Path, limits: Limits | None = None) -> AsyncIterator[tuple[Endpoint, SqliteQueue]]:
    """A door with the queue that stands behind it in production."""
    queue = await SqliteQueue.open(tmp_path / "queue.sqlite", limits=limits or Limits())
    try:
        async with running(queue=queue) as endpoint:
            yield endpoint, queue
    finally:
        await queue.close()


def of(repository: str, number: int | str) -> dict[str, object]:
    """An event of its own about ``repository``."""
    return event(id=str(number), target={"repository": repository, "tag": "v1.0.0"})


async def ask(endpoint: Endpoint, request: bytes) -> Reply:
    reply = await endpoint.ask(request)
    assert reply is not None
    return reply


async def test_ten_thousand_events_for_fourteen_addons_cost_a_row_an_addon(
    tmp_path: Path, seeded: random.Random
) -> None:
    """All are accepted, in whatever order and packing; the probe is answered meanwhile (W21)."""
    events = [of(seeded.choice(ADDONS), number) for number in range(10_000)]
    bodies = []
    while events:
        size = seeded.randrange(1, 200)
        bodies.append(envelope(*events[:size]))
        del events[:size]
    async with asyncio.timeout(PATIENCE), flooded(tmp_path) as (endpoint, queue):
        replies, probe = await asyncio.gather(
            asyncio.gather(*(ask(endpoint, post(body)) for body in bodies)), ask(endpoint, get("/healthz"))
        )
        assert {reply.status for reply in replies} == {202}
        assert probe.status == 200
        assert sorted(task.repository for task in await queue.tasks()) == sorted(ADDONS)


async def test_a_flood_of_invented_names_is_refused_with_a_time_to_come_back(tmp_path: Path) -> None:
    """Over the global cap; what is known already is still taken (endpoint rules, "A flood")."""
    async with asyncio.timeout(PATIENCE), flooded(tmp_path, Limits(repositories=20)) as (endpoint, queue):
        replies = [await ask(endpoint, post(envelope(of(f"addons/x{number}", number)))) for number in range(30)]
        assert [reply.status for reply in replies] == [202] * 20 + [503] * 10
        assert {reply.headers.get("retry-after") for reply in replies[20:]} == {"5"}
        assert (await ask(endpoint, post(envelope(of("addons/x0", "again"))))).status == 202
        assert len(await queue.tasks()) == 20


async def test_one_event_a_thousand_times_is_one_task(tmp_path: Path) -> None:
    """Across a restart of the receiver too (W20)."""
    accepted = 0
    for _ in range(2):
        async with asyncio.timeout(PATIENCE), flooded(tmp_path) as (endpoint, queue):
            for reply in await asyncio.gather(*(ask(endpoint, post(envelope(of(ADDONS[0], 1)))) for _ in range(500))):
                assert isinstance(reply.json, dict)
                accepted += reply.json["accepted"]
            assert [task.repository for task in await queue.tasks()] == [ADDONS[0]]
    assert accepted == 1


async def test_a_full_disk_is_answered_with_503_until_there_is_room(tmp_path: Path) -> None:
    """Nothing that was refused is there, and the repetition is accepted (W22)."""
    async with asyncio.timeout(PATIENCE), flooded(tmp_path) as (endpoint, queue):
        body = envelope(of(ADDONS[0], 1)) + b" " * 100_000
        await limit_pages(queue, 0)
        reply = await ask(endpoint, post(body))
        assert (reply.status, reply.headers["retry-after"]) == (503, "5")
        assert await queue.tasks() == []
        await limit_pages(queue, 10**6)
        assert (await ask(endpoint, post(body))).json == {"accepted": 1, "ignored": 0, "quarantined": 0}


async def limit_pages(queue: SqliteQueue, pages: int) -> None:
    """A disk with room for so many pages; never less than the file has."""

    def limit(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA max_page_count = {max(pages, 1)}").fetchall()

    await queue._writer.read(limit)
