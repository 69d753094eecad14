"""What the guide to upgrading promises of the state folder, as a user meets it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from receiver.tasks.database import MIGRATIONS, open_database
from tests.support.system import Host

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """With a state folder, and a registry that is not there."""
    host = Host(tmp_path / "host", NOWHERE)
    host.state.mkdir(mode=0o700)
    return host


def version(host: Host) -> int:
    with closing(sqlite3.connect(host.state / "queue.sqlite")) as connection:
        number: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return number


def test_the_queue_of_the_first_version_is_brought_forward_and_its_tasks_stay(host: Host) -> None:
    """By the first command that opens it."""
    with closing(sqlite3.connect(host.state / "queue.sqlite")) as connection:
        connection.executescript(f"{MIGRATIONS[0]()}\nPRAGMA user_version = 1;")
        connection.execute(
            "INSERT INTO task (repository, state, trigger, revives, created, due, attempts, looks, force)"
            " VALUES ('addons/monitoring', 'queued', 'event', 0, 1, 1, 0, 0, 0)"
        )
        connection.commit()
    (row,) = host.json("status", "--offline")
    assert (row["repository"], row["standing"]) == ("addons/monitoring", "queued")
    assert version(host) == len(MIGRATIONS)


@pytest.mark.parametrize("command", ["serve", "poll"])
def test_an_older_program_does_not_touch_a_newer_state_folder(host: Host, command: str) -> None:
    """It ends with the exit code and the line of the guide, and the file is as it was."""
    with closing(open_database(host.state / "queue.sqlite")) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = (host.state / "queue.sqlite").read_bytes()
    done = host.run(command)
    said = f"[AddonSync][ERROR] the queue {host.state / 'queue.sqlite'} was written by a newer addon-sync (version "
    assert said in done.stdout
    assert done.returncode == 1
    assert (host.state / "queue.sqlite").read_bytes() == before
