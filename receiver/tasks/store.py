"""What the durable queue does with its tables, one function a statement or two; inside the caller's transaction."""

import sqlite3
from collections.abc import Collection
from typing import cast

from receiver.document import encode, replaced
from receiver.errors import LeaseLost
from receiver.tasks.journal import Kept, StoredDelivery, read_events
from receiver.tasks.ledger import bounds
from receiver.tasks.limits import LONGEST_WAIT
from receiver.tasks.statements import text
from receiver.tasks.task import TRANSITIONS, Lease, State, Task, Trigger

TRIM_BYTES = 4 * 1024 * 1024
"""Of deliveries that are forgotten in one transaction, at most."""
_Row = tuple[str, str, str, float, float, int, int, int, str | None, str | None, str | None]


def lease(
    connection: sqlite3.Connection, *, token: str, now: float, until: float, only: Collection[str] | None
) -> Lease | None:
    """Take the task that has been due longest; None where there is none."""
    names = None if only is None else _json(only)
    values = {"token": token, "until": until, "now": now, "longest": LONGEST_WAIT, "only": names}
    rows = connection.execute(text("lease"), values).fetchall()
    return Lease(task=_task(rows[0]), token=token, until=until) if rows else None


def renew(connection: sqlite3.Connection, held: Lease, until: float) -> Lease:
    """Keep a lease.

    Raises:
        LeaseLost: nothing was changed; so it is for `take`.
    """
    if connection.execute(text("renew"), {"token": held.token, "until": until}).rowcount == 0:
        raise _lost(held)
    return replaced(held, until=until)


def take(connection: sqlite3.Connection, held: Lease) -> Task:
    """End a lease: its task is out of the list now, and what becomes of it is put in anew."""
    rows = connection.execute(text("take"), {"token": held.token}).fetchall()
    if not rows:
        raise _lost(held)
    return _task(rows[0])


def take_overdue(connection: sqlite3.Connection, now: float | None) -> list[Task]:
    """End the leases that ran out by ``now``, or all; their tasks are out of the list."""
    return [_task(row) for row in connection.execute(text("take_overdue"), {"now": now}).fetchall()]


def requeue(connection: sqlite3.Connection, task: Task, *, verb: str, waits: bool = False) -> None:
    """Queue ``task``, which was leased; where one was queued meanwhile and ``waits``, that one's due time holds."""
    connection.execute(text("requeue"), {**_values(task), "state": TRANSITIONS[State.LEASED, verb], "waits": waits})


def park(connection: sqlite3.Connection, task: Task) -> None:
    """Park ``task``, which was leased, in the place of an older parked one."""
    connection.execute(text("park"), {**_values(task), "state": TRANSITIONS[State.LEASED, "park"]})


def discard(connection: sqlite3.Connection, repositories: Collection[str]) -> int:
    """Forget parked tasks; how many there were."""
    return connection.execute(text("discard"), {"repositories": _json(repositories)}).rowcount


def all_tasks(connection: sqlite3.Connection) -> list[Task]:
    """The whole list."""
    return [_task(row) for row in connection.execute(text("tasks"))]


def parked(connection: sqlite3.Connection, repository: str) -> Task | None:
    """The parked task of ``repository``."""
    row = connection.execute(text("parked"), {"repository": repository}).fetchone()
    return None if row is None else _task(row)


def next_due(connection: sqlite3.Connection) -> float | None:
    """When the next task that can be leased is due."""
    return cast("float | None", connection.execute(text("next_due")).fetchone()[0])


def known_names(connection: sqlite3.Connection) -> list[str]:
    """Every repository that was named."""
    return [name for (name,) in connection.execute(text("repositories"))]


def evict_repositories(connection: sqlite3.Connection, most: int) -> list[str]:
    """Forget the oldest names that nothing waits for; which."""
    return [name for (name,) in connection.execute(text("forget_repositories"), {"most": most}).fetchall()]


def page(connection: sqlite3.Connection, *, after: int, last: int, filters: dict[str, object]) -> list[StoredDelivery]:
    """The deliveries with an id above ``after`` and up to ``last`` that pass ``filters``."""
    return [_delivery(row) for row in connection.execute(text("page"), {"after": after, "last": last, **filters})]


def delivery(connection: sqlite3.Connection, number: int) -> StoredDelivery | None:
    """The delivery with this number."""
    row = connection.execute(text("delivery"), {"id": number}).fetchone()
    return None if row is None else _delivery(row)


def trim(connection: sqlite3.Connection, *, before: float, max_bytes: int, most: int) -> int:
    """Forget at most ``most`` entries of each kind: too old ones, then the oldest deliveries beyond ``max_bytes``."""
    count = connection.execute(text("trim_old"), {"before": before, "most": most, "bytes": TRIM_BYTES}).rowcount
    if not count:
        count = trim_below(connection, bounds(connection)[1] - max_bytes, most=most)
    for name in ("trim_asides", "trim_activities"):
        count += connection.execute(text(name), {"before": before, "most": most}).rowcount
    return count


def trim_below(connection: sqlite3.Connection, floor: int, *, most: int) -> int:
    """Forget at most ``most`` of the oldest deliveries below ``floor``; how many."""
    values = {"floor": floor, "most": most, "bytes": TRIM_BYTES}
    return connection.execute(text("trim_below"), values).rowcount


def all_terms(connection: sqlite3.Connection) -> list[int]:
    """The numbers of all words of the index."""
    return [number for number, _ in connection.execute(text("terms"))]


def trim_mentions(connection: sqlite3.Connection, term: int, *, most: int) -> int:
    """Forget at most ``most`` mentions under ``term`` of entries that are gone; how many."""
    return connection.execute(text("trim_mentions"), {"term": term, "floor": _floor(connection), "most": most}).rowcount


def trim_answers(connection: sqlite3.Connection, *, most: int) -> int:
    """Forget at most ``most`` times of answers to deliveries that are gone; how many."""
    return connection.execute(text("trim_answers"), {"floor": _floor(connection), "most": most}).rowcount


def _floor(connection: sqlite3.Connection) -> int:
    (floor,) = connection.execute(text("floor")).fetchone()
    return bounds(connection)[1] if floor is None else floor


def _task(row: _Row) -> Task:
    repository, state, trigger, due, created, attempts, looks, force, error, error_kind, digest = row
    return Task(
        repository=repository,
        state=State(state),
        trigger=Trigger(trigger),
        due=due,
        created=created,
        attempts=attempts,
        looks=looks,
        force=bool(force),
        error=error,
        error_kind=error_kind,
        digest=digest,
    )


def _values(task: Task) -> dict[str, object]:
    return {
        "repository": task.repository,
        "trigger": task.trigger,
        "revives": task.trigger.rank,
        "due": task.due,
        "created": task.created,
        "attempts": task.attempts,
        "looks": task.looks,
        "force": task.force,
        "error": task.error,
        "error_kind": task.error_kind,
        "digest": task.digest,
    }


def _delivery(row: tuple[int, str, float, Kept, str | None, str | None, bytes, bytes, str]) -> StoredDelivery:
    number, sender, received, verdict, reason, address, headers, body, events = row
    return StoredDelivery(
        id=number,
        sender=sender,
        received=received,
        verdict=verdict,
        reason=reason,
        headers=headers,
        body=body,
        events=read_events(events),
        address=address,
    )


def _lost(held: Lease) -> LeaseLost:
    return LeaseLost(f"the lease of {held.task.repository} ran out or was reported already")


def _json(names: Collection[str]) -> str:
    return encode(list(names)).decode()
