"""The hot path's bounds, and how little it writes."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from receiver.document import replaced
from receiver.tasks import store
from receiver.tasks.database import MIGRATIONS
from receiver.tasks.entries import page
from receiver.tasks.intake import Intakes
from receiver.tasks.journal import Arrival, Aside, Wanted
from receiver.tasks.ledger import Ledger
from receiver.tasks.limits import LEAST_WEIGHT, Limits
from tests.support.deliveries import NOW, event, intake


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript("".join(script() for script in MIGRATIONS))
        yield connection


def desk(limits: Limits) -> Intakes:
    return Intakes(limits, Ledger(limits.journal_bytes), lambda: NOW)


def count(connection: sqlite3.Connection, table: str) -> int:
    found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found


def test_after_a_start_the_newest_identifiers_are_known(connection: sqlite3.Connection) -> None:
    """They are read from the journal, as many as are remembered: with duplicates and what was left out beside them."""
    intakes = desk(Limits(seen=100))
    for number in range(300):
        pull = replaced(event(event_id="pull"), left_out="pull")
        twice = [event(event_id=str(number)) for _ in range(2)]
        intakes.ingest(connection, [(intake(*twice, pull), NOW)])
        intakes.committed()
    reopened = desk(Limits(seen=100))
    names = ("299", "201", "198", "pull")
    receipts = reopened.ingest(connection, [(intake(event(event_id=name)), NOW) for name in names])
    assert [getattr(receipt, "duplicates", None) for receipt in receipts] == [1, 1, 0, 0]


def test_after_a_start_an_identifier_is_as_old_as_its_newest_delivery(connection: sqlite3.Connection) -> None:
    """One that came again after more than a day is a duplicate for another day."""
    intakes = desk(Limits())
    for hours in (0, 25):
        now = NOW + hours * 3600
        intakes.ingest(connection, [(intake(event(event_id="a"), received=now), now)])
    (receipt,) = desk(Limits()).ingest(connection, [(intake(event(event_id="a")), NOW + 26 * 3600)])
    assert getattr(receipt, "duplicates", None) == 1


def test_what_was_undone_leaves_nothing_behind(connection: sqlite3.Connection) -> None:
    """Others may commit before it comes again: their moment is not that of its answer."""
    now, ledger = NOW, Ledger(2**24)
    intakes = Intakes(Limits(), ledger, lambda: now)
    ledger.note([Aside(received=NOW, sender="zot", verdict="ignored")])
    connection.execute("BEGIN")
    intakes.ingest(connection, [(intake(event(event_id="a")), now)])
    ledger.settle(connection)
    connection.execute("ROLLBACK")
    intakes.undone()
    intakes.committed()
    now += 60
    (receipt,) = intakes.ingest(connection, [(intake(event(event_id="a"), body=b"x" * 4096), now)])
    intakes.committed()
    ledger.settle(connection)
    assert getattr(receipt, "accepted", None) == 1
    assert connection.execute("SELECT at FROM answer").fetchall() == [(now,)]
    assert [count(connection, table) for table in ("delivery", "aside", "repository")] == [1, 1, 1]


def test_a_flood_of_processes_is_bounded_on_disk(connection: sqlite3.Connection) -> None:
    """Two a sender."""
    intakes = desk(Limits(instances=2))
    for number in range(10):
        for sender in ("distribution", "acr"):
            intakes.ingest(connection, [(intake(sender=sender, instance_id=f"i{number}"), NOW + number)])
    assert count(connection, "instance") == 4


def test_a_process_that_is_heard_now_is_not_forgotten_for_a_clock_that_was_put_back(
    connection: sqlite3.Connection,
) -> None:
    """It would be a new one at each of its events, and each would ask for a look at everything."""
    intakes = desk(Limits(instances=2))
    heard = [("y", 1), ("z", 1), ("x", 0), ("x", 0)]
    offers = [[(intake(instance_id=name), NOW + late)] for name, late in heard]
    receipts = [receipt for offer in offers for receipt in intakes.ingest(connection, offer)]
    assert [getattr(receipt, "new_instance", None) for receipt in receipts] == [False, True, True, False]
    assert count(connection, "instance") == 2


def test_below_the_limit_no_process_is_forgotten(connection: sqlite3.Connection) -> None:
    """A forgotten one would be a new one at its next event, and ask for a look at everything."""
    intakes = desk(Limits(instances=4))
    for name in ("a", "b", "c", "a"):
        intakes.ingest(connection, [(intake(instance_id=name), NOW)])
    assert count(connection, "instance") == 3


def test_a_process_is_noted_once_an_hour(connection: sqlite3.Connection) -> None:
    """Often enough to know the longest unheard, and no write for each event."""
    intakes = desk(Limits())
    for minutes in (0, 30, 59, 60, 90):
        intakes.ingest(connection, [(intake(instance_id="a"), NOW + minutes * 60)])
    assert connection.execute("SELECT first, last FROM instance").fetchall() == [(NOW, NOW + 3600)]


def test_a_process_is_noted_anew_where_the_clock_was_put_back(connection: sqlite3.Connection) -> None:
    """With a time of the future it would be the last to be forgotten, though it may be gone."""
    intakes = desk(Limits())
    for now in (NOW, NOW - 7200):
        intakes.ingest(connection, [(intake(instance_id="a"), now)])
    assert connection.execute("SELECT last FROM instance").fetchall() == [(NOW - 7200,)]


def test_a_batch_takes_a_handful_of_statements(connection: sqlite3.Connection) -> None:
    """16 deliveries that wait together are two statements, whichever their number (receiver.tasks.statements)."""
    intakes = desk(Limits())
    intakes.ingest(connection, [(intake(event(), instance_id="a"), NOW)])
    ran: list[str] = []
    connection.set_trace_callback(ran.append)
    offers = [(intake(event(event_id=str(number)), instance_id="a"), NOW) for number in range(16)]
    intakes.ingest(connection, offers)
    tables = [table for statement in ran for table in re.findall(r"^INSERT INTO (\w+)", statement, re.MULTILINE)]
    assert (tables, len(ran)) == (["delivery", "task"], 2)


def test_of_a_batch_the_earliest_time_is_due(connection: sqlite3.Connection) -> None:
    """Clocks may jump between two deliveries that share a commit."""
    desk(Limits()).ingest(connection, [(intake(event()), NOW + 5), (intake(event()), NOW), (intake(event()), NOW + 9)])
    assert connection.execute("SELECT due FROM task").fetchall() == [(NOW,)]


def test_a_large_journal_is_brought_to_a_small_limit_in_pieces(connection: sqlite3.Connection) -> None:
    """An operator has lowered the limit: each transaction forgets a thousand, and in the end it is kept."""
    large = desk(Limits())
    for number in range(50):
        large.ingest(connection, [(intake(event(event_id=f"{number}-{one}")), NOW) for one in range(100)])
    small, left = desk(Limits(journal_bytes=256 * LEAST_WEIGHT)), [5000]
    while left[-1] > 256 + 16:
        small.ingest(connection, [(intake(event(event_id=f"new-{len(left)}")), NOW)])
        left.append(count(connection, "delivery"))
        assert 0 < left[-2] - left[-1] <= 1024
    assert left[-1] == 256


def test_large_bodies_are_forgotten_a_few_at_a_time(connection: sqlite3.Connection) -> None:
    """By their bytes: by their number alone, one transaction would forget half a gigabyte."""
    intakes = desk(Limits())
    for number in range(20):
        intakes.ingest(connection, [(intake(event(), received=NOW + number, body=b"x" * 2**20), NOW)])
    for before, max_bytes in ((NOW + 100, 2**40), (0.0, 0)):
        forgotten = store.trim(connection, before=before, max_bytes=max_bytes, most=512)
        assert 1 <= forgotten <= 5


def test_a_damaged_row_holds_nothing_up(connection: sqlite3.Connection) -> None:
    """Its identifiers are forgotten and the list says why; new deliveries come in, the other identifiers are known."""
    intakes = desk(Limits())
    for name in ("a", "b"):
        intakes.ingest(connection, [(intake(event(event_id=name)), NOW)])
        intakes.committed()
    connection.execute("UPDATE delivery SET events = substr(events, 3) WHERE id = (SELECT min(id) FROM delivery)")
    receipts = desk(Limits()).ingest(connection, [(intake(event(event_id=name)), NOW) for name in ("a", "b", "c")])
    assert [getattr(receipt, "duplicates", None) for receipt in receipts] == [0, 1, 0]
    entries = page(connection, Wanted(), limit=10, before=None).entries
    assert isinstance(entries[-1], Arrival)
    assert [event.left_out for event in entries[-1].events] == ["damaged in the journal"]
