"""Entries of the journal as programs read them: each kind with what it holds, and what another version wrote too."""

from receiver.document import encode, outward
from receiver.sync.chronicle import Deed, written
from receiver.sync.documents import entry_document
from receiver.sync.operations import Changed, Verified
from receiver.sync.outcome import Outcome, Surveyed
from receiver.tasks.journal import Activity, Arrival, Done, Event
from receiver.tasks.task import Trigger

ARRIVAL = Arrival(
    id=7,
    received=1.0,
    answered=1.5,
    sender="zot",
    verdict="accepted",
    reason=None,
    address="192.0.2.1",
    origin=None,
    events=(Event(repository="addons/a", tag="v1"),),
    size=10,
)
OUTCOME = Outcome(repository="addons/a", status="installed", trigger=Trigger.EVENT, asked=1.0, started=1.0, duration=1)


def done(deed: Deed) -> dict[str, object]:
    found: dict[str, object] = outward(entry_document(Done(id=8, activity=written(deed, at=2.0))))
    return found


def test_a_delivery_tells_when_it_came_and_was_answered() -> None:
    """Both as times."""
    found = outward(entry_document(ARRIVAL))
    assert (found["kind"], found["id"]) == ("delivery", 7)
    assert (found["received"], found["answered"]) == ("1970-01-01T00:00:01.000Z", "1970-01-01T00:00:01.500Z")
    assert found["events"][0]["tag"] == "v1"


def test_each_kind_of_activity_holds_what_was_done() -> None:
    """A program that knows the kind knows the members."""
    sync, poll = done(OUTCOME), done(Surveyed(started=1.0, duration=1.0))
    changed, repaired = (
        done(Changed(repository="addons/a", action="held")),
        done(Verified(repository="addons/a", repaired=True)),
    )
    assert (sync["kind"], sync["outcome"], sync["detail"]["status"]) == ("sync", "installed", "installed")  # type: ignore[index]
    assert (poll["kind"], poll["detail"]["unchanged"]) == ("poll", 0)  # type: ignore[index]
    assert (changed["kind"], changed["detail"]["action"]) == ("operation", "held")  # type: ignore[index]
    assert (repaired["kind"], repaired["detail"]["repaired"]) == ("operation", True)  # type: ignore[index]


def test_what_another_version_wrote_is_listed_without_details() -> None:
    """An update of the program hides no entry."""
    strange = Activity(at=1.0, kind="sync", outcome="tried", repository="addons/a", document=encode({"status": "odd"}))
    found = outward(entry_document(Done(id=9, activity=strange)))
    assert (found["outcome"], found["detail"]) == ("tried", None)
