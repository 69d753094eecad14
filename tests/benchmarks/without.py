"""``addon-sync`` with a journal that keeps nothing and metrics that count nothing, to measure what they cost."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from receiver import metrics
from receiver.cli import main
from receiver.tasks.intake import Intakes
from receiver.tasks.ledger import Ledger


def _nothing(*_: object, **__: object) -> None:
    return None


def _forget_journal() -> None:
    for name in ("mention", "note", "settle", "committed", "add", "record"):
        setattr(Ledger, name, _nothing)
    Intakes._store = _nothing  # type: ignore[method-assign] # that is the point
    ended = Intakes._write

    def write(self: Intakes, connection: sqlite3.Connection, batch: Any) -> None:
        assert not batch.deliveries
        ended(self, connection, batch)

    Intakes._write = write  # type: ignore[method-assign] # so that no delivery slips through


def _forget_metrics(names: Sequence[str]) -> None:
    for name in names:
        setattr(metrics.Metrics, name, _nothing)


if __name__ == "__main__":
    _forget_journal()
    _forget_metrics(("delivery", "ignored", "missed_event", "sync", "registry_bytes", "registry_request"))
    main()
