"""A process that dies, a full disk, a failing commit: what was acknowledged is there, the rest is refused."""

import asyncio
import contextlib
import json
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

from receiver.errors import QueueUnavailable
from receiver.tasks import writer
from receiver.tasks.journal import Arrival, Aside, Wanted
from receiver.tasks.limits import Limits
from receiver.tasks.sqlite import SqliteQueue
from receiver.tasks.task import EVERYTHING, State, Trigger
from tests.support.deliveries import MONITORING, NOW, SECURITY, event, intake

ROOT = Path(__file__).parents[2]
INGEST = """
import asyncio, os, sys
from pathlib import Path
from receiver.tasks.journal import Arrival, Aside, Wanted
from receiver.tasks.sqlite import SqliteQueue
from tests.support.deliveries import event, intake

async def send(queue, start):
    for number in range(start, start + 1_000_000):
        await queue.ingest(intake(event(f"addons/a{number % 14}", str(number))), now=1.0)
        os.write(1, b"%d\\n" % number)

async def main():
    queue = await SqliteQueue.open(Path(sys.argv[1]))
    first = int(sys.argv[2])
    await asyncio.gather(*[send(queue, first + sender * 1_000_000) for sender in range(8)])

asyncio.run(main())
"""
FULL = """
import asyncio, json, os, resource, sys
from pathlib import Path
from receiver.errors import QueueUnavailable
from receiver.tasks.journal import Arrival, Aside, Wanted
from receiver.tasks.sqlite import SqliteQueue
from tests.support.deliveries import event, intake

async def main():
    path = Path(sys.argv[1])
    queue = await SqliteQueue.open(path)
    wal = path.with_name(path.name + "-wal")
    room = int(sys.argv[2])
    await queue.ingest(intake(event(event_id="first")), now=1.0)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(wal) + room, hard))
    kept, refused = ["first"], []
    for number in range(300):
        try:
            await queue.ingest(intake(event(event_id=str(number)), body=b"x" * 900), now=1.0)
            kept.append(str(number))
        except QueueUnavailable:
            refused.append(str(number))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    again = [(await queue.ingest(intake(event(event_id=number)), now=1.0)).accepted for number in refused]
    await queue.close()
    print(json.dumps({"kept": kept, "refused": refused, "again": sum(again)}))

asyncio.run(main())
"""


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[SqliteQueue]:
    queue = await SqliteQueue.open(tmp_path / "q.db")
    yield queue
    await queue.close()


async def stored(queue: SqliteQueue) -> list[str | None]:
    """The identifiers of all events in the journal."""
    return [found.event_id async for delivery in queue.deliveries() for found in delivery.events]


def ingest_and_kill(path: Path, first: int, chance: random.Random) -> set[str]:
    """Let a process ingest, and kill it in the middle: the identifiers that it had acknowledged."""
    command = [sys.executable, "-c", INGEST, str(path), str(first)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(chance.randint(1, 400))]
        process.kill()  # SIGKILL; on Windows TerminateProcess
        # What it wrote after the last line that was read was acknowledged too.
        lines += process.stdout.readlines()
    assert all(line.endswith(b"\n") for line in lines)
    return {line.decode().strip() for line in lines}


async def kill_and_look(path: Path, times: int, chance: random.Random) -> None:
    for attempt in range(times):
        acknowledged = await asyncio.to_thread(ingest_and_kill, path, attempt * 10_000_000, chance)
        queue = await SqliteQueue.open(path, limits=Limits(journal_bytes=10**9))
        there = await stored(queue)
        assert acknowledged <= set(there), f"lost in attempt {attempt}: {sorted(acknowledged - set(there))[:5]}"
        assert len(there) == len(set(there))
        for number in list(acknowledged)[:5]:
            assert (await queue.ingest(intake(event(event_id=number)), now=NOW)).duplicates == 1
        names = {delivery.events[0].repository async for delivery in queue.deliveries()}
        assert {task.repository for task in await queue.tasks()} == names
        await queue.close()


