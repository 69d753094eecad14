"""The file behind the durable queue: opened, checked, brought to the newest version. It is never deleted here."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from receiver.errors import QueueUnavailable
from receiver.links import is_link
from receiver.tasks import statements

MIGRATIONS: tuple[Callable[[], str], ...] = (statements.schema, statements.journal, statements.appended)
"""Scripts; number n brings a file of version n (``PRAGMA user_version``) to n + 1."""

_REMEDY = (
    "stop the receiver, move the file away with its -wal and -shm neighbours, and start again: "
    "the poll at start finds what the lost events announced"
)
# FULL: a commit in the WAL is synced before the answer. The statement cache holds every size of every statement.
_PRAGMAS = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -8192",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 16777216",
)
_CACHED_STATEMENTS = 512
_OLDEST_SQLITE = (3, 35, 0)  # RETURNING
# The tables that the work depends on are small and checked at every start; damage in the journal shows when it is read.
_CHECKED = ("task", "repository", "instance")


def open_database(path: Path) -> sqlite3.Connection:
    """Open the file at ``path``, made with mode 0600 where it is new, and migrate it.

    Raises:
        QueueUnavailable: it cannot be opened, is damaged, or was written by a newer version; it is left as it was.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise QueueUnavailable(f"this Python has SQLite {sqlite3.sqlite_version}, the queue needs 3.35 or later")
    try:
        _create_private(path)
        connection = sqlite3.connect(path, isolation_level=None, cached_statements=_CACHED_STATEMENTS)
    except (OSError, sqlite3.Error) as error:
        raise QueueUnavailable(f"cannot open the queue {path}: {error}") from error
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def close_database(connection: sqlite3.Connection) -> None:
    """Fold the write-ahead log into the file and let go of both.

    Raises:
        QueueUnavailable: the log could not be folded in; it stays beside the file and is read at the next start.
    """
    with closing(connection):
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            raise QueueUnavailable(f"the queue could not fold its log in: {error}") from error


def _create_private(path: Path) -> None:
    """Bodies can hold private names. SQLite gives -wal and -shm the same mode; Windows goes by the folder's ACL."""
    for neighbour in ("", "-wal", "-shm"):
        if is_link(path.with_name(path.name + neighbour)):
            raise QueueUnavailable(f"{path}{neighbour} is a link: remove it")
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma).fetchall()
        _migrate(connection, path)
        for found in damages(connection):
            raise QueueUnavailable(f"the queue {path} is damaged ({found}): {_REMEDY}")
    except sqlite3.OperationalError as error:
        raise QueueUnavailable(f"cannot open the queue {path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise QueueUnavailable(f"the queue {path} is damaged ({error}): {_REMEDY}") from error


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise QueueUnavailable(f"the queue {path} was written by a newer addon-sync (version {version} of the file)")
    for number in range(version, len(MIGRATIONS)):
        # One script, so that a crash leaves the old version or the new one.
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{MIGRATIONS[number]()}\nPRAGMA user_version = {number + 1};\nCOMMIT;"
        )


def damages(connection: sqlite3.Connection) -> Iterator[str]:
    """What is wrong with the tables that the work depends on; they are small."""
    for table in _CHECKED:
        found = connection.execute(f"PRAGMA quick_check({table})").fetchone()[0]
        if found != "ok":
            yield found
