"""The SQL by name: all of it runs, no more of it than is used, and none of it reads a whole table on the hot path."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from receiver import tasks
from receiver.tasks import statements
from receiver.tasks.database import MIGRATIONS


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript("".join(script() for script in MIGRATIONS))
        yield connection


def names() -> list[str]:
    return re.findall(r"^-- name: (\w+)$", (Path(tasks.__path__[0]) / "statements.sql").read_text(), re.MULTILINE)


def variables(statement: str) -> dict[str, object] | list[object]:
    named = set(re.findall(r":(\w+)", statement))
    return dict.fromkeys(named) if named else [None] * statement.count("?")


@pytest.mark.parametrize("name", names())
def test_every_statement_is_valid(connection: sqlite3.Connection, name: str) -> None:
    """Against the schema as it is."""
    connection.execute("EXPLAIN " + statements.text(name), variables(statements.text(name))).fetchall()


@pytest.mark.parametrize("name", names())
def test_every_statement_is_used(name: str) -> None:
    """A statement that nobody runs is a rule that nobody keeps."""
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(tasks.__path__[0]).glob("*.py"))
    assert f'"{name}"' in sources


@pytest.mark.parametrize(
    "name", ["store", "ask", "lease", "renew", "take", "next_due", "page", "trim_old", "trim_below"]
)
def test_no_frequent_statement_reads_a_whole_table(connection: sqlite3.Connection, name: str) -> None:
    """The journal holds 100 MB: a full scan in the writer's thread keeps all senders waiting."""
    text = statements.text(name)
    plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + text, variables(text))]
    # What a subquery has found is no table: it is bounded where it is asked.
    assert not [step for step in plan if re.match(r"SCAN (?!json_each|\()", step)]


def test_many_rows_take_few_statements(connection: sqlite3.Connection) -> None:
    """Each step of SQLite has to win the interpreter's lock back."""
    ran: list[str] = []
    connection.set_trace_callback(ran.append)
    last = statements.run_rows(connection, "know", [(str(number),) for number in range(150)])
    assert (len(ran), last) == (3, 150)
    assert statements.run_rows(connection, "know", []) == 0
    rows = connection.execute(statements.text("repositories")).fetchall()
    assert sorted(int(name) for (name,) in rows) == list(range(150))


@pytest.mark.parametrize("state", ["queued", "leased", "parked"])
def test_the_file_itself_refuses_a_second_task_in_a_state(connection: sqlite3.Connection, state: str) -> None:
    """At most one queued, one leased and one parked task a repository, whatever the code does."""
    row = "INSERT INTO task (repository, state, trigger, revives, due, created, attempts, looks, force, token, until)"
    held = ("token-1", 1.0) if state == "leased" else (None, None)
    values = " VALUES ('addons/a', ?, 'poll', 0, 1, 1, 0, 0, 0, ?, ?)"
    connection.execute(row + values, (state, *held))
    with pytest.raises(sqlite3.IntegrityError, match=r"task\.repository, task\.state"):
        connection.execute(row + values, (state, "token-2" if held[0] else None, held[1]))
