"""What is said of the list of tasks and of its file."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from receiver.diagnosis.finding import Standing
from receiver.diagnosis.probe.sqlite import quick_check
from receiver.diagnosis.tasks import judge_file, judge_journal, judge_tasks
from receiver.document import replaced
from receiver.errors import NO_CREDENTIAL
from receiver.sync.heard import heard
from receiver.tasks.journal import DOCTOR, Arrival, Event, Health, Verdict
from receiver.tasks.task import EVERYTHING, State, Task, Trigger

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


def test_a_look_at_all_addons_is_told_in_words() -> None:
    """Its name in the queue is a pattern for a shell, and no command takes it."""
    everything = replaced(TASK, repository=EVERYTHING, due=NOW - 1000)
    tasks = [replaced(everything, attempts=2, error="away"), replaced(everything, state=State.PARKED, error="no")]
    told = [one for one in judge_tasks(tasks, served=True, now=NOW) if one.standing is not Standing.OK]
    assert [one.check for one in told] == ["journal.failing", "journal.parked", "journal.late"]
    assert all("a look at all addons" in one.text for one in told)
    assert {one.remedy for one in told[:2]} == {"see registry.* above; addon-sync poll tries now"}


HEALTH = Health(entries=9, bytes=1024, oldest=None, newest=None)


def arrival(verdict: Verdict, *, before: float = 0.0, reason: str | None = None, **more: Any) -> Arrival:
    event = Event(repository="p/addons/hello", left_out="other repository" if verdict == "ignored" else None)
    own = {"reason": reason, "address": "127.0.0.1", "origin": None, "events": (event,), "size": 0, **more}
    return Arrival(id=1, received=NOW - before, answered=None, sender="zot", verdict=verdict, **own)


def journal(*arrivals: Arrival, health: Health = HEALTH) -> dict[str, tuple[str, str | None]]:
    return {one.check: (one.text, one.remedy) for one in judge_journal(health, heard(arrivals), now=NOW)}


def test_what_was_refused_is_told_with_the_setting_to_compare() -> None:
    """The commonest fault of all: a wrong token."""
    found = journal(
        arrival("refused", before=60, reason=NO_CREDENTIAL, count=20),
        arrival("refused", before=120, reason=NO_CREDENTIAL, address="10.0.0.7", count=8),
        arrival("refused", reason=NO_CREDENTIAL, origin=DOCTOR),
    )
    text, remedy = found["journal.refused"]
    assert text == (
        "28 deliveries were refused in the last 24 hours, the last 1 minute ago from 127.0.0.1: "
        "a valid credential is required"
    )
    assert "compare ADDON_SYNC_TOKEN" in str(remedy)
    assert "nothing was let in" in found["journal.entries"][0]
    assert "--verdict refused" in str(journal(arrival("refused", reason="too large"))["journal.refused"][1])


def test_what_arrived_is_told_from_what_was_of_use() -> None:
    """A registry that is connected with the wrong prefix is not one that says nothing; doctor is no registry."""
    assert "nothing has arrived yet" in journal()["journal.entries"][0]
    old = replaced(HEALTH, newest=NOW - 1e6)
    assert "nothing has arrived in the last 24 hours" in journal(health=old)["journal.entries"][0]
    text, _ = journal(arrival("ignored", count=3))["journal.entries"]
    assert "3 deliveries in the last 24 hours, all ignored (other repository, such as p/addons/hello)" in text
    trial = arrival("accepted", events=(Event(repository="addons/a", actor=DOCTOR),))
    text, _ = journal(arrival("accepted", before=7200), arrival("ignored"), trial)["journal.entries"]
    assert text.endswith("the last delivery 2 hours ago")


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
