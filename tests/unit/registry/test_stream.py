"""A body in large chunks, bounded in size and in patience."""

from collections.abc import Awaitable, Callable

import pytest

from receiver.errors import Unavailable
from receiver.registry.stream import DEADLINE, GRACE, MIN_CHUNK, MIN_RATE, chunks


class Body:
    """Gives parts, each after ``seconds`` of waiting."""

    def __init__(self, parts: list[bytes], *, seconds: float = 0.0) -> None:
        self.now = 0.0
        self.reads = 0
        self._parts = parts
        self._seconds = seconds

    async def read(self) -> bytes:
        self.reads += 1
        self.now += self._seconds
        return self._parts.pop(0) if self._parts else b""


async def collect(body: Body, *, limit: int, read: Callable[[], Awaitable[bytes]] | None = None) -> list[bytes]:
    return [chunk async for chunk in chunks(read or body.read, limit=limit, clock=lambda: body.now)]


async def test_small_parts_are_gathered() -> None:
    """A thousand parts of a kilobyte become a handful of chunks; nothing is lost or reordered."""
    parts = [bytes([number % 256]) * 1000 for number in range(1000)]

    found = await collect(Body(list(parts)), limit=10**9)

    assert b"".join(found) == b"".join(parts)
    assert len(found) == 4
    assert all(MIN_CHUNK <= len(chunk) <= MIN_CHUNK + 1000 for chunk in found[:-1])


async def test_no_byte_beyond_the_limit_is_handed_on() -> None:
    """An endless body ends after the limit, and is not read on (hazards "Size")."""
    body = Body([b"x" * 10] * 100)

    assert await collect(body, limit=25) == [b"x" * 25]
    assert body.reads == 3


async def test_a_drip_ends() -> None:
    """A byte a second is given up soon after the grace period (hazards J14)."""
    body = Body([b"x"] * 10_000, seconds=1.0)

    with pytest.raises(Unavailable, match="bytes a second"):
        await collect(body, limit=10**6)
    assert GRACE < body.now < GRACE + 2


async def test_a_slow_line_passes() -> None:
    """Just over the minimum rate is fast enough."""
    parts = [b"x" * (int(MIN_RATE) + 1)] * 200

    assert sum(map(len, await collect(Body(parts, seconds=1.0), limit=10**9))) == 200 * (int(MIN_RATE) + 1)


async def test_a_slow_disk_is_not_the_registry_s_fault() -> None:
    """Only the time spent waiting for the registry counts, not that between two reads."""
    body = Body([b"x" * MIN_CHUNK] + [b"x"] * 3)

    found = []
    async for chunk in chunks(body.read, limit=10**9, clock=lambda: body.now):
        found.append(chunk)
        body.now += 10_000
    assert len(found) == 2


async def test_the_end_is_no_drip() -> None:
    """A blob that is complete is not given up for having been slow at its end."""
    assert await collect(Body([b"x"], seconds=GRACE * 0.6), limit=100) == [b"x"]


async def test_a_body_ends_at_the_deadline() -> None:
    """Just above the minimum rate, for ever: no worker is held for a day (hazards J14, "total deadline")."""
    body = Body([b"x" * (2 * int(MIN_RATE))] * 10_000, seconds=1.0)

    with pytest.raises(Unavailable, match="the whole"):
        await collect(body, limit=10**9)
    assert DEADLINE < body.now < DEADLINE + 2


async def test_what_has_arrived_is_handed_on_before_the_error() -> None:
    """So that the next try can ask for the rest."""
    body = Body([b"x" * 10] * 3)

    async def read() -> bytes:
        return await body.read() or await cut()

    async def cut() -> bytes:
        raise Unavailable("cut")

    parts = chunks(read, limit=100, clock=lambda: 0.0)
    assert await anext(parts) == b"x" * 30
    with pytest.raises(Unavailable, match="cut"):
        await anext(parts)
