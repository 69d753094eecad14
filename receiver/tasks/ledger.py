"""Numbers the entries of the journal and keeps what finds them. Lives in the writer's thread.

What can wait is not written on the way of a delivery's answer: notes of deliveries without a body, when deliveries were
answered, the index of words. It is written in large pieces moments later (`Ledger.settle`). A crash loses such notes,
and nothing else: what of the index is missing is made again from the entries.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain

from receiver.document import encode, replaced
from receiver.tasks.journal import DUPLICATE, Activity, Aside, Event, read_events
from receiver.tasks.limits import LEAST_WEIGHT
from receiver.tasks.statements import run_rows, text

_MANY = 4096
"""Notes and mentions that wait at most: then notes are counted, and mentions are written with the next delivery."""
_SWEEP_EVERY = 1024
"""Entries without a body between two looks at how many there are."""


def words(events: Iterable[Event], *, sender: str, verdict: str) -> tuple[str, ...]:
    """What an arrival can be found by. Most are accepted: that is no word to look for."""
    names = {event.repository for event in events if event.left_out is None or event.left_out == DUPLICATE}
    if len(names) == 1:
        return _words_of_one(names.pop(), sender, verdict)
    return tuple(_words(sorted(names), sender, verdict))


@lru_cache(maxsize=4096)
def _words_of_one(name: str, sender: str, verdict: str) -> tuple[str, ...]:
    """Nearly all deliveries are of one event, for one of a few addons: made once, and one text for all."""
    return tuple(_words([name], sender, verdict))


def _words(names: Iterable[str], sender: str, verdict: str) -> Iterator[str]:
    yield from (f"event {name}" for name in names)
    yield f"sender {sender}"
    if verdict != "accepted":
        yield f"verdict {verdict}"


def words_of_activity(kind: str, repository: str | None) -> tuple[str, ...]:
    """What an activity can be found by."""
    return (f"kind {kind}",) if repository is None else (f"activity {repository}", f"kind {kind}")


class Ledger:
    """The numbers, the index, and the notes that wait."""

    def __init__(self, journal_bytes: int) -> None:
        self.begin = self.end = 0
        """Where the journal begins and ends in the stream of numbers."""
        self._most = journal_bytes // LEAST_WEIGHT
        self._terms: dict[str, int] = {}
        self._mentions: dict[tuple[str, ...], list[int]] = {}
        """Entries by all their words together: most deliveries have the same few."""
        self._mentioned = 0
        self._notes: list[Aside] = []
        self._excess = 0
        self._answers: list[tuple[int, float | None]] = []
        self._answered = 0
        self._unsure: list[tuple[list[Aside], int, list[tuple[int, float | None]]]] = []
        """Notes, their excess and answers that this transaction has written, and that wait again where it fails."""
        self._unswept = 0
        self._counts: dict[str, int] | None = None
        """Of the entries without a body, as far as they were counted."""

    def load(self, connection: sqlite3.Connection) -> None:
        """Read where the journal stands; what was not settled when a process died is found in its entries."""
        self.begin, self.end = bounds(connection)
        self._counts = None
        self._answered = self.end
        (told,) = connection.execute(text("answered")).fetchone()
        if max(told, self._answers[-1][0] if self._answers else 0) < self.end:
            # Of what a crash left in between, nobody knows: the next answer is not theirs.
            self._answers.append((self.end, None))
        self._terms = {word: number for number, word in connection.execute(text("terms"))}
        self._mentions, self._mentioned = {}, 0
        for number, found in _unindexed(connection):
            self.mention(number, found)
            if self.is_full:
                self._write_mentions(connection)

    def number(self, size: int) -> int:
        """The number of the next entry, which takes ``size`` of them."""
        number = self.end
        self.end += size
        return number

    def mention(self, number: int, found: tuple[str, ...]) -> None:
        """The entry can be found by these words."""
        numbers = self._mentions.get(found)
        if numbers is None:
            numbers = self._mentions[found] = []
        numbers.append(number)
        self._mentioned += len(found)

    def note(self, asides: Sequence[Aside]) -> None:
        """Keep notes until they are written; of too many, their number."""
        room = max(_MANY - len(self._notes), 0)
        self._notes += asides[:room]
        self._excess += sum(aside.count for aside in asides[room:])

    @property
    def is_full(self) -> bool:
        """Whether too much waits to wait any longer."""
        return self._mentioned >= _MANY

    @property
    def waits(self) -> bool:
        """Whether there is anything to settle."""
        return bool(self._mentions or self._notes or self._answers or self._excess)

    def committed(self, at: float) -> None:
        """All entries so far are durable, and those that came by now can be answered."""
        self._unsure.clear()
        if self.end > self._answered:
            self._answers.append((self.end, at))
            self._answered = self.end

    def undone(self) -> None:
        """What was written since the last `committed` was not: it waits again, before what came later."""
        for notes, excess, answers in reversed(self._unsure):
            self._notes = notes + self._notes
            self._excess += excess
            self._answers = answers + self._answers
        self._unsure.clear()

    def settle(self, connection: sqlite3.Connection) -> None:
        """Write what waits; inside the caller's transaction, which may do so several times."""
        if not self.waits:
            return
        # Taken first: what fails in between waits again too.
        self._unsure.append((self._notes, self._excess, self._answers))
        notes, excess, answers = self._unsure[-1]
        self._notes, self._excess, self._answers = [], 0, []
        self.add(connection, list(_counted(notes, excess)))
        run_rows(connection, "answer", answers)
        self._index(connection)
        self._bound(connection)

    def add(self, connection: sqlite3.Connection, asides: Sequence[Aside]) -> None:
        """Write notes now."""
        rows: list[tuple[object, ...]] = []
        for aside in asides:
            number = self.number(1)
            self.mention(number, words(aside.events, sender=aside.sender, verdict=aside.verdict))
            about = (aside.received, aside.answered, aside.sender, aside.verdict, aside.reason, aside.address)
            rows.append((number, *about, aside.origin, aside.count, encode(aside.events).decode()))
        run_rows(connection, "set_aside", rows)
        self._added("aside", len(rows))

    def record(self, connection: sqlite3.Connection, activity: Activity) -> None:
        """Write what was done."""
        number = self.number(1)
        row = (number, activity.at, activity.kind, activity.outcome, activity.repository, activity.document)
        run_rows(connection, "record", [row])
        self._added("activity", 1)
        self.mention(number, words_of_activity(activity.kind, activity.repository))

    def recount(self) -> None:
        """Entries were forgotten elsewhere."""
        self._counts = None

    def forget_words(self, connection: sqlite3.Connection) -> None:
        """Forget the words that no entry is found by any more."""
        self.settle(connection)
        connection.execute(text("trim_terms"))
        self._terms = {word: number for number, word in connection.execute(text("terms"))}

    def _index(self, connection: sqlite3.Connection) -> None:
        self._write_mentions(connection)
        connection.execute(text("indexed_up_to"), {"up_to": self.end})

    def _write_mentions(self, connection: sqlite3.Connection) -> None:
        for word in sorted(set(chain(*self._mentions)) - self._terms.keys()):
            self._terms[word] = connection.execute(text("learn"), {"word": word}).fetchone()[0]
        rows = [
            (self._terms[word], number) for found, those in self._mentions.items() for word in found for number in those
        ]
        run_rows(connection, "mention", sorted(rows))  # in the order of the index
        self._mentions, self._mentioned = {}, 0

    def _added(self, table: str, count: int) -> None:
        self._unswept += count
        if self._counts is not None:
            self._counts[table] += count

    def _bound(self, connection: sqlite3.Connection) -> None:
        """Entries without a body are bounded by their number. To count them takes as long as to read them: once."""
        if self._unswept < _SWEEP_EVERY:
            return
        self._unswept = 0
        if self._counts is None:
            asides, activities = connection.execute(text("counts")).fetchone()
            self._counts = {"aside": asides, "activity": activities}
        for table, name in (("aside", "bound_asides"), ("activity", "bound_activities")):
            excess = self._counts[table] - self._most
            if excess > 0:
                self._counts[table] -= connection.execute(text(name), {"excess": excess}).rowcount


