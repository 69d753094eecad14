"""Every promise of `Journal` about deliveries, held to the durable one and to the one in memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from receiver.document import replaced
from receiver.tasks.journal import (
    DOCTOR,
    Activity,
    Arrival,
    Aside,
    Done,
    Entry,
    Event,
    Kept,
    Kind,
    Latest,
    StoredDelivery,
    Wanted,
)
from receiver.tasks.limits import LEAST_WEIGHT, Limits
from receiver.tasks.memory import MemoryQueue
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
    verdict: Kept | None = None,
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
    monkeypatch.setattr("receiver.tasks.sqlite_journal._PAGE_BYTES", 2 * LEAST_WEIGHT)
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
    monkeypatch.setattr("receiver.tasks.sqlite_journal._TRIM_ROWS", 2)
    queue = await opened(kind, tmp_path)
    for number in range(9):
        await queue.ingest(intake(event(), received=NOW + number), now=NOW)
    assert await queue.trim(before=NOW + 4, max_bytes=2 * LEAST_WEIGHT) == 7
    assert len(await bodies(queue)) == 2
    await queue.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_journal_is_read_in_pages(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are ranges of bytes: none is lost or doubled at their borders, and gaps end nothing."""
    monkeypatch.setattr("receiver.tasks.sqlite_journal._PAGE_BYTES", LEAST_WEIGHT)
    queue = await opened(kind, tmp_path, Limits())
    for number in range(30):
        await queue.ingest(intake(event(), received=NOW + number, body=b"%d" % number * (number * 80)), now=NOW)
    given = await bodies(queue)
    assert len(given) == len(set(given)) == 30
    await queue.trim(before=NOW + 10, max_bytes=10**9)
    assert await bodies(queue) == given[10:]
    await queue.close()


def words_of(entry: Entry) -> tuple[str, ...]:
    """What an entry is, in short."""
    if isinstance(entry, Done):
        return (entry.activity.kind, entry.activity.outcome, entry.activity.repository or "")
    return (
        entry.verdict,
        entry.sender,
        *(f"{event.repository} {event.left_out or ''}".strip() for event in entry.events),
    )


def done(at: float = NOW, kind: Kind = "sync", repository: str | None = MONITORING) -> Activity:
    return Activity(at=at, kind=kind, outcome="installed", repository=repository, document=b"{}")


async def listed(queue: Queue, limit: int = 100, **wanted: Any) -> list[tuple[str, ...]]:
    """All that is wanted, the newest first, page by page."""
    found: list[tuple[str, ...]] = []
    before = None
    while True:
        page = await queue.entries(Wanted(**wanted), limit=limit, before=before)
        found += map(words_of, page.entries)
        if (before := page.before) is None:
            return found


async def test_everything_that_arrives_has_an_entry(queue: Queue) -> None:
    """With its verdict: duplicates, what concerns no addon, what was refused; and what was done."""
    await queue.ingest(intake(event(event_id="1"), address="10.0.0.7"), now=NOW)
    await queue.ingest(intake(event(event_id="1"), event(SECURITY, event_id="2")), now=NOW)
    await queue.ingest(intake(event(event_id="1")), now=NOW)
    await queue.ingest(intake(body=b"?", verdict="quarantined", reason="broken"), now=NOW)
    left_out = Event(repository="other/thing", left_out="other repository")
    queue.note(Aside(received=NOW, sender="zot", verdict="ignored", events=(left_out,)))
    queue.note(Aside(received=NOW, sender="unknown", verdict="refused", reason="no credential", address="10.0.0.8"))
    await queue.record([done()])
    assert sorted(await listed(queue)) == sorted(
        [
            ("accepted", "distribution", MONITORING),
            ("accepted", "distribution", f"{MONITORING} duplicate", SECURITY),
            ("duplicate", "distribution", f"{MONITORING} duplicate"),
            ("quarantined", "distribution"),
            ("ignored", "zot", "other/thing other repository"),
            ("refused", "unknown"),
            ("sync", "installed", MONITORING),
        ]
    )
    (first,) = (await queue.entries(Wanted(repository=SECURITY), limit=9)).entries
    assert isinstance(first, Arrival)
    assert (first.size, first.answered is not None, first.events[1].actor) == (2, True, "ci")
    (refused,) = (await queue.entries(Wanted(verdict="refused"), limit=9)).entries
    assert isinstance(refused, Arrival)
    assert (refused.address, refused.reason, refused.size, refused.count) == ("10.0.0.8", "no credential", 0, 1)


async def test_readers_at_the_same_moment_do_not_double_what_arrived(queue: Queue) -> None:
    """What nobody waits for is written when somebody asks: once, also where several do."""
    for number in range(3):
        queue.note(Aside(received=NOW + number, sender="zot", verdict="ignored"))
        await asyncio.gather(*(queue.entries(Wanted(), limit=99) for _ in range(3)))
    assert await listed(queue) == [("ignored", "zot")] * 3


