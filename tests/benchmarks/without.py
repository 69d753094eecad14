"""``addon-sync`` with a journal that keeps next to nothing and metrics that count nothing, to measure what they cost.

``BENCH_KEEPS`` says what is stored of a delivery: ``identifiers``, which drop duplicates after a start, and which a
durable endpoint without any journal has to keep too; ``bodies`` besides, as before there was more to a journal than
what a replay needs; ``nothing``: then a commit has nothing to write, and no answer waits for the disk.
"""

import os
from typing import Any

from receiver import metrics
from receiver.cli import main
from receiver.document import replaced
from receiver.tasks.intake import Intakes
from receiver.tasks.journal import Event
from receiver.tasks.ledger import Ledger
from receiver.tasks.queue import Intake


def _nothing(*_: object, **__: object) -> None:
    return None


def _forget_journal(keeps: str) -> None:
    for name in ("mention", "note", "settle", "committed", "add", "record"):
        setattr(Ledger, name, _nothing)
    store = Intakes._store

    def identifiers(intakes: Intakes, batch: Any, intake: Intake, events: tuple[Event, ...]) -> None:
        few = tuple(Event(repository="", event_id=event.event_id) for event in events)
        store(intakes, batch, replaced(intake, headers=b"", body=b"", address=None), few)

    if keeps != "bodies":
        setattr(Intakes, "_store", identifiers if keeps == "identifiers" else _nothing)  # noqa: B010 - that is the point


def _forget_metrics() -> None:
    for name in ("delivery", "ignored", "missed_event", "sync", "registry_bytes", "registry_request"):
        setattr(metrics.Metrics, name, _nothing)


if __name__ == "__main__":
    _forget_journal(os.environ["BENCH_KEEPS"])
    _forget_metrics()
    main()