async def test_what_was_acknowledged_survives_being_killed(tmp_path: Path, seeded: random.Random) -> None:
    """Ten times on the same file: every acknowledged event is in the journal, has its task, and is known as seen."""
    await kill_and_look(tmp_path / "q.db", 10, seeded)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_what_was_acknowledged_survives_being_killed_many_times(tmp_path: Path, seeded: random.Random) -> None:
    """200 times, for the rarer moments."""
    await kill_and_look(tmp_path / "q.db", 200, seeded)


async def test_leases_survive_a_restart_and_are_recovered(tmp_path: Path) -> None:
    """A killed worker's task is neither lost nor done; its old lease is worth nothing."""
    queue = await SqliteQueue.open(tmp_path / "q.db")
    await queue.enqueue([MONITORING, SECURITY], trigger=Trigger.POLL, now=NOW)
    lease = await queue.lease(now=NOW, seconds=60)
    assert lease is not None
    await queue.close()

    again = await SqliteQueue.open(tmp_path / "q.db")
    assert [task.state for task in await again.tasks()] == [State.LEASED, State.QUEUED]
    assert await again.recover(now=NOW + 1) == 1
    assert [task.state for task in await again.tasks()] == [State.QUEUED, State.QUEUED]
    await again.close()


async def test_a_restart_forgets_no_process_and_no_identifier(tmp_path: Path) -> None:
    """Neither is a restart of the receiver one of the registry."""
    for expected in (1, 0):
        queue = await SqliteQueue.open(tmp_path / "q.db")
        receipt = await queue.ingest(intake(event(event_id="1"), instance_id="a"), now=NOW)
        assert (receipt.accepted, receipt.new_instance) == (expected, False)
        await queue.close()
    queue = await SqliteQueue.open(tmp_path / "q.db")
    assert (await queue.ingest(intake(instance_id="b"), now=NOW)).new_instance
    assert EVERYTHING in [task.repository for task in await queue.tasks()]
    await queue.close()


async def test_a_full_disk_refuses_and_recovers(queue: SqliteQueue) -> None:
    """503, nothing half done, and the same event is accepted when there is room (W22)."""
    await limit_pages(queue, 0)
    body = b"x" * 100_000
    answers = await asyncio.gather(
        *[queue.ingest(intake(event(SECURITY, str(number)), body=body), now=NOW) for number in range(3)],
        return_exceptions=True,
    )
    assert all(isinstance(answer, QueueUnavailable) for answer in answers)
    assert (await queue.tasks(), await stored(queue), await queue.known_repositories()) == ([], [], [])

    await limit_pages(queue, 10**6)
    for number in range(3):
        assert (await queue.ingest(intake(event(SECURITY, str(number)), body=body), now=NOW)).accepted == 1
    assert await stored(queue) == ["0", "1", "2"]
    assert await queue.known_repositories() == [SECURITY]


