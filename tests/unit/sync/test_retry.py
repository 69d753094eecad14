"""Again, later, or never."""

import pytest

from receiver.errors import (
    AccessDenied,
    DigestMismatch,
    InstallError,
    InvalidManifest,
    InvalidNameError,
    NotInRegistry,
    ProtocolViolation,
    RateLimited,
    ReceiverError,
    SizeMismatch,
    Unavailable,
    UnsafeArchive,
    UnsupportedContent,
)
from receiver.sync.retry import BASE_DELAY, MAX_DELAY, Park, Retry, after_failure


@pytest.mark.parametrize("error", [Unavailable("x"), AccessDenied("x"), NotInRegistry("x"), InstallError("x")])
def test_what_time_or_an_operator_cures_is_tried_for_ever(error: ReceiverError) -> None:
    """However often it failed, at most five minutes apart."""
    for attempts in (1, 2, 50, 10_000):
        decision = after_failure(error, attempts, alike=attempts, jitter=1.0)
        assert isinstance(decision, Retry)
        assert decision.delay == min(MAX_DELAY, BASE_DELAY * 2 ** (min(attempts, 20) - 1))


@pytest.mark.parametrize("jitter", [0.0, 0.25, 1.0])
def test_the_jitter_is_full(jitter: float) -> None:
    """From nothing to the ceiling."""
    assert after_failure(Unavailable("x"), 3, alike=3, jitter=jitter) == Retry(jitter * BASE_DELAY * 4)


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_rate_limits_are_kept_to(jitter: float) -> None:
    """Never earlier than asked."""
    decision = after_failure(RateLimited("x", retry_after=240.0), 9, alike=9, jitter=jitter)
    assert decision == Retry(240.0 + jitter * BASE_DELAY)


@pytest.mark.parametrize(
    "error", [UnsafeArchive("why"), InvalidManifest("why"), InvalidNameError("why"), UnsupportedContent("why")]
)
def test_what_only_a_push_cures_is_parked_at_once(error: ReceiverError) -> None:
    """With its reason."""
    assert after_failure(error, 1, alike=1, jitter=0.5) == Park("why")


@pytest.mark.parametrize(
    ("error", "most"), [(DigestMismatch("x"), 3), (SizeMismatch("x"), 3), (ProtocolViolation("x"), 5)]
)
def test_what_transport_may_have_broken_is_tried_a_few_times(error: ReceiverError, most: int) -> None:
    """A broken proxy is cured by repetition, a broken blob is not."""
    decisions = [after_failure(error, attempts + 20, alike=attempts, jitter=0.5) for attempts in range(1, most + 2)]
    assert [isinstance(decision, Park) for decision in decisions] == [False] * (most - 1) + [True, True]
