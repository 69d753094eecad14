"""Every promise of `DeliveryJournal`, held to the durable one and to the one in memory."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from receiver.tasks.limits import LEAST_WEIGHT, Limits
from receiver.tasks.memory import MemoryQueue
from receiver.tasks.queue import Event, StoredDelivery, Verdict
from receiver.tasks.sqlite import SqliteQueue
from tests.support.deliveries import MONITORING, NOW, SECURITY, event, intake

Queue = SqliteQueue | MemoryQueue
LIMITS = Limits(journal_bytes=64 * LEAST_WEIGHT)
KINDS = ["memory", "sqlite"]


async def opened(kind: str, path: Path, limits: Limits = LIMITS) -> Queue:
    return MemoryQueue(limits) if kind == "memory" else await SqliteQueue.open(path / "q.db", limits=limits)


@pytest.fixture(params=KINDS)
async def queue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Queue]:
    queue = await opened(request.param, tmp_path)
    yield queue
    await queue.close()


async def bodies(
    queue: Queue,
    *,
    since: float | None = None,
    until: float | None = None,
    repository: str | None = None,
    verdict: Verdict | None = None,
) -> Sequence[bytes]:
    found = queue.deliveries(since=since, until=until, repository=repository, verdict=verdict)
    return [delivery.body async for delivery in found]


async def test_a_delivery_comes_back_as_it_was(queue: Queue) -> None:
    """Bytes, times to the last bit, and texts of any script; NUL and quotes are no syntax."""
    strange = Event(repository=MONITORING, event_id="1", tag="v1\0'\"", digest=None, actor="Zoë 😀")
    given = intake(
        strange, event(SECURITY), received=NOW + 0.1, body=bytes(range(256)) * 8, verdict="quarantined", reason="ä'"
    )
    await queue.ingest(given, now=NOW)
    (found,) = [delivery async for delivery in queue.deliveries()]
    assert found == StoredDelivery(
        id=found.id,
        sender=given.sender,
        received=given.received,
        verdict="quarantined",
        reason="ä'",
        headers=given.headers,
        body=given.body,
        events=(strange, event(SECURITY)),
    )


async def test_deliveries_come_in_the_order_of_arrival(queue: Queue) -> None:
    """Whatever the clock said; each has an id of its own, which grows."""
    for number in range(10):
        await queue.ingest(intake(event(), received=NOW - number, body=b"%d" % number), now=NOW)
    found = [delivery async for delivery in queue.deliveries()]
    assert [delivery.body for delivery in found] == [b"%d" % number for number in range(10)]
    numbers = [delivery.id for delivery in found]
    assert numbers == sorted(set(numbers))


async def test_deliveries_are_chosen_by_time_repository_and_verdict(queue: Queue) -> None:
    """From ``since`` on, before ``until``; a delivery of several addons is one of each."""
    await queue.ingest(intake(event(MONITORING), received=NOW, body=b"a"), now=NOW)
    await queue.ingest(intake(event(SECURITY), event(MONITORING), received=NOW + 1, body=b"b"), now=NOW)
    await queue.ingest(intake(received=NOW + 2, body=b"c", verdict="quarantined"), now=NOW)
    assert await bodies(queue, since=NOW + 1) == [b"b", b"c"]
    assert await bodies(queue, until=NOW + 1) == [b"a"]
    assert await bodies(queue, repository=MONITORING) == [b"a", b"b"]
    assert await bodies(queue, repository=SECURITY, until=NOW + 1) == []
    assert await bodies(queue, verdict="quarantined") == [b"c"]
    assert await bodies(queue, verdict="accepted", since=NOW + 1, until=NOW + 2, repository=SECURITY) == [b"b"]


async def test_duplicates_and_nothing_are_not_stored(queue: Queue) -> None:
    """A sender that repeats itself does not fill the disk; with one new event among them it is a new delivery."""
    await queue.ingest(intake(event(event_id="1"), body=b"first"), now=NOW)
    await queue.ingest(intake(event(event_id="1"), body=b"again"), now=NOW)
    await queue.ingest(intake(body=b"nothing", instance_id="a"), now=NOW)
    await queue.ingest(intake(event(event_id="1"), event(event_id="2"), body=b"partly"), now=NOW)
    assert await bodies(queue) == [b"first", b"partly"]
    assert len([delivery async for delivery in queue.deliveries()][1].events) == 2


async def test_every_quarantined_delivery_is_stored(queue: Queue) -> None:
    """The operator sees each."""
    for _ in range(2):
        await queue.ingest(intake(body=b"?", verdict="quarantined"), now=NOW)
    assert await bodies(queue) == [b"?", b"?"]


async def test_nothing_is_locked_between_pages(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay takes its time; senders are answered meanwhile, and the replay ends although they go on."""
    monkeypatch.setattr("receiver.tasks.sqlite._PAGE_BYTES", 2 * LEAST_WEIGHT)
    for number in range(3):
        await queue.ingest(intake(event(), body=b"%d" % number), now=NOW)
    seen = []
    async for delivery in queue.deliveries():
        seen.append(delivery.body)
        await queue.ingest(intake(event(), body=b"more"), now=NOW)
    assert seen == [b"0", b"1", b"2"]