async def test_a_process_is_still_new_after_a_failed_commit(
    queue: SqliteQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is remembered of the file is only what is in it: the look at everything is not lost with the commit."""
    await queue.ingest(intake(instance_id="a"), now=NOW)
    with failing_commits(monkeypatch), pytest.raises(QueueUnavailable, match="disk I/O error"):
        await queue.ingest(intake(event(event_id="1"), instance_id="b"), now=NOW)
    assert await queue.tasks() == []
    receipt = await queue.ingest(intake(event(event_id="1"), instance_id="b"), now=NOW)
    assert (receipt.accepted, receipt.new_instance) == (1, True)


async def test_a_failed_commit_forgets_nothing_that_was_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what was taken in before, nor what was read at start."""
    for number in range(2):
        queue = await SqliteQueue.open(tmp_path / "q.db")
        with failing_commits(monkeypatch), pytest.raises(QueueUnavailable):
            await queue.ingest(intake(event(event_id="refused")), now=NOW)
        assert (await queue.ingest(intake(event(event_id=str(number))), now=NOW)).accepted == 1
        with failing_commits(monkeypatch), pytest.raises(QueueUnavailable):
            await queue.ingest(intake(event(event_id="refused")), now=NOW)
        for seen in range(number + 1):
            assert (await queue.ingest(intake(event(event_id=str(seen))), now=NOW)).duplicates == 1
        await queue.close()


async def test_a_commit_that_fails_takes_nothing_from_the_list(
    queue: SqliteQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report that was refused can be repeated: the lease is still held."""
    await queue.enqueue([MONITORING], trigger=Trigger.POLL, now=NOW)
    lease = await queue.lease(now=NOW, seconds=60)
    assert lease is not None
    with failing_commits(monkeypatch), pytest.raises(QueueUnavailable):
        await queue.complete(lease, unpark=True)
    assert [task.state for task in await queue.tasks()] == [State.LEASED]
    await queue.complete(lease, unpark=True)
    assert await queue.tasks() == []


async def test_a_cancelled_worker_leaves_no_lease_behind(queue: SqliteQueue) -> None:
    """It never heard of it: the task goes back at once and not when the lease runs out."""
    await queue.enqueue([MONITORING], trigger=Trigger.POLL, now=NOW)
    gate = threading.Event()
    blocked = queue._writer.run(lambda _: gate.wait())
    leasing = asyncio.create_task(queue.lease(now=NOW, seconds=3600))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leasing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leasing
    await queue.wait(0)
    gate.set()
    await blocked
    await asyncio.wait_for(queue.wait(60), 10)
    assert [task.state for task in await queue.tasks()] == [State.QUEUED]


async def test_notes_wait_for_a_disk_that_has_room_again(queue: SqliteQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that finds nothing to do commits even then: what it did not write is still to be written."""
    with failing_commits(monkeypatch):
        queue.note(Aside(received=NOW, answered=NOW, sender="zot", verdict="ignored"))
        await queue.entries(Wanted(), limit=9)
    assert await queue.lease(now=NOW, seconds=60) is None
    await queue.ingest(intake(event()), now=NOW)
    found = [entry for entry in (await queue.entries(Wanted(), limit=9)).entries if isinstance(entry, Arrival)]
    assert sorted(entry.verdict for entry in found) == ["accepted", "ignored"]
    assert all(entry.answered is not None for entry in found)


async def test_damage_in_the_journal_is_told_to_its_reader(queue: SqliteQueue, tmp_path: Path) -> None:
    """As unavailable and not as an error of SQLite; the list of tasks works on."""
    await queue.ingest(intake(event(), body=b"x" * 50_000), now=NOW)
    await queue.close()
    damage_pages(tmp_path / "q.db", "delivery")
    again = await SqliteQueue.open(tmp_path / "q.db")
    assert len(await again.tasks()) == 1
    with pytest.raises(QueueUnavailable, match="malformed"):
        await stored(again)
    await again.close()


if sys.platform != "win32":  # the limit of a file's size is POSIX; a full disk is simulated above for Windows

    @pytest.mark.parametrize("room", [0, 5_000, 40_000, 123_456])
    def test_a_log_that_cannot_grow_refuses_and_recovers(tmp_path: Path, room: int) -> None:
        """The write in the commit itself fails, at some page of it."""
        path = tmp_path / "q.db"
        command = [sys.executable, "-c", FULL, str(path), str(room)]
        told = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
        assert told["refused"]
        assert told["again"] == len(told["refused"])

        async def look() -> list[str | None]:
            queue = await SqliteQueue.open(path)
            there = await stored(queue)
            await queue.close()
            return there

        assert asyncio.run(look()) == told["kept"] + told["refused"]


async def limit_pages(queue: SqliteQueue, pages: int) -> None:
    """A disk with room for so many pages; never less than the file has."""

    def limit(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA max_page_count = {max(pages, 1)}").fetchall()

    await queue._writer.read(limit)


@contextlib.contextmanager
def failing_commits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every transaction is done and then not committed, as where the log cannot be synced."""
    transact = writer._transact

    def fail(connection: sqlite3.Connection, requests: Sequence[writer._Request]) -> NoReturn:
        transact(Uncommitted(connection), requests)  # type: ignore[arg-type]  # the part of a connection that is used
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(writer, "_transact", fail)
        yield


class Uncommitted:
    """A connection whose transaction stays open."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor | None:
        return None if statement == "COMMIT" else self._connection.execute(statement, *values)


def damage_pages(path: Path, table: str) -> None:
    """Overwrite the root page of ``table``."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)