async def test_many_events_take_the_room_that_they_need(queue: Queue) -> None:
    """They count as bytes where something came of them; of the rest, only the first are kept, and their number."""
    many = [event(event_id=str(number)) for number in range(200)]
    await queue.ingest(intake(*many, received=NOW), now=NOW)
    assert (await queue.health()).bytes > 200 * 60
    await queue.ingest(intake(*many, received=NOW), now=NOW)
    newest, *_ = (await queue.entries(Wanted(), limit=9)).entries
    assert isinstance(newest, Arrival)
    *_, last = newest.events
    assert newest.verdict == "duplicate"
    assert len(newest.events) < 20
    assert last.left_out == f"and {201 - len(newest.events):,} more"


async def test_of_large_events_one_is_kept_whole(queue: Queue) -> None:
    """Larger than all that are kept may be together: it still says what the delivery was about."""
    large = [replaced(event(event_id=str(number)), tag="v" * 2000) for number in range(3)]
    for _ in range(2):
        await queue.ingest(intake(*large, received=NOW), now=NOW)
    newest, *_ = (await queue.entries(Wanted(), limit=9)).entries
    assert isinstance(newest, Arrival)
    assert [(one.event_id, one.left_out) for one in newest.events] == [("0", "duplicate"), (None, "and 2 more")]


async def test_entries_are_found_by_what_they_are_about(queue: Queue) -> None:
    """By addon, sender, verdict, kind and time, alone and together; what only mentions another repository is not it."""
    await queue.ingest(intake(event(MONITORING), received=NOW), now=NOW)
    await queue.ingest(intake(event(SECURITY), received=NOW + 10, sender="zot"), now=NOW)
    await queue.replayed([Aside(received=NOW + 20, sender="zot", verdict="replayed", origin="x", events=(event(),))])
    await queue.record([done(NOW + 30), done(NOW + 40, "poll", None), done(NOW + 50, "operation", SECURITY)])
    await queue.ingest(
        intake(Event(repository=MONITORING, left_out="blob"), event(SECURITY), received=NOW + 60), now=NOW
    )
    accepted, zot = ("accepted", "distribution", MONITORING), ("accepted", "zot", SECURITY)
    replayed, both = ("replayed", "zot", MONITORING), ("accepted", "distribution", f"{MONITORING} blob", SECURITY)
    sync, poll, hold = (
        ("sync", "installed", MONITORING),
        ("poll", "installed", ""),
        ("operation", "installed", SECURITY),
    )
    everything = [both, hold, poll, sync, replayed, zot, accepted]
    assert await listed(queue) == everything
    assert await listed(queue, limit=1) == everything
    assert await listed(queue, repository=MONITORING) == [sync, replayed, accepted]
    assert await listed(queue, repository=SECURITY, arrivals=True) == [both, zot]
    assert await listed(queue, repository=SECURITY, arrivals=False) == [hold]
    assert await listed(queue, sender="zot") == [replayed, zot]
    assert await listed(queue, sender="zot", verdict="accepted") == [zot]
    assert await listed(queue, verdict="accepted") == [both, zot, accepted]
    assert await listed(queue, verdict="replayed") == [replayed]
    assert await listed(queue, kind="poll") == [poll]
    assert await listed(queue, kind="sync", repository=SECURITY) == []
    assert await listed(queue, arrivals=False) == [hold, poll, sync]
    assert await listed(queue, since=NOW + 10, until=NOW + 40) == [sync, replayed, zot]
    assert await listed(queue, until=NOW + 10) == [accepted]
    assert await listed(queue, since=NOW + 60) == [both]


async def test_what_was_ignored_can_be_left_out(queue: Queue) -> None:
    """It may be most of what a registry tells; refusals and duplicates are not."""
    await queue.ingest(intake(event(event_id="1")), now=NOW)
    await queue.ingest(intake(event(event_id="1")), now=NOW)
    queue.note(Aside(received=NOW, sender="zot", verdict="ignored"))
    queue.note(Aside(received=NOW, sender="unknown", verdict="refused"))
    await queue.record([done()])
    found = sorted(await listed(queue, quiet=True))
    assert [row[:2] for row in found] == [
        ("accepted", "distribution"),
        ("duplicate", "distribution"),
        ("refused", "unknown"),
        ("sync", "installed"),
    ]
    assert await listed(queue, quiet=True, sender="zot") == []


