"""Counts of what a request came to, however much of it is listed."""

from receiver.document import replaced as replace
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.replayed import Replayed
from receiver.sync.tally import Summary, Tally
from receiver.tasks.task import Trigger

OUTCOME = Outcome(repository="addons/a", status="installed", trigger=Trigger.EVENT, asked=1.0, started=1.0, duration=1)


def test_what_is_not_listed_is_counted() -> None:
    """Memory is bounded, and the counts are right."""
    tally = Tally(most=1)
    for status in ("installed", "unchanged", "failed"):
        tally.add(replace(OUTCOME, status=status))
    result = tally.result()
    assert result.summary == Summary(synced=1, skipped=1, failed=1)
    assert (len(result.addons), result.left_out, tally.has_failed) == (1, 2, True)


def test_an_addon_that_was_named_and_is_not_there_is_a_failure() -> None:
    """In a list of all it is none."""
    absent = replace(OUTCOME, status="absent")
    for named, failed in ((True, 1), (False, 0)):
        tally = Tally(named=named)
        tally.add(absent)
        assert tally.result().summary == Summary(synced=0, skipped=1 - failed, failed=failed)


def test_a_registry_that_cannot_be_asked_and_a_delivery_that_cannot_be_read_are_failures() -> None:
    """Nothing was synced, which must not look like nothing to do."""
    surveyed, replayed = Tally(), Tally()
    surveyed.add(Surveyed(started=1.0, duration=1.0, error="no registry"))
    replayed.add(Replayed(problems=["delivery 1: gone"]))
    assert surveyed.has_failed
    assert surveyed.result().errors == ("no registry",)
    assert replayed.has_failed
