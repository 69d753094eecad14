"""A journal of a million entries and two hundred addons, written by the queue's own statements, with no wait for disks.

A third each are deliveries with their bodies, deliveries of which nothing came (pulls of other hosts, duplicates, some
refusals), and what was done (syncs with their decisions, polls).
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from receiver.catalog.record import AddonRecord, InstalledRelease, KeptBlob, KeptRelease, OwnedUnit
from receiver.catalog.records import Records
from receiver.document import encode
from receiver.sync.chronicle import written
from receiver.sync.outcome import Decision, LayerFact, Outcome, Surveyed
from receiver.tasks.database import open_database
from receiver.tasks.journal import Activity, Aside, Event
from receiver.tasks.ledger import Ledger, words
from receiver.tasks.limits import LEAST_WEIGHT
from receiver.tasks.statements import run_rows
from receiver.tasks.task import Trigger
from tests.support.addons import manifest_yaml

ADDONS = 200
RARE = "harbor"
"""A sender of a few deliveries among all the others."""
JOURNAL_BYTES = 2**40
SPACING = 0.9
"""Seconds between two entries: a million are ten days."""
_BATCH = 9000
_ROUNDS = 64
"""Of all addons, between two polls."""


def digest(leaf: int, version: int) -> str:
    """Of a release."""
    return f"sha256:{leaf:032x}{version:032x}"


def name(number: int) -> str:
    """The repository of an addon."""
    return f"addons/addon-{number % ADDONS:03}"


def build(path: Path, entries: int) -> None:
    """Make the file of the queue."""
    with closing(open_database(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        ledger = Ledger(JOURNAL_BYTES)
        ledger.load(connection)
        start = time.time() - entries * SPACING
        for first in range(0, entries, _BATCH):
            connection.execute("BEGIN")
            for number in range(first, min(first + _BATCH, entries), 3):
                _three(connection, ledger, number, start + number * SPACING)
            ledger.settle(connection)
            connection.execute("COMMIT")
            ledger.committed(start + first * SPACING)


def _three(connection: sqlite3.Connection, ledger: Ledger, number: int, now: float) -> None:
    leaf, version = (number // 3) % ADDONS, number // (3 * ADDONS)
    tag = f"v1.{version}.0"
    sender = RARE if number % 30_000 < 3 else "distribution"
    event = Event(repository=name(leaf), event_id=f"{number:036}", tag=tag, digest=digest(leaf, version), actor="ci")
    size = LEAST_WEIGHT
    place = ledger.number(size)
    row = (place, now, sender, "accepted", None, "10.0.0.7", encode([event]).decode(), b"{}", b"x" * 700)
    run_rows(connection, "store", [row])
    ledger.mention(place, words([event], sender=sender, verdict="accepted"))
    ledger.note([_aside(number, now, leaf, tag)])
    ledger.record(connection, _activity(number, now, leaf, tag, version))


def _aside(number: int, now: float, leaf: int, tag: str) -> Aside:
    if number % 300 == 0:
        reason = "a valid credential is required"
        return Aside(received=now, answered=now, sender="unknown", verdict="refused", reason=reason, address="10.9.9.9")
    verdict, left_out = ("duplicate", "duplicate") if number % 30 == 0 else ("ignored", "pull")
    event = Event(repository=name(leaf), event_id=f"{number:036}", tag=tag, left_out=left_out)
    return Aside(
        received=now,
        answered=now,
        sender="distribution",
        verdict=verdict,  # type: ignore[arg-type] # one of the two above
        address="10.0.0.7",
        events=(event,),
    )


def _activity(number: int, now: float, leaf: int, tag: str, version: int) -> Activity:
    if number % (3 * _ROUNDS) == 0:
        return written(Surveyed(started=now, duration=0.1, unchanged=ADDONS), at=now)
    layers = tuple(
        LayerFact(label=label, digest=digest(leaf, version + offset), size=25_000, fetched=True)
        for offset, label in enumerate(("config", "manifests", "charts", "scripts"))
    )
    decision = Decision(
        tags=tuple(f"v1.{one}.0" for one in range(max(version - 19, 0), version + 1)),
        tag_count=version + 1,
        tag=tag,
        rule="the highest version",
        digest=digest(leaf, version),
        installed=digest(leaf, version - 1),
        layers=layers,
    )
    outcome = Outcome(
        repository=name(leaf),
        status="installed",
        trigger=Trigger.EVENT,
        asked=now,
        started=now,
        duration=0.05,
        digest=digest(leaf, version),
        tag=tag,
        version=tag,
        files=41,
        fetched=100_000,
        visible=now,
        decision=decision,
    )
    return written(outcome, at=now)


def install(addons: Path, state: Path, version: int) -> None:
    """Make the folders and records of the addons, as their last syncs left them."""
    records = Records(state / "installed")
    (state / "installed").mkdir(parents=True)
    for number in range(ADDONS):
        leaf = name(number).removeprefix("addons/")
        (addons / leaf).mkdir(parents=True)
        (addons / leaf / "addon.manifest.yaml").write_bytes(manifest_yaml(leaf, leaf))
        records.write(_record(number, leaf, version), temporary=state / "record.tmp")


def _record(number: int, leaf: str, version: int) -> AddonRecord:
    tag, now = f"v1.{version}.0", time.time()
    files = {f"manifests/part-{one}.yaml": (1000, f"{one:064x}") for one in range(41)}
    kept = [
        KeptRelease(tag=tag, version=tag, digest=digest(number, one), arrived=now, artifact=list(_blobs(number, one)))
        for one in (version, version - 1, version - 2)
    ]
    installed = InstalledRelease(
        tag=tag,
        version=tag,
        digest=digest(number, version),
        installed=now,
        units=[OwnedUnit(addon=leaf, implementation=leaf, files=files)],
        manifests={},
    )
    return AddonRecord(repository=name(number), leaf=leaf, installed=installed, kept=kept)


def _blobs(number: int, version: int) -> Iterator[KeptBlob]:
    for one in range(6):
        yield KeptBlob(media_type="application/x", digest=digest(number, version + one), size=1000)
