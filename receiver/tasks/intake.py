"""The hot path of the durable queue: many deliveries in a handful of statements.

What would cost a statement and random pages to ask again and again (event identifiers, the end of the journal, the
names and processes that are known) is remembered here, because nobody else writes to the file. Measured with 16 senders
and random identifiers: an index of them on disk triples the pages of a commit, and halves the deliveries a second.
"""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from functools import lru_cache

from receiver.document import Mutable, encode, field, replaced
from receiver.errors import QueueUnavailable
from receiver.tasks.journal import DUPLICATE, Aside, Event, read_events, shortened
from receiver.tasks.ledger import Ledger, bounds, words
from receiver.tasks.limits import LEAST_WEIGHT, Limits, is_long_unheard, too_many, weight
from receiver.tasks.queue import Intake, Receipt
from receiver.tasks.recent import Key, Recent
from receiver.tasks.statements import run_rows, text
from receiver.tasks.store import evict_repositories, known_names, trim_below
from receiver.tasks.task import EVERYTHING, Trigger

Offer = tuple[Intake, float]
"""A delivery, and when it is."""

_TRIM_SLACK = 16
"""The journal may exceed its limit by this part of it, so that forgetting is done in pieces worth the statement."""
_TRIM_ROWS = 1024
"""Deliveries forgotten at once, some milliseconds: four times as many as come in a transaction. So no answer waits long
where a large journal was given a small limit."""


class _Batch(Mutable, kw_only=True):
    """The rows that a batch of deliveries comes to."""

    deliveries: list[tuple[object, ...]] = field(default_factory=list)
    asked: dict[str, float] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    met: dict[tuple[str, str], float] = field(default_factory=dict)

    def ask(self, repository: str, now: float) -> None:
        self.asked[repository] = min(now, self.asked.get(repository, now))


