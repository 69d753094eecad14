"""The file behind the durable queue."""

import os
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest

from receiver.document import encode
from receiver.errors import QueueUnavailable
from receiver.tasks import database, statements
from receiver.tasks.database import close_database, open_database
from receiver.tasks.sqlite import SqliteQueue
from tests.support.deliveries import NOW, event, intake


def test_a_new_file_has_the_newest_version_and_its_settings(tmp_path: Path) -> None:
    """A commit is on the disk before it is answered (WAL, synchronous=FULL is 2)."""
    with closing(open_database(tmp_path / "q.db")) as connection:
        for pragma, value in (("user_version", len(database.MIGRATIONS)), ("synchronous", 2), ("journal_mode", "wal")):
            assert connection.execute(f"PRAGMA {pragma}").fetchone()[0] == value
        assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
        assert connection.execute("PRAGMA busy_timeout").fetchone()[0] == 5000


def test_migrations_run_once_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any older version, and what is in the file stays."""
    with closing(open_database(tmp_path / "q.db")) as connection:
        connection.execute("INSERT INTO repository (name) VALUES ('addons/a')")
    steps = (*database.MIGRATIONS, lambda: "ALTER TABLE repository ADD COLUMN note TEXT;")
    monkeypatch.setattr(database, "MIGRATIONS", steps)
    for _ in range(2):
        with closing(open_database(tmp_path / "q.db")) as connection:
            assert connection.execute("SELECT name, note FROM repository").fetchall() == [("addons/a", None)]
            assert connection.execute("PRAGMA user_version").fetchone()[0] == len(steps)


async def test_what_a_file_of_version_2_brought_is_still_a_duplicate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had a table of identifiers of its own; the events of its deliveries say the same."""
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", database.MIGRATIONS[:2])
        with closing(open_database(tmp_path / "q.db")) as connection:
            events = encode([event(event_id="known")]).decode()
            row = (7, NOW, "distribution", "accepted", None, None, events, b"{}", b"{}")
            statements.run_rows(connection, "store", [row])
            connection.execute("INSERT INTO seen (sender, event_id, first) VALUES ('distribution', 'known', ?)", [NOW])
    queue = await SqliteQueue.open(tmp_path / "q.db", clock=lambda: NOW)
    receipts = [await queue.ingest(intake(event(event_id=name)), now=NOW + 1) for name in ("known", "new")]
    assert [receipt.duplicates for receipt in receipts] == [1, 0]
    first, *_ = [delivery.id async for delivery in queue.deliveries()]
    assert first == 7
    await queue.close()


def test_a_file_of_version_2_loses_what_no_delivery_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its version says so: a build that asks this table for duplicates would find none, and must not open the file."""
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", database.MIGRATIONS[:2])
        open_database(tmp_path / "q.db").close()
    with closing(open_database(tmp_path / "q.db")) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert names.isdisjoint({"seen", "delivery_by_received"})
        assert connection.execute("PRAGMA user_version").fetchone()[0] >= 3


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old version or new, never between."""
    open_database(tmp_path / "q.db").close()
    steps = (*database.MIGRATIONS, lambda: "ALTER TABLE repository ADD COLUMN note TEXT; SELECT nonsense;")
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", steps)
        with pytest.raises(QueueUnavailable, match="nonsense"):
            open_database(tmp_path / "q.db")
    with closing(open_database(tmp_path / "q.db")) as connection:
        columns = connection.execute("SELECT name FROM pragma_table_info('repository')").fetchall()
    assert columns == [("id",), ("name",)]


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """A downgrade must not guess."""
    with closing(open_database(tmp_path / "q.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(QueueUnavailable, match="newer addon-sync"):
        open_database(tmp_path / "q.db")


@pytest.mark.parametrize(
    "content", [b"this is no database, but long enough to be one" * 100, b"SQLite format 3\0" + b"\xff" * 8176]
)
def test_what_is_no_database_is_named_and_kept(tmp_path: Path, content: bytes) -> None:
    """The text says which file and what to do; nothing is deleted silently."""
    path = tmp_path / "q.db"
    path.write_bytes(content)
    with pytest.raises(QueueUnavailable, match=r"q\.db is damaged .*move the file away"):
        open_database(path)
    assert path.read_bytes() == content


def test_a_damaged_table_is_noticed_at_start(tmp_path: Path) -> None:
    """Not in the middle of a sync: a page of the list of tasks was overwritten."""
    path = tmp_path / "q.db"
    connection = open_database(path)
    page, size = connection.execute(
        "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = 'task'"
    ).fetchone()
    close_database(connection)
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)
    with pytest.raises(QueueUnavailable, match=r"q\.db is damaged .*move the file away"):
        open_database(path)


def test_a_path_that_cannot_be_a_file_is_named(tmp_path: Path) -> None:
    """A folder in its place, or no folder around it."""
    for path in (tmp_path, tmp_path / "missing" / "q.db"):
        with pytest.raises(QueueUnavailable, match="cannot open the queue"):
            open_database(path)


def test_a_file_that_another_process_holds_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locked is not damaged: no remedy that loses anything."""
    monkeypatch.setattr(database, "_PRAGMAS", ("PRAGMA busy_timeout = 1",))
    with closing(sqlite3.connect(tmp_path / "q.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(QueueUnavailable, match=r"cannot open the queue .*locked"):
            open_database(tmp_path / "q.db")


def test_an_old_sqlite_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is written, and not as a syntax error in the middle."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(QueueUnavailable, match=r"needs 3\.35"):
        open_database(tmp_path / "q.db")
    assert not list(tmp_path.iterdir())


def test_closing_folds_the_log_in(tmp_path: Path) -> None:
    """One file is left, which can be copied."""
    connection = open_database(tmp_path / "q.db")
    connection.execute("INSERT INTO repository (name) VALUES ('addons/a')")
    close_database(connection)
    assert [path.name for path in tmp_path.iterdir()] == ["q.db"]


if sys.platform != "win32":  # Windows has no modes: the folder's access list is inherited

    def test_the_files_are_private(tmp_path: Path) -> None:
        """Bodies can hold private names; the log and its index hold what the file holds."""
        before = os.umask(0)
        try:
            with closing(open_database(tmp_path / "q.db")) as connection:
                connection.execute("INSERT INTO repository (name) VALUES ('addons/a')")
                modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        finally:
            os.umask(before)
        assert modes == {"q.db": 0o600, "q.db-wal": 0o600, "q.db-shm": 0o600}
