"""``addon-sync`` with a journal that keeps nothing and metrics that count nothing, to measure what they cost.

With ``BENCH_KEEP_BODIES`` deliveries are stored with their bodies, as they were before there was more to a journal than
what a replay needs; what else it has is left out all the same.
"""

import os

from receiver import metrics
from receiver.cli import main
from receiver.tasks.intake import Intakes
from receiver.tasks.ledger import Ledger


def _nothing(*_: object, **__: object) -> None:
    return None


def _forget_journal(*, bodies: bool) -> None:
    for name in ("mention", "note", "settle", "committed", "add", "record"):
        setattr(Ledger, name, _nothing)
    if not bodies:
        Intakes._store = _nothing  # type: ignore[method-assign] # that is the point


def _forget_metrics() -> None:
    for name in ("delivery", "ignored", "missed_event", "sync", "registry_bytes", "registry_request"):
        setattr(metrics.Metrics, name, _nothing)


if __name__ == "__main__":
    _forget_journal(bodies="BENCH_KEEP_BODIES" in os.environ)
    _forget_metrics()
    main()
