"""A file of 100,000 recorded events, replayed with a running receiver and without: how fast, in how much memory."""

import json
import statistics
import sys
import uuid
from pathlib import Path

from tests.benchmarks import artifacts
from tests.benchmarks.measure import Report, Row, Used, peak_mebibytes, run
from tests.support.addons import push_addon
from tests.support.docker_registry import DockerRegistry
from tests.support.notifications import recorded
from tests.support.system import Host

_EVENTS = 100_000
_ADDONS = 14
_GOAL = 5000.0
_STEADY = 1.2
"""Times the memory of a tenth of the events."""


def replay(root: Path, report: Report, rounds: int = 3) -> None:
    """Every addon is synced once at most."""
    folder = root / "replay"
    folder.mkdir()
    whole, tenth = _written(folder / "whole.jsonl", _EVENTS), _written(folder / "tenth.jsonl", _EVENTS // 10)
    with DockerRegistry() as registry:
        for number in range(_ADDONS):
            name = f"addon-{number:02}"
            push_addon(registry.url, name, artifacts.typical(folder, name, "v1.0.0"))
        host = Host(root / "replaying", registry.url)
        small = _replayed(host, tenth, 1)
        alone = _replayed(host, whole, rounds)
        with host.serve() as serving:
            through = _replayed(host, whole, rounds)
            # At most one sync an addon follows, each time.
            syncs = host.json("events", "--kind", "sync", "--limit", "10000")
            assert len(syncs) == _ADDONS * (1 + 2 * rounds), f"{len(syncs)} syncs of {_ADDONS} addons"
            report.remember("replay, through serve", peak_mebibytes(serving.pid))
    for where, used in (("without a receiver", alone), ("through a receiver", through)):
        speed = _EVENTS / statistics.median(one.seconds for one in used)
        work = f"replay of {_EVENTS:,} recorded events {where}, one command"
        report.rows.append(Row(work, "5,000/s", speed, unit="/s", reached=speed >= _GOAL))
    most, little = max(one.mebibytes for one in alone), small[0].mebibytes
    row = Row("… its memory, beside that of a tenth of them", "1.2 times", most, little, unit="MiB")
    row.reached = most <= _STEADY * little
    report.rows.append(row)


def _replayed(host: Host, file: Path, rounds: int) -> list[Used]:
    return [run([sys.executable, "-m", "receiver", "replay", str(file)], host.environment()) for _ in range(rounds)]


def _written(path: Path, count: int) -> Path:
    document = json.loads(recorded("distribution-3-push-manifest-tag").body)
    event = document["events"][0]
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            event["id"] = str(uuid.UUID(int=number))
            event["target"]["repository"] = f"addons/addon-{number % _ADDONS:02}"
            file.write(json.dumps(document) + "\n")
    return path