async def test_what_happens_can_be_followed(queue: Queue) -> None:
    """From a number on, the oldest first, without a gap and without a repetition."""
    assert await queue.newest() == -1
    await queue.ingest(intake(event()), now=NOW)
    start = await queue.newest()
    assert start >= 0
    waiting = asyncio.create_task(queue.news(60.0))
    await asyncio.sleep(0)
    await queue.record([done()])
    await queue.ingest(intake(event(SECURITY)), now=NOW)
    await asyncio.wait_for(waiting, 10)
    found = await queue.entries_after(Wanted(), number=start, limit=10)
    assert [words_of(entry) for entry in found] == [
        ("sync", "installed", MONITORING),
        ("accepted", "distribution", SECURITY),
    ]
    (one,) = await queue.entries_after(Wanted(), number=start, limit=1)
    assert [entry.id for entry in await queue.entries_after(Wanted(), number=one.id, limit=9)] == [found[1].id]
    assert await queue.newest() == found[1].id


async def test_nothing_is_slept_through_between_two_waits(queue: Queue) -> None:
    """Who reads takes a while; what came meanwhile ends the next wait at once."""
    seen = await queue.news(60.0, seen=-1)
    await queue.record([done()])
    async with asyncio.timeout(10):
        again = await queue.news(60.0, seen=seen)
    assert again != seen
    assert await queue.news(0.0, seen=again) == again


async def test_a_trial_of_the_endpoint_is_no_event_of_an_addon(queue: Queue) -> None:
    """Doctor's own notification is listed, but says nothing about whether a registry reaches us."""
    trial = replaced(event(), actor=DOCTOR)
    await queue.ingest(intake(trial, received=NOW), now=NOW)
    queue.note(Aside(received=NOW, sender="unknown", verdict="refused", origin=DOCTOR))
    assert (await queue.latest([MONITORING]))[MONITORING] == Latest()
    assert len((await queue.entries(Wanted(), limit=9)).entries) == 2
    assert (await queue.entries(Wanted(trials=False), limit=9)).entries == ()
    await queue.ingest(intake(event(), received=NOW + 1), now=NOW + 1)
    await queue.ingest(intake(trial, received=NOW + 2), now=NOW + 2)
    last = (await queue.latest([MONITORING]))[MONITORING].event
    assert last is not None
    assert last.received == NOW + 1


async def test_the_latest_of_each_addon_is_at_hand(queue: Queue) -> None:
    """Who pushed last, and how the last sync ended; nothing of an addon that nobody named."""
    for number in range(3):
        await queue.ingest(intake(event(), received=NOW + number), now=NOW)
        await queue.record([done(NOW + number), done(NOW + number, "operation")])
    latest = await queue.latest([MONITORING, SECURITY])
    event_of, sync_of = latest[MONITORING].event, latest[MONITORING].sync
    assert event_of is not None
    assert sync_of is not None
    assert (event_of.received, sync_of.activity.at, sync_of.activity.kind) == (NOW + 2, NOW + 2, "sync")
    assert latest[SECURITY] == Latest()


async def test_a_delivery_is_found_by_its_number(queue: Queue) -> None:
    """That is what an operator copies from a listing."""
    await queue.ingest(intake(event(), body=b"one"), now=NOW)
    (entry,) = (await queue.entries(Wanted(), limit=1)).entries
    found = await queue.delivery(entry.id)
    assert found is not None
    assert found.body == b"one"
    assert await queue.delivery(entry.id + 1) is None


async def test_entries_without_a_body_are_bounded(queue: Queue) -> None:
    """Pulls of our own polls, and refusals: neither fills the disk, nor do they push deliveries out."""
    await queue.ingest(intake(event(), body=b"kept"), now=NOW)
    for number in range(3000):
        await queue.record([done(NOW + number)])
    assert len(await listed(queue)) <= 64 + 1024 + 1
    assert await bodies(queue) == [b"kept"]


async def test_trimming_forgets_every_kind_of_entry(queue: Queue) -> None:
    """By age, and what finds them too."""
    await queue.ingest(intake(event(), received=NOW), now=NOW)
    queue.note(Aside(received=NOW, sender="zot", verdict="ignored"))
    await queue.record([done(NOW), done(NOW + 100)])
    assert await queue.trim(before=NOW + 50, max_bytes=10**9) == 3
    assert await listed(queue) == [("sync", "installed", MONITORING)]
    assert await listed(queue, repository=MONITORING) == [("sync", "installed", MONITORING)]
    assert await listed(queue, sender="zot") == []


async def test_the_health_of_the_journal_is_told(queue: Queue) -> None:
    """For `doctor`."""
    await queue.ingest(intake(event(), received=NOW, body=b"x" * 2000), now=NOW)
    await queue.record([done()])
    health = await queue.health()
    assert (health.entries, health.oldest, health.newest, health.problems) == (2, NOW, NOW, ())
    assert 2100 <= health.bytes <= 2200, "headers and events count too"
