"""What journal and metrics cost the endpoint: its rate beside that of the same server without them."""

import statistics
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.intake import fresh_deliveries, rate, require_wrk
from tests.benchmarks.measure import Report, Row
from tests.support.docker_registry import free_port
from tests.support.system import Host, Serving

_GOAL = 0.9
_SECONDS = 2
"""Many short bouts: what disturbs one (a checkpoint, a neighbour) is a tenth of the rate too."""


def cost(root: Path, report: Report, rounds: int = 12) -> None:
    """All servers run, and are asked in turns."""
    require_wrk()
    delivery = fresh_deliveries()
    names = ("whole", "identifiers", "bodies", "nothing")
    rates: dict[str, list[float]] = {name: [] for name in names}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(_server(root, name)) for name in names}
        for number in range(rounds + 1):
            # Another first each time: what one has written is brought to the disk while the next is measured.
            for name in (*names[number % 4 :], *names[: number % 4]):
                found = rate(root, delivery, f"{name[0]}{number:03x}", servers[name].url, seconds=_SECONDS)
                if number:  # the first is for warming up
                    rates[name].append(found)
    whole, identifiers, bodies, nothing = (statistics.median(rates[name]) for name in names)
    for work, other in (
        ("notifications with journal and metrics, beside a server with neither, which keeps identifiers", identifiers),
        ("… beside one that keeps the bodies besides", bodies),
    ):
        reached = whole >= _GOAL * other
        report.rows.append(Row(work, "0.9 (more is better)", whole, other, unit="/s", reached=reached))
    report.rows.append(Row("… beside one that writes nothing to the disk", "", whole, nothing, unit="/s"))


def _server(root: Path, name: str) -> Serving:
    host = Host(root / name, f"http://127.0.0.1:{free_port()}")
    host.settings["BENCH_KEEPS"] = name
    serving = host.serve()
    if name != "whole":
        serving.module = "tests.benchmarks.without"
    return serving
