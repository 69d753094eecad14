"""How long answers take with a million entries in the journal: in the process, and as commands."""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from receiver.catalog.limits import ArchiveLimits
from receiver.catalog.store import CatalogStore
from receiver.sync.views import Views
from receiver.tasks.journal import Wanted
from receiver.tasks.limits import Limits
from receiver.tasks.sqlite import SqliteQueue
from tests.benchmarks import million
from tests.benchmarks.measure import Report, Row, run
from tests.support.deliveries import event, intake
from tests.support.docker_registry import free_port
from tests.support.system import Host
from tests.support.visitor import Visitor

_ENTRIES = int(os.environ.get("BENCH_JOURNAL_ENTRIES", "1000000"))
_PAGE = 50
_GOAL = 0.1
_TRIMMED = 200_000
_BOUND = 0.25
"""Seconds that a sender may wait for its answer while the journal is trimmed."""


def answers(root: Path, report: Report) -> None:
    """Build the journal once, ask, then trim it."""
    host = Host(root / "journal", f"http://127.0.0.1:{free_port()}")
    host.settings["ADDON_SYNC_JOURNAL_SIZE"] = "1024GiB"
    file = host.state / "queue.sqlite"
    host.state.mkdir(mode=0o700)
    million.build(file, _ENTRIES)
    million.install(host.addons, host.state, (_ENTRIES - 1) // (3 * million.ADDONS))
    megabytes = file.stat().st_size / 1e6
    print(f"… journal: {_ENTRIES:,} entries, {megabytes:,.0f} MB", file=sys.stderr, flush=True)
    for work, seconds in asyncio.run(_asked(file, host)).items():
        row = Row(f"{_ENTRIES:,} entries, {million.ADDONS} addons: {work}", "100 ms", seconds * 1000, unit="ms")
        row.reached = seconds <= _GOAL
        report.rows.append(row)
    _pages(host, report)
    _commands(host, report)
    longest, took = asyncio.run(_trimmed(file))
    work = f"longest wait for an answer while {_TRIMMED:,} entries are forgotten"
    row = Row(work, "250 ms", longest * 1000, unit="ms")
    row.reached = longest <= _BOUND
    row.note = f"{took:.1f} s in all"
    report.rows.append(row)


async def _asked(file: Path, host: Host) -> dict[str, float]:
    queue = await SqliteQueue.open(file, limits=Limits(journal_bytes=million.JOURNAL_BYTES))
    store = CatalogStore(catalogue=host.addons, state=host.state, limits=ArchiveLimits())
    survey = cast("Any", SimpleNamespace())  # nothing is asked of the registry
    views = Views(queue=queue, journal=queue, catalogue=store, survey=survey, prefix="addons/", clock=time.time)
    some = f"addon-{million.ADDONS // 2:03}"
    a_day_ago = time.time() - 86400

    def page(**wanted: Any) -> Callable[[], Awaitable[object]]:
        return lambda: queue.entries(Wanted(**wanted), limit=_PAGE)

    questions: dict[str, Callable[[], Awaitable[object]]] = {
        "status of all": lambda: views.statuses(ask=False),
        "a page of events": page(),
        "… of one addon": page(repository=f"addons/{some}"),
        "… of a rare sender": page(sender=million.RARE),
        "… that were refused": page(verdict="refused"),
        "… that were accepted": page(verdict="accepted"),
        "… of the polls": page(kind="poll"),
        "… from a day ago": page(until=a_day_ago),
        "the story of one addon": lambda: views.story(some),
    }
    try:
        found = {}
        for work, ask in questions.items():
            found[work] = await _median(ask)
            # What came meanwhile is settled before the next answer, as in life.
            await queue.ingest(intake(event(), received=time.time()), now=time.time())
        return found
    finally:
        await queue.close()


async def _median(ask: Callable[[], Awaitable[object]], rounds: int = 15) -> float:
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        await ask()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _pages(host: Host, report: Report, rounds: int = 15) -> None:
    """As a browser gets them, over HTTP, from a receiver that runs."""
    with host.serve() as serving:
        visitor = Visitor(serving)
        for work, path in (("the page", "/"), ("… of one addon", "/addon/addon-100"), ("… of the journal", "/journal")):
            visitor.get(path)  # templates are compiled once
            taken = []
            for _ in range(rounds):
                started = time.perf_counter()
                visitor.get(path)
                taken.append(time.perf_counter() - started)
            seconds = statistics.median(taken)
            row = Row(f"{_ENTRIES:,} entries, {million.ADDONS} addons: {work}", "100 ms", seconds * 1000, unit="ms")
            row.reached = seconds <= _GOAL
            report.rows.append(row)


def _commands(host: Host, report: Report, rounds: int = 7) -> None:
    for arguments in (["status", "--offline"], ["events"], ["why", "addon-100"]):
        command = [sys.executable, "-m", "receiver", *arguments]
        taken = [run(command, host.environment()).seconds for _ in range(rounds)]
        bare = [run([sys.executable, "-m", "receiver", "ls"], host.environment()).seconds for _ in range(rounds)]
        row = Row(
            f"… `addon-sync {' '.join(arguments)}`, start-up included (beside `ls`)",
            "none",
            statistics.median(taken),
            statistics.median(bare),
        )
        report.rows.append(row)


async def _trimmed(file: Path) -> tuple[float, float]:
    """The longest wait of a delivery for its answer during a trim, and how long that took."""
    queue = await SqliteQueue.open(file, limits=Limits(journal_bytes=million.JOURNAL_BYTES))
    waits: list[float] = []
    oldest = (await queue.health()).oldest
    assert oldest is not None
    before = oldest + _TRIMMED * million.SPACING
    started = time.perf_counter()
    trimming = asyncio.create_task(queue.trim(before=before, max_bytes=million.JOURNAL_BYTES))
    number = 0
    while not trimming.done():
        number += 1
        asked = time.perf_counter()
        await queue.ingest(intake(event(event_id=f"trim-{number}"), received=time.time()), now=time.time())
        waits.append(time.perf_counter() - asked)
        await asyncio.sleep(0.005)
    forgotten, took, median = trimming.result(), time.perf_counter() - started, statistics.median(waits) * 1000
    print(f"… forgot {forgotten:,}, answered {number:,}, median {median:.1f} ms", file=sys.stderr)
    await queue.close()
    return max(waits), took