def bounds(connection: sqlite3.Connection) -> tuple[int, int]:
    """Where the deliveries begin and the journal ends in the stream of numbers; the same where it is empty."""
    begin, end = connection.execute(text("bounds"), {"least": LEAST_WEIGHT}).fetchone()
    return (end if begin is None else begin, end)


def _unindexed(connection: sqlite3.Connection) -> Iterator[tuple[int, tuple[str, ...]]]:
    (up_to,) = connection.execute(text("indexed")).fetchone()
    for name in ("unindexed_deliveries", "unindexed_asides"):
        for number, sender, verdict, events in connection.execute(text(name), {"up_to": up_to}):
            yield number, words(read_events(events), sender=sender, verdict=verdict)
    for number, kind, repository in connection.execute(text("unindexed_activities"), {"up_to": up_to}):
        yield number, words_of_activity(kind, repository)


def _counted(notes: Sequence[Aside], excess: int) -> Iterator[Aside]:
    """The notes; those alike, such as refusals in a row, as one."""
    before: Aside | None = None
    for note in notes:
        if before is None or not _alike(before, note):
            if before is not None:
                yield before
            before = note
        else:
            before = replaced(before, count=before.count + note.count)
    if before is not None:
        yield before
        if excess:
            yield Aside(
                received=before.received,
                sender="unknown",
                verdict="ignored",
                reason="too many at once to keep a note of each",
                count=excess,
            )


def _alike(one: Aside, other: Aside) -> bool:
    """Refusals tell nothing but where they came from; what names events is never merged."""
    return (
        not one.events
        and not other.events
        and (one.sender, one.verdict, one.reason, one.address, one.origin)
        == (other.sender, other.verdict, other.reason, other.address, other.origin)
    )
