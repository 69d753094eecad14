"""What the journal is asked, as questions to its tables; inside the writer's thread.

No question looks through the whole journal: candidates come from the index of words, or from the end of the tables, and
after `_MOST_LOOKED_AT` of them the answer is a page that says where to go on.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice

from receiver.document import Value, encode
from receiver.tasks.database import damages
from receiver.tasks.journal import (
    Activity,
    Arrival,
    Done,
    Entry,
    Health,
    Latest,
    Page,
    Verdict,
    Wanted,
    is_trial,
    matches,
    read_events,
)
from receiver.tasks.ledger import bounds
from receiver.tasks.statements import text

_MOST_LOOKED_AT = 4096
"""Entries that one question reads: some tens of milliseconds, in which no delivery is answered."""
_LATE = 2.0
"""Seconds by which a note may be entered after deliveries that came after it."""
_PIECE = 256
_BEYOND = 2**62

_ArrivalRow = tuple[int, float, float | None, str, Verdict, str | None, str | None, str | None, str, int, int]


def page(connection: sqlite3.Connection, wanted: Wanted, *, limit: int, before: int | None) -> Page:
    """Entries below ``before``, the newest first."""
    found: list[Entry] = []
    upper = _BEYOND if before is None else before
    # A question for one entry, such as the last event of an addon, shall not read hundreds.
    piece = min(_PIECE, 2 * limit)
    candidates = _matching(connection, wanted, after=-1, before=upper, piece=piece)
    for looked_at, (number, entry) in enumerate(candidates, start=1):
        if entry is not None:
            found.append(entry)
        if len(found) >= limit or looked_at >= _MOST_LOOKED_AT:
            return Page(entries=tuple(found), before=number)
    return Page(entries=tuple(found), before=None)


def after(connection: sqlite3.Connection, wanted: Wanted, *, number: int, limit: int) -> list[Entry]:
    """Entries above ``number``, the oldest first."""
    entries = _matching(connection, wanted, after=number, before=_BEYOND, newest_first=False)
    return list(islice((entry for _, entry in entries if entry is not None), limit))


def latest(connection: sqlite3.Connection, repositories: Collection[str]) -> dict[str, Latest]:
    """The last event and the last sync of each: mostly the last entries that mention it, which are read in one go."""
    words = [f"{kind} {name}" for name in repositories for kind in ("event", "activity")]
    last = dict(connection.execute(text("last_mentions"), {"words": encode(words).decode()}).fetchall())
    entries = _read(connection, list(last.values()))
    found = {}
    for name in repositories:
        event = sync = None
        if (number := last.get(f"event {name}")) is not None:
            entry = entries.get(number)
            known = entry if isinstance(entry, Arrival) and not is_trial(entry) else None
            event = known or _last_event(connection, name)
        if (number := last.get(f"activity {name}")) is not None:
            entry = entries.get(number)
            sync = entry if isinstance(entry, Done) and entry.activity.kind == "sync" else _last_sync(connection, name)
        found[name] = Latest(event=event, sync=sync)
    return found


def health(connection: sqlite3.Connection) -> Health:
    """Numbers, and what a check of the small tables finds: one of the bodies would hold senders up for seconds."""
    count, oldest, latest = connection.execute(text("health")).fetchone()
    begin, end = bounds(connection)
    return Health(entries=count, bytes=end - begin, oldest=oldest, newest=latest, problems=tuple(damages(connection)))


def newest(connection: sqlite3.Connection) -> int:
    """The number of the newest entry; -1 where there is none."""
    last = _Between(after=-1, before=_BEYOND, newest_first=True, piece=1)
    return max(next(_stream(connection, name, last), -1) for name in _TABLES)


def _last_event(connection: sqlite3.Connection, repository: str) -> Arrival | None:
    wanted = Wanted(repository=repository, arrivals=True, trials=False)
    entry = next(iter(page(connection, wanted, limit=1, before=None).entries), None)
    return entry if isinstance(entry, Arrival) else None


def _last_sync(connection: sqlite3.Connection, repository: str) -> Done | None:
    wanted = Wanted(repository=repository, arrivals=False, kind="sync")
    entry = next(iter(page(connection, wanted, limit=1, before=None).entries), None)
    return entry if isinstance(entry, Done) else None


def _matching(
    connection: sqlite3.Connection,
    wanted: Wanted,
    *,
    after: int,
    before: int,
    newest_first: bool = True,
    piece: int = _PIECE,
) -> Iterator[tuple[int, Entry | None]]:
    """Every candidate's number in order, with its entry where that is wanted."""
    after, before = _within_time(connection, wanted, after, before)
    between = _Between(after=after, before=before, newest_first=newest_first, piece=piece)
    numbers = _candidates(connection, wanted, between)
    while some := list(islice(numbers, piece)):
        entries = _read(connection, some)
        for number in some:
            entry = entries.get(number)
            yield number, entry if entry is not None and matches(entry, wanted) else None