class Intakes:
    """Makes deliveries durable, with the tasks that follow from them. Lives in the writer's thread."""

    def __init__(self, limits: Limits, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._ledger = ledger
        self._clock = clock
        self._loaded = False
        self._recent: Recent | None = None
        self._names: set[str] = set()
        self._instances: dict[str, dict[str, float]] = {}

    def committed(self) -> None:
        """What was taken in is durable."""
        if self._recent is not None:
            self._recent.settle()
        if self._loaded:  # else nothing of the ledger's was written, and its numbers are not those of the file
            self._ledger.committed(self._clock())

    def undone(self) -> None:
        """What was taken in since the last commit was not: a refused event is no duplicate when it comes again."""
        self._loaded = False
        self._ledger.undone()
        if self._recent is not None:
            self._recent.undo()

    def ingest(self, connection: sqlite3.Connection, offers: Sequence[Offer]) -> list[Receipt | QueueUnavailable]:
        """Store ``offers`` in their order; inside the caller's transaction."""
        self.load(connection)
        if self._recent is None:
            self._recent = _read_recent(connection, self._limits.seen)
        batch = _Batch()
        receipts = [self._take(connection, self._recent, batch, offer) for offer in offers]
        self._write(connection, batch)
        return receipts

    def admit(self, connection: sqlite3.Connection, repositories: Collection[str]) -> list[str]:
        """Make ``repositories`` known; the new ones.

        Raises:
            QueueUnavailable: there are too many; none was added, those that nothing waits for are forgotten.
        """
        self.load(connection)
        if self._names.issuperset(repositories):
            return []
        new = [name for name in dict.fromkeys(repositories) if name not in self._names and name != EVERYTHING]
        excess = len(self._names) + len(new) - self._limits.repositories
        if excess > 0:
            self._names -= set(evict_repositories(connection, excess))
            if len(self._names) + len(new) > self._limits.repositories:
                raise QueueUnavailable(f"more than {self._limits.repositories} addon repositories wait for a look")
        self._names.update(new)
        return new

    def load(self, connection: sqlite3.Connection) -> None:
        """Read what is remembered, where it is not."""
        if self._loaded:
            return
        self._ledger.load(connection)
        self._names = set(known_names(connection))
        self._instances = {}
        for sender, instance_id, last in connection.execute(text("instances")):
            self._instances.setdefault(sender, {})[instance_id] = last
        self._loaded = True

    def _take(
        self, connection: sqlite3.Connection, recent: Recent, batch: _Batch, offer: Offer
    ) -> Receipt | QueueUnavailable:
        intake, now = offer
        fresh = _fresh(intake, recent, now)
        try:
            batch.names += self.admit(connection, [event.repository for event in fresh])
        except QueueUnavailable as error:
            return error
        for event in fresh:
            if event.event_id is not None:
                recent.add((intake.sender, event.event_id), now)
            batch.ask(event.repository, now)
        new_instance = self._meet(batch, intake, now)
        if new_instance or intake.verdict == "quarantined":
            batch.ask(EVERYTHING, now)
        known = sum(event.left_out is None for event in intake.events) - len(fresh)
        if fresh or intake.verdict == "quarantined":
            self._store(batch, intake, _told_apart(intake.events, fresh) if known else intake.events)
        elif intake.events:
            self._ledger.note([_aside(intake, _told_apart(intake.events, fresh), answered=self._clock())])
        return _receipt(len(fresh), known, new_instance)

    def _meet(self, batch: _Batch, intake: Intake, now: float) -> bool:
        if intake.instance_id is None:
            return False
        met = self._instances.setdefault(intake.sender, {})
        last = met.get(intake.instance_id)
        if is_long_unheard(last, now):
            met[intake.instance_id] = batch.met[intake.sender, intake.instance_id] = now
        return last is None and len(met) > 1

    def _store(self, batch: _Batch, intake: Intake, events: tuple[Event, ...]) -> None:
        document = encode(events)
        number = self._ledger.number(weight(intake.headers, intake.body, document))
        batch.deliveries.append(
            (
                number,
                intake.received,
                intake.sender,
                intake.verdict,
                intake.reason,
                intake.address,
                document.decode(),
                intake.headers,
                intake.body,
            )
        )
        self._ledger.mention(number, words(events, sender=intake.sender, verdict=intake.verdict))

    def _write(self, connection: sqlite3.Connection, batch: _Batch) -> None:
        run_rows(connection, "store", batch.deliveries)
        run_rows(
            connection,
            "ask",
            [(name, Trigger.EVENT.value, Trigger.EVENT.rank, now, now, 0) for name, now in batch.asked.items()],
        )
        run_rows(connection, "know", [(name,) for name in batch.names])
        if batch.met:
            run_rows(connection, "meet", [(*key, now, now) for key, now in batch.met.items()])
            self._bound_instances(connection, batch.met.keys())
        self._bound_journal(connection)
        if self._ledger.is_full:
            self._ledger.settle(connection)

    def _bound_journal(self, connection: sqlite3.Connection) -> None:
        most = self._limits.journal_bytes
        if self._ledger.end - self._ledger.begin > most + min(most // _TRIM_SLACK, _TRIM_ROWS * LEAST_WEIGHT):
            floor = self._ledger.end - most
            trim_below(connection, floor, most=_TRIM_ROWS)
            self._ledger.begin, _ = bounds(connection)

    def _bound_instances(self, connection: sqlite3.Connection, just: Collection[tuple[str, str]]) -> None:
        for sender, met in self._instances.items():
            now = {instance_id for one, instance_id in just if one == sender}
            for instance_id in too_many(met, self._limits.instances, just=now):
                del met[instance_id]
                connection.execute(text("forget_instance"), (sender, instance_id))


@lru_cache
def _receipt(accepted: int, duplicates: int, new_instance: bool) -> Receipt:  # noqa: FBT001 - positional for lru_cache
    """Receipts are few and equal ones are the same: making a frozen value anew takes as long as judging a delivery."""
    return Receipt(accepted=accepted, duplicates=duplicates, new_instance=new_instance)


def _read_recent(connection: sqlite3.Connection, limit: int) -> Recent:
    """The identifiers of the newest deliveries."""
    found: list[tuple[Key, float]] = []
    with closing(connection.execute(text("recent"))) as rows:
        for sender, received, events in rows:
            if len(found) >= limit:
                break
            found += [
                ((sender, event.event_id), received)
                for event in read_events(events)
                if event.left_out is None and event.event_id is not None
            ]
    recent = Recent(limit)
    for key, first in reversed(found):
        recent.add(key, first)
    recent.settle()
    return recent


def _fresh(intake: Intake, recent: Recent, now: float) -> list[Event]:
    """The events that are no duplicates, neither of earlier ones nor within the delivery."""
    fresh: list[Event] = []
    here: set[str] = set()
    for event in intake.events:
        if event.left_out is not None:
            continue
        if event.event_id is not None:
            if event.event_id in here or recent.is_duplicate((intake.sender, event.event_id), now):
                continue
            here.add(event.event_id)
        fresh.append(event)
    return fresh


def _told_apart(events: Sequence[Event], fresh: Collection[Event]) -> tuple[Event, ...]:
    """All of them, with duplicates marked."""
    new = {id(event) for event in fresh}
    return tuple(
        event if id(event) in new or event.left_out is not None else replaced(event, left_out=DUPLICATE)
        for event in events
    )


def _aside(intake: Intake, events: tuple[Event, ...], *, answered: float) -> Aside:
    known = any(event.left_out == DUPLICATE for event in events)
    return Aside(
        received=intake.received,
        sender=intake.sender,
        verdict="duplicate" if known else "ignored",
        address=intake.address,
        answered=answered,
        events=shortened(events, count=len(events)),
    )
