"""What the journal keeps behind the answers of deliveries: it may lag, and is never wrong."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from receiver.tasks import statements
from receiver.tasks.database import MIGRATIONS
from receiver.tasks.journal import Activity, Arrival, Aside, Wanted
from receiver.tasks.ledger import Ledger
from receiver.tasks.sqlite import SqliteQueue
from tests.support.deliveries import MONITORING, NOW, SECURITY, event, intake


async def test_what_a_crash_left_out_of_the_index_is_put_in(tmp_path: Path) -> None:
    """The file as it is before anything was settled: deliveries are there, and found again at the next start."""
    queue = await SqliteQueue.open(tmp_path / "q.db")
    await queue.ingest(intake(event()), now=NOW)
    await queue.ingest(intake(event(SECURITY)), now=NOW)
    copied = tmp_path / "copied.db"
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"q.db{suffix}", f"{copied}{suffix}")
    await queue.close()
    with closing(sqlite3.connect(copied)) as connection:
        assert connection.execute("SELECT count(*) FROM mention").fetchone() == (0,)
    reopened = await SqliteQueue.open(copied)
    (found,) = (await reopened.entries(Wanted(repository=SECURITY), limit=9)).entries
    assert isinstance(found, Arrival)
    assert found.answered is None
    await reopened.close()


async def test_what_comes_after_a_crash_does_not_answer_what_came_before(tmp_path: Path) -> None:
    """Whether that was answered, nobody knows; it was not an hour later."""
    queue = await SqliteQueue.open(tmp_path / "q.db", clock=lambda: NOW)
    await queue.ingest(intake(event()), now=NOW)
    copied = tmp_path / "copied.db"
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"q.db{suffix}", f"{copied}{suffix}")
    await queue.close()
    reopened = await SqliteQueue.open(copied, clock=lambda: NOW + 3600)
    await reopened.ingest(intake(event(SECURITY)), now=NOW + 3600)
    page = await reopened.entries(Wanted(), limit=9)
    assert [entry.answered for entry in page.entries if isinstance(entry, Arrival)] == [NOW + 3600, None]
    await reopened.close()


async def test_answers_are_known_after_an_orderly_end(tmp_path: Path) -> None:
    """Several starts, with and without anything new."""
    for number in range(3):
        queue = await SqliteQueue.open(tmp_path / "q.db", clock=lambda: NOW)
        await queue.ingest(intake(event()), now=NOW)
        queue.note(Aside(received=NOW, answered=NOW, sender="zot", verdict="ignored"))
        await queue.close()
        queue = await SqliteQueue.open(tmp_path / "q.db", clock=lambda: NOW + 9)
        page = await queue.entries(Wanted(), limit=99)
        assert [entry.answered for entry in page.entries if isinstance(entry, Arrival)] == [NOW] * 2 * (number + 1)
        await queue.close()


async def test_a_note_is_found_by_its_time_though_a_later_delivery_was_entered_first(tmp_path: Path) -> None:
    """Notes wait a moment, deliveries do not."""
    queue = await SqliteQueue.open(tmp_path / "q.db")
    await queue.ingest(intake(event(), received=NOW), now=NOW)
    queue.note(Aside(received=NOW + 0.1, sender="zot", verdict="ignored"))
    await queue.ingest(intake(event(), received=NOW + 0.2), now=NOW)
    page = await queue.entries(Wanted(since=NOW + 0.05, until=NOW + 0.15), limit=9)
    assert [entry.sender for entry in page.entries if isinstance(entry, Arrival)] == ["zot"]
    await queue.close()


async def test_deliveries_of_before_the_index_are_found(tmp_path: Path) -> None:
    """A file of version 1, as an earlier build left it."""
    with closing(sqlite3.connect(tmp_path / "q.db")) as connection:
        connection.executescript(statements.schema() + "PRAGMA user_version = 1;")
        stored = f'[{{"repository":"{MONITORING}","event_id":null,"tag":"v1","digest":null,"actor":"ci"}}]'
        row = "INSERT INTO delivery VALUES (0, 1.0, 'zot', 'accepted', NULL, ?, x'7b7d', x'7b7d')"
        connection.execute(row, (stored,))
        connection.commit()
    queue = await SqliteQueue.open(tmp_path / "q.db")
    (found,) = (await queue.entries(Wanted(repository=MONITORING), limit=9)).entries
    assert isinstance(found, Arrival)
    assert (found.events[0].actor, found.events[0].left_out, found.address) == ("ci", None, None)
    await queue.close()


async def test_a_number_is_never_given_twice(tmp_path: Path) -> None:
    """Who follows the journal knows where it was; all of it may be forgotten meanwhile."""
    queue = await SqliteQueue.open(tmp_path / "q.db")
    await queue.ingest(intake(event()), now=NOW)
    newest = await queue.newest()
    await queue.trim(before=NOW + 1, max_bytes=10**9)
    assert await queue.newest() == -1
    await queue.close()
    queue = await SqliteQueue.open(tmp_path / "q.db")
    await queue.ingest(intake(event()), now=NOW)
    assert await queue.newest() > newest
    await queue.close()


async def test_words_that_find_nothing_are_forgotten(tmp_path: Path) -> None:
    """A sender can name any number of addons over the years."""
    queue = await SqliteQueue.open(tmp_path / "q.db")
    for number in range(20):
        await queue.ingest(intake(event(f"addons/a{number}"), received=NOW + number), now=NOW)
    await queue.trim(before=NOW + 19, max_bytes=10**9)
    await queue.close()
    with closing(sqlite3.connect(tmp_path / "q.db")) as connection:
        words = [word for (word,) in connection.execute("SELECT word FROM term ORDER BY word")]
    assert words == ["event addons/a19", "sender distribution"]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript("".join(script() for script in MIGRATIONS))
        yield connection


@pytest.fixture
def ledger(connection: sqlite3.Connection) -> Ledger:
    ledger = Ledger(2**24)
    ledger.load(connection)
    return ledger


def test_a_flood_of_refusals_is_one_line(connection: sqlite3.Connection, ledger: Ledger) -> None:
    """Somebody tries tokens: the journal says so once a moment, with their number."""
    refused = Aside(received=NOW, sender="unknown", verdict="refused", reason="no credential", address="10.0.0.9")
    ledger.note([refused] * 500)
    ledger.settle(connection)
    assert connection.execute("SELECT verdict, address, count FROM aside").fetchall() == [("refused", "10.0.0.9", 500)]


def test_a_flood_of_noise_is_bounded_in_memory(connection: sqlite3.Connection, ledger: Ledger) -> None:
    """Beyond some thousand notes a moment, what is left is their number."""
    noise = Aside(received=NOW, sender="zot", verdict="ignored", events=(event(),))
    for _ in range(50):
        ledger.note([noise] * 100)
    ledger.settle(connection)
    assert connection.execute("SELECT count(*), sum(count) FROM aside").fetchone() == (4097, 5000)


def test_notes_survive_a_commit_that_failed(connection: sqlite3.Connection, ledger: Ledger) -> None:
    """They are written with the next one, once."""
    ledger.note([Aside(received=NOW, sender="zot", verdict="ignored")])
    connection.execute("BEGIN")
    ledger.settle(connection)
    connection.execute("ROLLBACK")
    ledger.undone()
    ledger.committed(NOW)  # of a transaction of others, before anything is written again
    ledger.load(connection)
    for _ in range(2):
        ledger.settle(connection)
        ledger.committed(NOW)
    assert connection.execute("SELECT count(*) FROM aside").fetchone() == (1,)


def end(connection: sqlite3.Connection, ledger: Ledger, *, fails: bool) -> None:
    """The transaction, and what its writer says to the ledger then."""
    connection.execute("ROLLBACK" if fails else "COMMIT")
    if fails:
        ledger.undone()
        ledger.load(connection)
    else:
        ledger.committed(NOW)


def test_what_is_settled_twice_in_a_transaction_is_written_once(connection: sqlite3.Connection, ledger: Ledger) -> None:
    """As where two readers ask at the same moment; and all of it waits again where that transaction fails."""
    for fails in (True, False):
        connection.execute("BEGIN")
        for number in range(3):
            if fails:
                ledger.note([Aside(received=NOW + number, sender="zot", verdict="ignored", address=str(number))])
            ledger.settle(connection)
        end(connection, ledger, fails=fails)
    ledger.settle(connection)
    assert connection.execute("SELECT received FROM aside").fetchall() == [(NOW,), (NOW + 1,), (NOW + 2,)]


def test_notes_are_written_once_however_often_a_commit_fails(connection: sqlite3.Connection, ledger: Ledger) -> None:
    """A full disk fails one after the other; what was written before that is not written again."""
    for number, fails in enumerate((False, True, True, False)):
        ledger.note([Aside(received=NOW + number, sender="zot", verdict="ignored", address=str(number))])
        connection.execute("BEGIN")
        ledger.settle(connection)
        end(connection, ledger, fails=fails)
    rows = connection.execute("SELECT received, count FROM aside ORDER BY id").fetchall()
    assert rows == [(NOW + number, 1) for number in range(4)]


def test_numbers_and_answers_wait_again_too_where_a_commit_failed(
    connection: sqlite3.Connection, ledger: Ledger
) -> None:
    """How many notes there were, and when the entries of before were answered."""
    ledger.record(connection, Activity(at=NOW, kind="poll", outcome="looked", repository=None, document=b"{}"))
    ledger.committed(NOW)
    ledger.note([Aside(received=NOW, sender="zot", verdict="ignored", events=(event(),))] * 5000)
    connection.execute("BEGIN")
    ledger.settle(connection)
    connection.execute("ROLLBACK")
    ledger.undone()
    ledger.load(connection)
    ledger.settle(connection)
    assert connection.execute("SELECT sum(count) FROM aside").fetchone() == (5000,)
    assert connection.execute("SELECT at FROM answer WHERE last = 1").fetchone() == (NOW,)


def test_where_more_notes_wait_than_usual_no_other_is_kept(connection: sqlite3.Connection, ledger: Ledger) -> None:
    """Those of a commit that failed wait together with those that came meanwhile."""
    noise = Aside(received=NOW, sender="zot", verdict="ignored", events=(event(),))
    ledger.note([noise] * 4096)
    connection.execute("BEGIN")
    ledger.settle(connection)
    ledger.note([noise] * 4096)
    connection.execute("ROLLBACK")
    ledger.undone()
    ledger.note([noise] * 5000)
    ledger.load(connection)
    ledger.settle(connection)
    assert connection.execute("SELECT count(*), sum(count) FROM aside").fetchone() == (8193, 13192)


def test_what_a_failed_commit_had_written_does_not_count_to_the_bound(connection: sqlite3.Connection) -> None:
    """Else entries would be forgotten that have room."""
    ledger = Ledger(3000 * 1024)
    ledger.load(connection)
    noise = Aside(received=NOW, sender="zot", verdict="ignored", events=(event(),))
    ledger.note([noise] * 2000)
    ledger.settle(connection)
    ledger.committed(NOW)
    ledger.note([noise] * 1500)
    connection.execute("BEGIN")
    ledger.settle(connection)
    connection.execute("ROLLBACK")
    ledger.undone()
    ledger.load(connection)
    ledger.settle(connection)
    assert connection.execute("SELECT count(*) FROM aside").fetchone() == (3000,)


def test_entries_without_a_body_are_bounded_whatever_is_trimmed_meanwhile(connection: sqlite3.Connection) -> None:
    """Counted once, and anew where others have forgotten some: none is forgotten that should stay."""
    ledger = Ledger(3000 * 1024)
    ledger.load(connection)

    def fill(count: int) -> int:
        noise = [Aside(received=NOW, sender="zot", verdict="ignored", events=(event(),)) for _ in range(count)]
        ledger.note(noise)
        ledger.settle(connection)
        ledger.committed(NOW)
        left: int = connection.execute("SELECT count(*) FROM aside").fetchone()[0]
        return left

    assert fill(2000) == 2000
    assert fill(2000) == 3000
    assert fill(1500) == 3000
    connection.execute("DELETE FROM aside WHERE id IN (SELECT id FROM aside ORDER BY id LIMIT 2500)")
    ledger.recount()
    assert fill(1100) == 1600
    assert fill(1400) == 3000