def _within_time(connection: sqlite3.Connection, wanted: Wanted, after: int, before: int) -> tuple[int, int]:
    """The numbers between which all is that has the time."""
    if wanted.until is not None:
        before = min(before, around(connection, wanted.until + _LATE)[1])
    if wanted.since is not None:
        after = max(after, around(connection, wanted.since)[0])
    return after, before


def around(connection: sqlite3.Connection, when: float) -> tuple[int, int]:
    """The last delivery before ``when`` and the first from then on; -1 and a number beyond all where there is none.

    Found by halving: deliveries are in the order of time, unless the clock was put back.
    """
    last, first = -1, _BEYOND
    low, high = bounds(connection)
    while low < high:
        middle = (low + high) // 2
        number, received = connection.execute(text("next_from"), {"number": middle}).fetchone() or (_BEYOND, when)
        if received < when:
            last, low = number, number + 1
        else:
            first, high = number, middle
    return last, first


class _Between(Value, frozen=True, kw_only=True):
    """Which numbers are read, in which order, and how many at once."""

    after: int
    before: int
    newest_first: bool
    piece: int


def _candidates(connection: sqlite3.Connection, wanted: Wanted, between: _Between) -> Iterator[int]:
    streams = [_stream(connection, name, between, word=word) for name, word in _sources(wanted)]
    return _distinct(merge(*streams, reverse=between.newest_first))


_TABLES = ("deliveries", "asides", "activities")
_TELLING = ("duplicate", "refused", "replayed")
"""Verdicts without a body of which nobody tires."""
_STATEMENTS = {
    "deliveries": ("deliveries_before", "deliveries_after"),
    "asides": ("asides_before", "asides_after"),
    "activities": ("activities_before", "activities_after"),
    "mentions": ("mentions_before", "mentions_after"),
}
"""For the newest first, and for the oldest first."""


def _sources(wanted: Wanted) -> list[tuple[str, str | None]]:
    """The index under the rarest word that is asked for; the tables where none is."""
    arrivals = wanted.arrivals is not False and wanted.kind is None
    activities = wanted.arrivals is not True and wanted.sender is None and wanted.verdict is None
    if wanted.repository is not None:
        kinds = [("event", arrivals), ("activity", activities)]
        return [("mentions", f"{kind} {wanted.repository}") for kind, asked in kinds if asked]
    if wanted.verdict == "accepted" and wanted.sender is None:
        return [("deliveries", None)] if arrivals else []
    for kind, word in (("verdict", wanted.verdict), ("sender", wanted.sender)):
        if word is not None and word != "accepted":
            return [("mentions", f"{kind} {word}")] if arrivals else []
    if wanted.kind is not None:
        return [("mentions", f"kind {wanted.kind}")] if activities else []
    found: list[tuple[str, str | None]] = []
    if arrivals and wanted.quiet:
        found = [("deliveries", None), *(("mentions", f"verdict {verdict}") for verdict in _TELLING)]
    elif arrivals:
        found = [("deliveries", None), ("asides", None)]
    return [*found, ("activities", None)] if activities else found


def _stream(connection: sqlite3.Connection, name: str, between: _Between, *, word: str | None = None) -> Iterator[int]:
    """The numbers between, a piece at a time, so that what is not looked at is not read."""
    statement = text(_STATEMENTS[name][0 if between.newest_first else 1])
    after, before = between.after, between.before
    while True:
        values = {"after": after, "before": before, "most": between.piece, "word": word}
        piece = [number for (number,) in connection.execute(statement, values)]
        yield from piece
        if len(piece) < between.piece:
            return
        if between.newest_first:
            before = piece[-1]
        else:
            after = piece[-1]


def _distinct(numbers: Iterator[int]) -> Iterator[int]:
    before = None
    for number in numbers:
        if number != before:
            yield number
        before = number


def _read(connection: sqlite3.Connection, numbers: Sequence[int]) -> Mapping[int, Entry]:
    ids = {"ids": encode(numbers).decode()}
    found: dict[int, Entry] = {row[0]: _arrival(row) for row in connection.execute(text("arrivals"), ids)}
    for number, at, kind, outcome, repository, document in connection.execute(text("activities"), ids):
        activity = Activity(at=at, kind=kind, outcome=outcome, repository=repository, document=document)
        found[number] = Done(id=number, activity=activity)
    return found


def _arrival(row: _ArrivalRow) -> Arrival:
    number, received, answered, sender, verdict, reason, address, origin, events, size, count = row
    return Arrival(
        id=number,
        received=received,
        answered=answered,
        sender=sender,
        verdict=verdict,
        reason=reason,
        address=address,
        origin=origin,
        events=read_events(events),
        size=size,
        count=count,
    )
