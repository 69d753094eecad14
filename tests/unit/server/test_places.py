"""Who keeps its place, and who goes for a newcomer."""

import random

import pytest

from receiver.server.places import Places, Standing

STRANGER, FAMILIAR, SENDER = Standing


def places(count: int) -> tuple[Places[str], list[str]]:
    gone: list[str] = []
    return Places(count, evict=gone.append), gone


def test_below_the_cap_nobody_goes() -> None:
    """However long somebody idles."""
    found, gone = places(3)
    assert [found.take(name, STRANGER) for name in "abc"] == [True] * 3
    assert gone == []
    assert len(found) == 3


def test_the_one_that_idles_for_longest_goes_first() -> None:
    """Who asked for something since is behind those who did not."""
    found, gone = places(3)
    for name in "abc":
        found.take(name, STRANGER)
    found.begin("a")
    found.end("a", STRANGER)
    for name in "def":
        assert found.take(name, STRANGER)
    assert gone == ["b", "c", "a"]
    assert len(found) == 3


def test_strangers_go_before_whoever_is_known() -> None:
    """Even if the sender idles for longer."""
    found, gone = places(3)
    found.take("sender", STRANGER)
    found.begin("sender")
    found.end("sender", SENDER)
    found.take("familiar", FAMILIAR)
    for name in "abcd":
        found.take(name, STRANGER)
    assert gone == ["a", "b", "c"]
    found.leave("d")
    for name in "ef":
        found.take(name, FAMILIAR)
    assert gone == ["a", "b", "c", "familiar"]


def test_an_idle_sender_goes_where_there_is_nobody_else() -> None:
    """A new one is more likely to have something to say."""
    found, gone = places(1)
    found.take("old", SENDER)
    assert found.take("new", STRANGER)
    assert gone == ["old"]


def test_who_is_at_work_stays_and_the_newcomer_does_not() -> None:
    """An answer that is owed is not thrown away."""
    found, gone = places(2)
    for name in "ab":
        found.take(name, STRANGER)
        found.begin(name)
    assert not found.take("c", SENDER)
    found.end("b", STRANGER)
    assert found.take("c", STRANGER)
    assert gone == ["b"]


def test_who_left_is_not_there_any_more() -> None:
    """Whatever happens to it after that: its place may be another's."""
    found, gone = places(1)
    found.take("a", STRANGER)
    found.leave("a")
    found.leave("a")
    found.begin("a")
    found.end("a", SENDER)
    assert len(found) == 0
    found.take("b", STRANGER)
    found.take("c", STRANGER)
    assert gone == ["b"]


@pytest.mark.parametrize("round_", range(20))
def test_the_cap_holds_whatever_happens(round_: int, seeded: random.Random) -> None:
    """Nobody is counted twice, evicted twice, or evicted at work."""
    found, gone = places(5)
    here: dict[str, bool] = {}
    chance = random.Random(seeded.random() + round_)
    for number in range(400):
        name = chance.choice([*here, "new"])
        if name == "new":
            if found.take(str(number), STRANGER):
                here[str(number)] = False
        elif chance.random() < 0.3:
            found.leave(name)
            del here[name]
        else:
            here[name] = not here[name]
            if here[name]:
                found.begin(name)
            else:
                found.end(name, chance.choice(list(Standing)))
        while gone:
            assert here.pop(gone.pop()) is False
        assert len(found) == len(here) <= 5
