"""Event identifiers of late."""

from receiver.tasks.limits import DUPLICATE_WINDOW
from receiver.tasks.recent import Recent

A, B = ("distribution", "a"), ("distribution", "b")


def test_what_was_not_settled_can_be_undone() -> None:
    """An event that was refused with 503 comes again, and must not be taken for a duplicate."""
    recent = Recent(10)
    recent.add(A, 1.0)
    recent.settle()
    recent.add(A, 2.0 + DUPLICATE_WINDOW)
    recent.add(B, 2.0)
    recent.undo()
    assert recent.is_duplicate(A, 3.0)
    assert not recent.is_duplicate(A, 1.0 + DUPLICATE_WINDOW)
    assert not recent.is_duplicate(B, 3.0)


def test_what_was_settled_stays() -> None:
    """A later rollback does not reach it."""
    recent = Recent(10)
    recent.add(A, 1.0)
    recent.settle()
    recent.undo()
    assert recent.is_duplicate(A, 2.0)


def test_the_oldest_are_forgotten_beyond_the_limit() -> None:
    """A flood of identifiers costs bounded memory; one that came anew is young again."""
    recent = Recent(10)
    for number in range(5000):
        recent.add(("distribution", str(number)), 1.0)
        if number == 1000:
            recent.add(A, 1.0)
        recent.add(A, 1.0)
        recent.settle()
        assert len(recent) <= 10 + 1024
    assert recent.is_duplicate(A, 1.0)
    assert recent.is_duplicate(("distribution", "4999"), 1.0)
    assert not recent.is_duplicate(("distribution", "0"), 1.0)
