"""``./scripts/bench``: run the benchmarks and print a table; ``--write`` puts it into ``docs/benchmarks.md``."""

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.answers import answers
from tests.benchmarks.cost import cost
from tests.benchmarks.delivery import Bench
from tests.benchmarks.intake import intake
from tests.benchmarks.measure import Report, Row
from tests.benchmarks.packing import packing
from tests.benchmarks.replaying import replay

_ROOT = Path(__file__).parents[2]
_MARK = ("<!-- table -->", "<!-- end of table -->")
NAMES = ("one", "twenty", "large", "many", "images", "packing", "intake", "cost", "replay", "journal")
_MEMORY_GOAL = 100.0
"""MiB, of the receiver in all of the benchmarks."""


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("only", nargs="*", help=f"some of: {', '.join(NAMES)} (default: all)")
    parser.add_argument("--yardstick", type=Path, default=_ROOT.parent / "shared" / "bench" / "peer-sync.sh")
    parser.add_argument("--write", action="store_true", help="write the table into docs/benchmarks.md")
    arguments = parser.parse_args()
    yardstick = arguments.yardstick if arguments.yardstick.is_file() else None
    if yardstick is None:
        print(f"no yardstick at {arguments.yardstick}: only this project is measured, no ratio", file=sys.stderr)
    report = Report()
    root = Path(tempfile.mkdtemp(prefix="addon-sync-bench-"))
    try:
        bench = Bench(root, yardstick, report)
        everything: dict[str, Callable[[], None]] = {
            "one": bench.one_addon,
            "twenty": bench.twenty,
            "large": bench.large,
            "many": bench.many,
            "images": bench.images,
            "intake": lambda: intake(root, report),
            "packing": lambda: packing(root, report),
            "cost": lambda: cost(root, report),
            "replay": lambda: replay(root, report),
            "journal": lambda: answers(root, report),
        }
        for name in arguments.only or everything:
            print(f"… {name}", file=sys.stderr, flush=True)
            everything[name]()
    finally:
        # Deleted last: the file system's discards would disturb what is measured after them.
        shutil.rmtree(root, ignore_errors=True)
    _memory(report)
    table = _table(report)
    print(table)
    if arguments.write:
        _write(table)
    return 0


def _memory(report: Report) -> None:
    if report.memory:
        what, most = max(report.memory.items(), key=lambda item: item[1])
        note = "by benchmark, MiB: " + ", ".join(f"{name} {size:.0f}" for name, size in report.memory.items())
        row = Row(f"memory of the receiver, at most (in: {what})", "100 MiB", most, unit="MiB", note=note)
        row.reached = most <= _MEMORY_GOAL
        report.rows.append(row)


def _table(report: Report) -> str:
    lines = ["| work | goal | ours | yardstick | ratio | reached |", "|---|---|---|---|---|---|"]
    for row in report.rows:
        ratio = f"{row.ratio:.3f}" if row.ratio is not None else ""
        theirs = _number(row.yardstick, row.unit) if row.yardstick else ""
        reached = "" if not row.goal else "yes" if row.reached else "**no**"
        lines.append(f"| {row.work} | {row.goal} | {_number(row.ours, row.unit)} | {theirs} | {ratio} | {reached} |")
        if row.note:
            lines.append(f"| … {row.note} | | | | | |")
    return "\n".join(lines)


def _number(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"


def _machine() -> str:
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown",
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores ({cpu}), {memory:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )


def _write(table: str) -> None:
    path = _ROOT / "docs" / "benchmarks.md"
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(_MARK[0])
    _, after = rest.split(_MARK[1])
    path.write_text(f"{before}{_MARK[0]}\n{_machine()}\n\n{table}\n{_MARK[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
