"""A wrong credential is told at once, and no sender and no stranger fills the log or the memory."""

from receiver.server.refusals import Refusal, Refusals


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_is_told_then_one_an_hour_with_their_number() -> None:
    """A registry with a wrong token tries again and again; loopback is no exception."""
    clock = Clock()
    refusals = Refusals(clock)
    assert refusals.count("127.0.0.1") == Refusal("127.0.0.1", 1, 0.0)
    assert [refusals.count("127.0.0.1") for _ in range(27)] == [None] * 27
    assert refusals.count("10.0.0.7") == Refusal("10.0.0.7", 1, 0.0)
    clock.now += 3660.0
    assert refusals.count("127.0.0.1") == Refusal("127.0.0.1", 28, 3660.0)
    assert refusals.count("127.0.0.1") is None
    clock.now += 3600.0
    assert refusals.count("127.0.0.1") == Refusal("127.0.0.1", 2, 3600.0)


def test_a_clock_that_is_put_back_silences_nobody() -> None:
    """For an hour at most."""
    clock = Clock()
    refusals = Refusals(clock)
    refusals.count("10.0.0.7")
    clock.now -= 10_000.0
    assert refusals.count("10.0.0.7") is not None
    assert refusals.count("10.0.0.7") is None


def test_many_addresses_are_told_as_one() -> None:
    """One IPv6 subscriber has more of them than there is memory."""
    clock = Clock()
    refusals = Refusals(clock)
    assert sum(refusals.count(f"2001:db8::{number:x}") is not None for number in range(500)) == 1
    told = [refusals.count(f"10.1.{number // 250}.{number % 250}") for number in range(5000)]
    lines = [refusal for refusal in told if refusal is not None]
    assert len(lines) == 64
    assert lines[-1].address == "another address"
    assert len(refusals._known) == 65
    clock.now += 3601.0
    assert refusals.count("10.9.9.9") == Refusal("10.9.9.9", 1, 0.0)
    assert len(refusals._known) == 1


def test_who_goes_on_is_remembered_where_room_is_made() -> None:
    """Else it would be told as new, and how often it tried would be lost."""
    clock = Clock()
    refusals = Refusals(clock)
    for number in range(64):
        refusals.count(f"10.0.0.{number}")
    clock.now += 3000.0
    refusals.count("10.0.0.7")
    clock.now += 601.0
    assert refusals.count("10.9.9.9") == Refusal("10.9.9.9", 1, 0.0)
    assert refusals.count("10.0.0.7") == Refusal("10.0.0.7", 2, 3601.0)
    assert refusals.count("10.0.0.8") == Refusal("10.0.0.8", 1, 0.0)


def test_a_clock_that_is_put_back_leaves_room_for_others() -> None:
    """What was heard in the future is not of late."""
    clock = Clock()
    refusals = Refusals(clock)
    for number in range(64):
        refusals.count(f"10.0.0.{number}")
    clock.now -= 10_000.0
    assert refusals.count("10.9.9.9") == Refusal("10.9.9.9", 1, 0.0)