async def test_trimming_forgets_what_is_old(queue: Queue) -> None:
    """By the time of receipt, also where the clock jumped; the tasks stay."""
    for number in (5, 1, 7):
        await queue.ingest(intake(event(), received=NOW + number, body=b"%d" % number), now=NOW)
    assert await queue.trim(before=NOW + 5, max_bytes=10**9) == 1
    assert await bodies(queue) == [b"5", b"7"]
    assert await queue.trim(before=NOW + 100, max_bytes=10**9) == 2
    assert await queue.trim(before=NOW + 100, max_bytes=0) == 0
    assert len(await queue.tasks()) == 1


async def test_trimming_forgets_the_oldest_beyond_a_size(queue: Queue) -> None:
    """Small ones count as much as their row costs."""
    for number in range(8):
        await queue.ingest(intake(event(), body=b"%d" % number), now=NOW)
    await queue.ingest(intake(event(), body=b"x" * 4 * LEAST_WEIGHT), now=NOW)
    assert await queue.trim(before=0, max_bytes=7 * LEAST_WEIGHT) == 6
    assert [body[:1] for body in await bodies(queue)] == [b"6", b"7", b"x"]


async def test_the_journal_has_a_cap_of_its_own(queue: Queue) -> None:
    """A flood between two trims cannot fill the disk: the newest stay, up to a sixteenth over the limit."""
    for number in range(200):
        await queue.ingest(intake(event(), body=b"%d" % number), now=NOW)
    kept = await bodies(queue)
    assert 64 <= len(kept) <= 68
    assert kept[-1] == b"199"


@pytest.mark.parametrize("kind", KINDS)
async def test_trimming_goes_on_until_all_is_done(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is done in short pieces, and the count is of all."""
    monkeypatch.setattr("receiver.tasks.sqlite._TRIM_ROWS", 2)
    queue = await opened(kind, tmp_path)
    for number in range(9):
        await queue.ingest(intake(event(), received=NOW + number), now=NOW)
    assert await queue.trim(before=NOW + 4, max_bytes=2 * LEAST_WEIGHT) == 7
    assert len(await bodies(queue)) == 2
    await queue.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_journal_is_read_in_pages(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are ranges of bytes: none is lost or doubled at their borders, and gaps end nothing."""
    monkeypatch.setattr("receiver.tasks.sqlite._PAGE_BYTES", LEAST_WEIGHT)
    queue = await opened(kind, tmp_path, Limits())
    for number in range(30):
        await queue.ingest(intake(event(), received=NOW + number, body=b"%d" % number * (number * 80)), now=NOW)
    given = await bodies(queue)
    assert len(given) == len(set(given)) == 30
    await queue.trim(before=NOW + 10, max_bytes=10**9)
    assert await bodies(queue) == given[10:]
    await queue.close()
