"""Followers of the journal: bounded, caught up from the journal itself, and read for only while they are there."""

import asyncio
from collections.abc import Sequence

import pytest

from receiver.errors import QueueUnavailable
from receiver.server.api.following import Follower, Following
from receiver.tasks.journal import Activity, Done, Entry
from tests.support.sync_fakes import until


class Numbers:
    """A journal of numbers."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)
        self.told = asyncio.Event()
        self.broken = False
        self.reads = 0

    def add(self, *numbers: int) -> None:
        self.numbers += numbers
        self.told.set()

    async def after(self, number: int, *, limit: int) -> Sequence[Entry]:
        await asyncio.sleep(0)
        self.reads += 1
        if self.broken:
            raise QueueUnavailable("gone")
        return [entry(each) for each in self.numbers if each > number][:limit]

    async def newest(self) -> int:
        await asyncio.sleep(0)
        return max(self.numbers, default=-1)

    async def news(self, seconds: float) -> None:
        self.told.clear()
        await asyncio.wait_for(self.told.wait(), seconds)


def entry(number: int) -> Done:
    return Done(id=number, activity=Activity(at=1.0, kind="poll", outcome="looked", repository=None, document=b"{}"))


async def test_a_follower_that_takes_nothing_keeps_nothing_and_misses_nothing() -> None:
    """What no longer fits is dropped, and read from the journal when it goes on."""
    source = Numbers()
    following, follower = Following(source, most=1), Follower(buffer=3)
    pieces = following.follow(follower, after=-1, heartbeat=10.0)
    found: list[int] = []
    coming = asyncio.ensure_future(anext(pieces))
    await asyncio.sleep(0.01)
    for number in range(10):
        source.add(number)
        await asyncio.sleep(0.002)
    assert len(follower._waiting) <= 3
    found += [each.id for each in (await coming)[1]]
    while len(found) < 10:
        found += [each.id for each in (await anext(pieces))[1]]
    assert found == list(range(10))
    await pieces.aclose()


async def test_silence_is_told_with_the_place_and_an_end_ends() -> None:
    """The number goes on where nothing is lost by it."""
    following, follower = Following(Numbers(3), most=1), Follower()
    pieces = following.follow(follower, after=3, heartbeat=0.01)
    assert await anext(pieces) == (3, [])
    follower.end()
    assert [piece async for piece in pieces] == []
    assert len(following) == 0


async def test_nobody_reads_where_nobody_follows() -> None:
    """And the next one begins anew, behind what it names."""
    source = Numbers(1, 2)
    following = Following(source, most=2)
    for after in (0, 1):
        pieces = following.follow(Follower(), after=after, heartbeat=10.0)
        number, found = await anext(pieces)
        assert (number, [each.id for each in found]) == (2, list(range(after + 1, 3)))
        await pieces.aclose()
        assert following._reading is None
    reads = source.reads
    source.add(3)
    await asyncio.sleep(0.01)
    assert source.reads == reads


async def test_a_journal_that_cannot_be_read_ends_its_followers() -> None:
    """Browsers come back by themselves; the next one finds the journal as it is then."""
    source = Numbers(1)
    following, follower = Following(source, most=1), Follower()
    pieces = following.follow(follower, after=1, heartbeat=10.0)
    coming = asyncio.ensure_future(anext(pieces, None))
    await until(lambda: source.reads == 2)  # by the reader, and by the follower that has caught up
    await until(lambda: not following._turn.locked())
    source.broken = True
    source.add(2)
    assert await coming is None
    source.broken = False
    again = following.follow(Follower(), after=1, heartbeat=10.0)
    assert (await anext(again))[0] == 2
    await again.aclose()


async def test_who_cannot_begin_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal cannot even say where it ends."""
    source = Numbers(1)

    async def broken() -> int:
        raise QueueUnavailable("gone")

    monkeypatch.setattr(source, "newest", broken)
    following = Following(source, most=1)
    with pytest.raises(QueueUnavailable, match="gone"):
        await anext(following.follow(Follower(), after=1, heartbeat=10.0))
    assert len(following) == 0
