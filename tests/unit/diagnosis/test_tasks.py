"""What is said of the list of tasks and of its file."""

import sqlite3
from contextlib import closing
from pathlib import Path

from receiver.diagnosis.finding import Standing
from receiver.diagnosis.probe.sqlite import quick_check
from receiver.diagnosis.tasks import judge_file, judge_tasks
from receiver.document import replaced
from receiver.tasks.task import State, Task, Trigger

NOW = 1_795_000_000.0
TASK = Task(repository="addons/a", state=State.QUEUED, trigger=Trigger.EVENT, due=NOW, created=NOW)


def test_tasks_are_counted_by_state() -> None:
    """Each state, also without any."""
    tasks = [TASK, replaced(TASK, repository="addons/b", state=State.LEASED)]
    (found,) = judge_tasks(tasks, served=True, now=NOW)
    assert (found.standing, found.text) == (Standing.OK, "1 queued, 1 leased, 0 parked")


def test_parked_failing_and_overdue_tasks_are_told() -> None:
    """With their reasons; overdue only where somebody should have taken them."""
    parked = replaced(TASK, state=State.PARKED, error="no addon")
    failing = replaced(TASK, attempts=3, error="away")
    late = replaced(TASK, repository="addons/late", due=NOW - 1000)
    found = {one.check: one for one in judge_tasks([parked, failing, late], served=True, now=NOW)}
    assert set(found) == {"journal.tasks", "journal.parked", "journal.failing", "journal.late"}
    assert "no addon" in found["journal.parked"].text
    assert "3 times" in found["journal.failing"].text
    assert "addons/late" in found["journal.late"].text
    assert len(list(judge_tasks([late], served=False, now=NOW))) == 1


def database(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE x (y)")
        connection.execute("CREATE INDEX z ON x (y)")
        connection.executemany("INSERT INTO x VALUES (?)", [(b"0" * 900,) for _ in range(200)])
        connection.commit()
    return path


def test_a_sound_file_is_sound_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    """By what SQLite says of it; a file that is none is told too, and none is made."""
    path = database(tmp_path / "queue sqlite")
    assert quick_check(path, seconds=10) is None
    assert judge_file(str(path), None).standing is Standing.OK
    content = bytearray(path.read_bytes())
    content[8192:8256] = b"\xff" * 64
    path.write_bytes(content)
    problem = quick_check(path, seconds=10)
    assert problem
    assert judge_file(str(path), problem).standing is Standing.BROKEN
    path.write_bytes(b"no database" * 1000)
    assert quick_check(path, seconds=10) == "file is not a database"
    assert quick_check(tmp_path / "absent", seconds=10) == "unable to open database file"
    assert not (tmp_path / "absent").exists()


def test_a_look_that_takes_too_long_ends_without_a_verdict(tmp_path: Path) -> None:
    """A large file on a slow disk is not called damaged."""
    assert quick_check(database(tmp_path / "queue"), seconds=-1) is None
