"""One thread, one connection, commits that are shared."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from receiver.errors import LeaseLost, QueueUnavailable
from receiver.tasks.database import open_database
from receiver.tasks.writer import MAX_BATCH, Writer


@dataclass
class Told:
    """What the writer said."""

    outcomes: list[str] = field(default_factory=list)
    wakes: int = 0

    def committed(self) -> None:
        self.outcomes.append("committed")

    def undone(self) -> None:
        self.outcomes.append("undone")

    def woken(self) -> None:
        self.wakes += 1


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def writer(tmp_path: Path, told: Told) -> AsyncIterator[Writer]:
    writer = Writer(partial(open_database, tmp_path / "q.db"), memory=told, written=told.woken)
    await writer.start()
    yield writer
    await writer.close()


def know(connection: sqlite3.Connection, names: Sequence[str]) -> list[str]:
    """Work that fails for one name, as a lone surrogate does."""
    for name in names:
        connection.execute("INSERT INTO repository (name) VALUES (?)", (name,))
    return [f"{name} of {len(names)}" for name in names]


def known(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM repository ORDER BY id")]


async def test_what_waits_together_shares_a_call_and_a_commit(writer: Writer, told: Told) -> None:
    """The disk is waited for once."""
    answers = await asyncio.gather(*[writer.submit(know, name) for name in "abc"])
    assert answers == ["a of 3", "b of 3", "c of 3"]
    assert (told.outcomes, told.wakes) == (["committed"], 1)


async def test_a_batch_is_bounded(writer: Writer, told: Told) -> None:
    """The first of a flood does not wait for all of it."""
    await asyncio.gather(*[writer.submit(know, str(number)) for number in range(MAX_BATCH + 1)])
    assert told.outcomes == ["committed"] * 2


async def test_an_impossible_request_fails_alone(writer: Writer, told: Told) -> None:
    """Whatever one value does to its statement, those that came with it are done."""
    answers = await asyncio.gather(
        *[writer.submit(know, name) for name in ("a", "\ud800", "b")], return_exceptions=True
    )
    assert answers[0] == "a of 1"
    assert isinstance(answers[1], UnicodeEncodeError)
    assert answers[2] == "b of 1"
    assert await writer.read(known) == ["a", "b"]
    assert told.outcomes == ["undone", "committed", "undone", "committed"]


async def test_a_broken_rule_of_the_file_fails_alone(writer: Writer) -> None:
    """A constraint is about one request, not about the disk."""
    answers = await asyncio.gather(*[writer.submit(know, name) for name in "aab"], return_exceptions=True)
    assert [type(answer) for answer in answers] == [str, sqlite3.IntegrityError, str]


async def test_a_refusal_fails_alone_and_rolls_nothing_back(writer: Writer, told: Told) -> None:
    """Work that finds its lease lost has changed nothing yet."""

    def lost(_: sqlite3.Connection) -> None:
        raise LeaseLost("gone")

    answers = await asyncio.gather(writer.submit(know, "a"), writer.run(lost), return_exceptions=True)
    assert answers[0] == "a of 1"
    assert isinstance(answers[1], LeaseLost)
    assert told.outcomes == ["committed"]


async def test_a_failing_disk_fails_all_and_changes_nothing(writer: Writer, told: Told) -> None:
    """Nothing half done, the cause is kept, and the next batch works."""

    def fail(connection: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    answers = await asyncio.gather(writer.submit(know, "a"), writer.run(fail), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["the queue cannot be used now: disk I/O error"] * 2
    assert all(isinstance(answer, QueueUnavailable) and answer.__cause__ for answer in answers)
    assert told.outcomes == ["undone"]
    assert told.wakes == 0
    await writer.submit(know, "b")
    assert await writer.read(known) == ["b"]


async def test_reading_goes_on_where_writing_fails(writer: Writer) -> None:
    """The operator can see the list of a full disk."""

    def fail(connection: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    failed, names = await asyncio.gather(writer.run(fail), writer.read(known), return_exceptions=True)
    assert isinstance(failed, QueueUnavailable)
    assert names == []


async def test_reading_sees_what_was_asked_before(writer: Writer) -> None:
    """And nothing that is not durable: it comes after the commit."""
    _, names = await asyncio.gather(writer.submit(know, "a"), writer.read(known))
    assert names == ["a"]


async def test_a_failing_read_fails_alone(writer: Writer) -> None:
    """Damage in the journal is told to the one that reads it."""

    def damaged(connection: sqlite3.Connection) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    answers = await asyncio.gather(writer.read(damaged), writer.submit(know, "a"), return_exceptions=True)
    assert isinstance(answers[0], QueueUnavailable)
    assert answers[1] == "a of 1"


async def test_a_cancelled_caller_does_not_break_the_batch(writer: Writer) -> None:
    """What it asked for is done, its neighbours are answered."""
    gate = threading.Event()
    blocked = writer.run(lambda _: gate.wait())
    await asyncio.sleep(0)
    calls = [writer.submit(know, name) for name in "abc"]
    calls[1].cancel()
    gate.set()
    await blocked
    assert [await calls[0], await calls[2]] == ["a of 3", "c of 3"]
    assert await writer.read(known) == ["a", "b", "c"]


async def test_closing_does_first_what_was_asked(tmp_path: Path, told: Told) -> None:
    """Also what was asked in the same turn of the loop; the thread is gone afterwards."""
    writer = Writer(partial(open_database, tmp_path / "q.db"), memory=told, written=told.woken)
    await writer.start()
    asked = writer.submit(know, "a")
    await writer.close()
    await writer.close()
    assert await asked == "a of 1"
    assert not [thread for thread in threading.enumerate() if thread is writer._thread]
    with pytest.raises(QueueUnavailable, match="closed"):
        await writer.read(known)


async def test_a_file_that_cannot_be_opened_leaves_no_thread(tmp_path: Path, told: Told) -> None:
    """The caller hears why."""
    writer = Writer(partial(open_database, tmp_path), memory=told, written=told.woken)
    with pytest.raises(QueueUnavailable, match="cannot open"):
        await writer.start()
    writer._thread.join(10)
    assert not writer._thread.is_alive()


def test_a_loop_that_is_gone_ends_the_thread(tmp_path: Path, told: Told) -> None:
    """A program that forgot to close lets go of the file all the same."""
    gate = threading.Event()

    async def forget() -> Writer:
        writer = Writer(partial(open_database, tmp_path / "q.db"), memory=told, written=told.woken)
        await writer.start()
        writer.run(lambda _: gate.wait())
        await asyncio.sleep(0)
        return writer

    writer = asyncio.run(forget())
    gate.set()
    writer._thread.join(10)
    assert not writer._thread.is_alive()
