"""Who listens is told of changes, and nobody looks where nobody listens."""

import asyncio

import pytest

from receiver.server.page import feed
from receiver.server.page.feed import Feed
from receiver.tasks.journal import Activity
from receiver.tasks.task import Trigger
from tests.support.sync_fakes import NOW, World, until


@pytest.fixture
def world() -> World:
    return World()


def made(world: World) -> Feed:
    return Feed(journal=world.queue, queue=world.queue)


async def looked(found: Feed) -> None:
    """Wait until the first look has been taken: what changes before it is on the page already."""
    await asyncio.sleep(0.02)
    assert found.listeners


async def test_an_entry_of_the_journal_is_told(world: World) -> None:
    """To everybody who listens."""
    found = made(world)
    with found.listening() as one, found.listening() as other:
        await looked(found)
        activity = Activity(at=NOW, kind="poll", outcome="looked", repository=None, document=b"{}")
        await world.queue.record([activity])
        async with asyncio.timeout(20):
            await asyncio.gather(one.wait(), other.wait())


async def test_a_change_of_the_queue_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that begins makes no entry."""
    monkeypatch.setattr(feed, "_GLANCE", 0.01)
    found = made(world)
    with found.listening() as news:
        await looked(found)
        assert not news.is_set()
        await world.queue.enqueue(["addons/a"], trigger=Trigger.EVENT, now=NOW)
        async with asyncio.timeout(20):
            await news.wait()


async def test_nobody_looks_where_nobody_listens(world: World) -> None:
    """A page that is closed costs nothing."""
    found = made(world)
    with found.listening():
        watching = found._watching
        assert watching is not None
    await until(watching.done)
    assert (found.listeners, found._watching) == (0, None)


async def test_the_end_is_told(world: World) -> None:
    """So that no open page holds up a server that stops."""
    found = made(world)
    with found.listening() as news:
        found.close()
        assert (news.is_set(), found.closed) == (True, True)
