"""Whether a database file is sound. Blocks, within seconds; whoever calls it holds the lock of its folder."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

_STEPS = 10_000
"""Of SQLite's machine between two looks at the clock: some milliseconds."""


def quick_check(path: Path, *, seconds: float) -> str | None:
    """What ``PRAGMA quick_check`` says of the file; None where it is sound as far as it was read in time."""
    deadline = time.monotonic() + seconds
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return None if time.monotonic() > deadline else str(error)
    return None if found == "ok" else found
