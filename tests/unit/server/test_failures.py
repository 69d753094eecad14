"""Addresses that guess."""

import pytest

from receiver.server import failures
from receiver.server.failures import Failures, is_loopback

STRANGER = "192.0.2.7"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counts(clock: Clock) -> Failures:
    return Failures(allowed=3, within=60, barred_for=30, trusted_for=600, clock=clock)


def test_the_last_failure_that_is_allowed_bars_the_address_for_a_while(counts: Failures, clock: Clock) -> None:
    """It is told once, and it ends by itself."""
    assert [counts.failed(STRANGER) for _ in range(3)] == [False, False, True]
    assert counts.bars(STRANGER)
    assert not counts.bars("192.0.2.8")
    clock.now += 29.9
    assert counts.bars(STRANGER)
    clock.now += 0.1
    assert not counts.bars(STRANGER)
    assert [counts.failed(STRANGER) for _ in range(3)] == [False, False, True]


def test_failures_over_a_long_time_are_forgotten(counts: Failures, clock: Clock) -> None:
    """A sender with a wrong token keeps getting its 401, which tells what is wrong."""
    for _ in range(10):
        assert [counts.failed(STRANGER) for _ in range(2)] == [False, False]
        clock.now += 61


def test_an_address_that_authenticated_is_not_barred(counts: Failures, clock: Clock) -> None:
    """Behind a proxy, a stranger must not silence a sender."""
    counts.succeeded(STRANGER)
    assert not any(counts.failed(STRANGER) for _ in range(100))
    clock.now += 599
    assert counts.trusts(STRANGER)
    assert not counts.failed(STRANGER)
    clock.now += 1
    assert not counts.trusts(STRANGER)
    assert [counts.failed(STRANGER) for _ in range(3)] == [False, False, True]


def test_a_success_forgets_the_failures_before_it(counts: Failures, clock: Clock) -> None:
    """A mistyped token that was corrected is no attack."""
    counts.failed(STRANGER)
    counts.failed(STRANGER)
    counts.succeeded(STRANGER)
    clock.now += 600
    assert not counts.failed(STRANGER)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_never_barred(counts: Failures, address: str) -> None:
    """A proxy on this machine speaks for everybody."""
    assert not any(counts.failed(address) for _ in range(100))
    assert not counts.bars(address)
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["", "nonsense", "192.0.2.1", "2001:db8::1", "fe80::1%eth0"])
def test_everything_else_is_not_loopback(counts: Failures, address: str) -> None:
    """A client that went away before it was looked at has no address at all."""
    assert not is_loopback(address)
    assert [counts.failed(address) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("192.0.2.7", "192.0.2.6", False),
    ],
)
def test_addresses_that_one_client_may_choose_from_count_as_one(
    counts: Failures, one: str, other: str, same: bool
) -> None:
    """A subscriber has 2^64 of them."""
    for _ in range(3):
        counts.failed(one)
    assert counts.bars(other) is same


def test_a_flood_of_addresses_does_not_fill_the_memory(counts: Failures, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten."""
    monkeypatch.setattr(failures, "_MAX_ADDRESSES", 10)
    for number in range(100):
        for _ in range(2):
            counts.failed(f"10.0.0.{number}")
        for _ in range(3):
            counts.failed(f"10.0.1.{number}")
        counts.succeeded(f"10.0.2.{number}")
    assert max(len(known) for known in (counts._counts, counts._barred, counts._trusted)) == 10
    assert counts.bars("10.0.1.99")
    assert not counts.bars("10.0.1.0")
