"""Entries of the journal as lines: every kind of them, and nothing in them that a terminal would obey."""

import pytest

from receiver.cli.entries import HEADER, pushed, row
from receiver.cli.output import Table, print_table
from receiver.document import replaced
from receiver.sync.chronicle import Deed, written
from receiver.sync.operations import Changed
from receiver.tasks.journal import Activity, Arrival, Done, Entry, Event
from tests.support.outcomes import outcome
from tests.support.sync_fakes import NOW
from tests.unit.sync.test_chronicle import DEEDS
from tests.unit.sync.test_wire import ARRIVAL, STATUS

HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\n\u202e\u2028\x9b31m\x00 x"


@pytest.mark.parametrize(
    ("deed", "kind", "outcome"), DEEDS, ids=lambda value: getattr(value, "action", str(value)[:20])
)
def test_every_kind_of_deed_is_a_row(deed: Deed, kind: str, outcome: str) -> None:
    """With a word for what it was."""
    number, _, what, addon, detail = row(Done(id=7, activity=written(deed, at=NOW)))
    assert number == "7"
    assert what == (outcome if kind == "operation" else f"{kind} {outcome}")
    assert addon == ("" if kind == "poll" else "addons/a")
    assert detail or isinstance(deed, Changed)


@pytest.mark.parametrize("verdict", ["accepted", "duplicate", "ignored", "quarantined", "refused", "replayed"])
def test_every_verdict_is_a_row(verdict: str) -> None:
    """With sender, address, reason, origin, and what each event was."""
    arrival = Arrival(
        id=7,
        received=NOW,
        answered=NOW,
        sender="zot",
        verdict=verdict,  # type: ignore[arg-type] # one of the list above
        reason="a reason",
        address="10.0.0.7",
        origin="delivery 3",
        events=(Event(repository="addons/a", tag="v1", actor="alice"), Event(repository="x/y", left_out="pull")),
        size=0,
    )
    assert row(arrival)[2:] == (
        verdict,
        "addons/a, x/y",
        "zot at 10.0.0.7; a reason; from delivery 3; v1 by alice; no tag (pull)",
    )


def test_a_deletion_does_not_read_as_a_push() -> None:
    """Who did it, and to what."""
    gone = Event(repository="addons/a", tag="v1", actor="alice", deleted=True)
    arrival = replaced(ARRIVAL, verdict="accepted", address=None, reason=None, origin=None, count=1, events=(gone,))
    assert row(arrival)[3:] == ("addons/a", "zot; v1 deleted by alice")


def test_many_alike_are_one_row_with_their_number() -> None:
    """Somebody tries tokens."""
    assert "zot at 10.0.0.7, 500 times" in row(ARRIVAL)[4]


def test_what_another_version_wrote_is_a_row_too() -> None:
    """Its numbers, and that it cannot be read."""
    done = Done(id=7, activity=Activity(at=NOW, kind="sync", outcome="new", repository="addons/a", document=b"[]"))
    assert row(done)[2:] == ("sync new", "addons/a", "written by another version of addon-sync")


def test_nothing_in_a_row_is_obeyed_by_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Reasons and errors quote what came from outside; one row stays one line."""
    hostile = Event(repository=HOSTILE, tag=HOSTILE, actor=HOSTILE, left_out=HOSTILE)
    failed = outcome("failed", at=NOW, error=HOSTILE)
    entries: list[Entry] = [
        Arrival(
            id=1,
            received=NOW,
            answered=None,
            sender=HOSTILE,
            verdict="quarantined",
            reason=HOSTILE,
            address=HOSTILE,
            origin=HOSTILE,
            events=(hostile,),
            size=1,
        ),
        Done(id=2, activity=written(failed, at=NOW)),
        Done(id=3, activity=written(Changed(repository="addons/a", action="held", note=HOSTILE), at=NOW)),
    ]
    print_table(HEADER, [row(entry) for entry in entries])
    table = Table(HEADER)
    for entry in entries:
        table.print_next(row(entry))
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == 2 * (1 + len(entries)) + 1
    assert all(line.isprintable() for line in lines)


def test_who_pushed_and_when() -> None:
    """The actor, where the sender tells one."""
    assert pushed(None, NOW) == ""
    assert pushed(STATUS.last_event, 61.5) == "by Zoë, 1 m ago"
