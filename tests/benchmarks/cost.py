"""What journal and metrics cost the endpoint: its rate beside that of the same server without them."""

from pathlib import Path

from tests.benchmarks.intake import fresh_deliveries, rate, require_wrk
from tests.benchmarks.measure import Report, Row, side_by_side
from tests.support.docker_registry import free_port
from tests.support.system import Host

_GOAL = 0.9


def cost(root: Path, report: Report, rounds: int = 5) -> None:
    """Both servers run, and are asked in turns."""
    require_wrk()
    delivery = fresh_deliveries()
    registry = f"http://127.0.0.1:{free_port()}"
    whole, without = Host(root / "whole", registry), Host(root / "without", registry)
    bare = without.serve()
    bare.module = "tests.benchmarks.without"
    with whole.serve() as serving, bare:

        def ours(number: int) -> float:
            return rate(root, delivery, f"a{number:03x}", serving.url)

        def theirs(number: int) -> float:
            return rate(root, delivery, f"b{number:03x}", bare.url)

        ours(0xFFF), theirs(0xFFF)
        mine, other = side_by_side(rounds, ours, theirs)
    report.rows.append(
        Row(
            "notifications with journal and metrics, beside the same server without",
            "0.9 (more is better)",
            mine,
            other,
            unit="/s",
            reached=mine >= _GOAL * other,
        )
    )
