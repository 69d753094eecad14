"""A host beside the registry that does not answer is spared, and no other for its sake."""

import socket

import pytest

from receiver.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Breaker
from receiver.errors import Unavailable
from receiver.registry.location import Location, Origin
from receiver.registry.transport import Transport


def test_a_few_failures_in_a_row_spare_a_host_and_an_answer_ends_that() -> None:
    """The pauses grow to a bound."""
    breaker, now, pauses = Breaker(), 0.0, []
    for _ in range(FAILURES + 4):
        breaker.failed(now)
        pauses.append(breaker.wait(now))
        now += breaker.wait(now)
    assert pauses == [0.0] * (FAILURES - 1) + [FIRST_PAUSE, 10.0, 20.0, LONGEST_PAUSE, LONGEST_PAUSE]
    breaker.answered()
    breaker.failed(now)
    assert breaker.wait(now) == 0.0


@pytest.fixture
def closed() -> Origin:
    """A port of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Origin("http", "127.0.0.1", free.getsockname()[1])


async def test_a_host_that_the_registry_names_is_not_asked_for_ever(closed: Origin) -> None:
    """A fourth addon is told at once that it was not asked."""
    registry = Origin("http", "127.0.0.1", 1)
    transport = Transport(registry, tls=None, user_agent="test")
    for _ in range(FAILURES):
        with pytest.raises(Unavailable, match="127"):
            await transport.send("GET", Location.parse(f"{closed}/token"), {})
    with pytest.raises(Unavailable, match="was not asked: it does not answer"):
        await transport.send("GET", Location.parse(f"{closed}/token"), {})
    for _ in range(FAILURES + 1):
        with pytest.raises(Unavailable) as raised:
            await transport.send("GET", Location.parse(f"{registry}/v2/"), {})
        assert "not asked" not in str(raised.value)
    await transport.close()


async def test_a_registry_that_names_many_hosts_fills_no_memory(closed: Origin) -> None:
    """Only so many are remembered."""
    transport = Transport(Origin("http", "127.0.0.1", 1), tls=None, user_agent="test")
    for port in range(2, 90):
        with pytest.raises(Unavailable):
            await transport.send("GET", Location.parse(f"http://127.0.0.1:{port}/"), {})
    assert len(transport._breakers) == 64
    await transport.close()
