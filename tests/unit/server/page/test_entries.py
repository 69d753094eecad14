"""The journal as lines: what arrived and what was done, in words."""

import pytest

from receiver.catalog.release import Drift
from receiver.server.page.entries import Line, folded, lines, spoken
from receiver.sync.chronicle import Deed, written
from receiver.sync.operations import Changed, Verified
from receiver.sync.outcome import Surveyed
from receiver.tasks.journal import Activity, Arrival, Done, Event, Verdict
from tests.support.outcomes import outcome


def arrival(number: int = 1, verdict: Verdict = "accepted", *events: Event, **more: object) -> Arrival:
    fields = {
        "id": number,
        "received": 1.0,
        "answered": 1.0,
        "sender": "harbor",
        "verdict": verdict,
        "reason": None,
        "address": None,
        "origin": None,
        "events": events,
        "size": 0,
        **more,
    }
    return Arrival(**fields)  # type: ignore[arg-type] # the names are those of Arrival


def done(deed: Deed) -> Done:
    return Done(id=3, activity=written(deed, at=2.0))


def line(entry: Arrival | Done) -> Line:
    (found,) = lines([entry])
    return found


def test_an_arrival_says_who_pushed_what() -> None:
    """And is replayable where its body is kept."""
    events = [Event(repository="addons/monitoring", tag="v1.1.0", actor="alice")]
    found = line(arrival(7, "accepted", *events, size=100, address="192.0.2.7"))
    assert (found.number, found.word, found.names, found.replayable) == (7, "accepted", ("monitoring",), True)
    assert found.text == "v1.1.0 pushed by alice, says harbor"
    assert found.facts == ("sent by 192.0.2.7",)
    assert spoken(found) == "monitoring: accepted, v1.1.0 pushed by alice, says harbor"
    assert not line(arrival(8, "duplicate", *events)).replayable


def test_a_deletion_does_not_read_as_a_push() -> None:
    """Nor do pushes in the same delivery read as deletions."""
    gone = Event(repository="addons/monitoring", tag="v1.0.0", actor="alice", deleted=True)
    push = Event(repository="addons/monitoring", tag="v1.1.0", actor="alice")
    assert line(arrival(7, "accepted", gone)).text == "v1.0.0 deleted by alice, says harbor"
    assert line(arrival(7, "accepted", gone, push)).text == "v1.1.0 pushed, v1.0.0 deleted by alice, says harbor"


def test_many_addons_in_one_delivery_are_counted() -> None:
    """A line stays a line."""
    events = [Event(repository=f"addons/a{number}", tag=f"v{number}") for number in range(5)]
    found = line(arrival(1, "accepted", *events))
    assert (found.names, found.more) == (("a0", "a1", "a2"), 2)
    assert found.text == "v0, v1, v2 … pushed, says harbor"


def test_what_concerned_nobody_is_one_line_in_a_row() -> None:
    """A registry tells of every blob; between two pushes that is one line, however many there were."""
    noise = Event(repository="addons/a", left_out="blob")
    pull = Event(repository="addons/a", left_out="pull")
    push = Event(repository="addons/a", tag="v1")
    entries = [
        arrival(9, "ignored", noise),
        arrival(8, "ignored", pull, count=5),
        arrival(7, "ignored", noise),
        arrival(6, "accepted", push),
        arrival(5, "ignored", noise),
        arrival(4, "accepted", push),
    ]
    found = folded(entries, most=3)
    assert [(each.number, each.word, each.count) for each in found] == [
        (7, "ignored", 7),
        (6, "accepted", 1),
        (5, "ignored", 1),
    ]
    assert found[0].left_out == ("blob", "pull")
    assert spoken(found[0]) == ""


@pytest.mark.parametrize(
    ("deed", "word", "tone", "text"),
    [
        (outcome(tag="v1", files=8, fetched=800), "installed", "good", "v1, 8 files, 800 B fetched, 0.50 s"),
        (outcome(status="unchanged", tag="v1"), "unchanged", "plain", "v1, nothing to do"),
        (outcome(status="failed", error="it broke", parked=True), "failed", "bad", "it broke"),
        (outcome(status="absent", error="no tag"), "absent", "warn", "no tag"),
        (Surveyed(started=1.0, duration=1.0, unchanged=3), "looked", "plain", "at all addons: 0 changed, 3 unchanged"),
        (
            Surveyed(started=1.0, duration=1.0, unchanged=3, absent=("addons/a",)),
            "looked",
            "plain",
            "at all addons: 0 changed, 3 unchanged, 1 of them not in the registry",
        ),
        (Surveyed(started=1.0, duration=1.0, error="away"), "failed", "bad", "away"),
        (Changed(repository="addons/a", action="held", tag="v1"), "held", "held", "v1"),
        (Changed(repository="addons/a", action="discarded"), "discarded", "plain", "by a person"),
        (Verified(repository="addons/a", error="gone"), "failed", "bad", "gone"),
        (
            Verified(repository="addons/a", drift=(Drift(path="a", problem="changed"),), repaired=True),
            "repaired",
            "good",
            "1 files had changed",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_every_deed_has_its_words(deed: Deed, word: str, tone: str, text: str) -> None:
    """The same that the commands use."""
    found = line(done(deed))
    assert (found.word, found.tone, found.text) == (word, tone, text)


def test_an_entry_of_another_version_is_a_line_too() -> None:
    """The rest of the journal stays readable."""
    activity = Activity(at=1.0, kind="sync", outcome="installed", repository="addons/a", document=b"{}")
    assert "another version" in line(Done(id=1, activity=activity)).text
