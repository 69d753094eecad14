"""Twenty addons of a catalogue into a registry: our two commands, beside ``tar`` and ``skopeo copy``."""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

from tests.benchmarks import artifacts
from tests.benchmarks.measure import Report, Row, run, side_by_side
from tests.support.addons import manifest_yaml, write_tree
from tests.support.docker_registry import DockerRegistry
from tests.support.system import Host

_COUNT = 20
_GOAL = 1 / 2
_SCRIPT = Path(__file__).with_name("tar-and-skopeo.sh")


def packing(root: Path, report: Report, rounds: int = 5) -> None:
    """Everything is new to the registry: each round has contents of its own, the same for both."""
    ours, theirs = DockerRegistry(), DockerRegistry()
    with ours, theirs:
        steps: list[tuple[float, float]] = []

        def mine(number: int) -> float:
            host = _host(root, number)
            out = host.root / "out"
            command = [sys.executable, "-m", "receiver"]
            exported = run(
                [*command, "export", "--all", "-d", str(out), "--omit-images", "--omit-packages"], host.environment()
            )
            (archive,) = out.iterdir()
            pushed = run([*command, "push", str(archive), ours.authority], host.environment())
            report.remember("20 exported", exported.mebibytes)
            report.remember("20 pushed", pushed.mebibytes)
            steps.append((exported.seconds, pushed.seconds))
            return exported.seconds + pushed.seconds

        def other(number: int) -> float:
            host = _host(root, number)
            started = time.perf_counter()
            command = ["bash", str(_SCRIPT), str(host.addons), theirs.authority]
            subprocess.run(command, check=True, capture_output=True, env=dict(os.environ))
            return time.perf_counter() - started

        median, yardstick = side_by_side(rounds, mine, other)
    work = f"{_COUNT} addons exported and pushed (yardstick: tar and skopeo copy)"
    report.rows.append(Row(work, "1/2", median, yardstick, reached=median / yardstick <= _GOAL))
    for name, index in (("export", 0), ("push", 1)):
        seconds = sorted(step[index] for step in steps)[len(steps) // 2]
        report.rows.append(Row(f"… of that, {name}", "", seconds))


def _host(root: Path, number: int) -> Host:
    """A catalogue of twenty typical addons, which is another one in every round."""
    host = Host(root / f"packing-{uuid.uuid4().hex[:8]}", "http://127.0.0.1:9")
    (host.install_dir / "VERSION").write_text("1.4.0\n", encoding="utf-8")
    for count in range(_COUNT):
        name = f"addon-{count:02}"
        tree = artifacts.typical_tree(name, f"v{number}.0.{count:02}")
        write_tree(host.addons / name, {**tree, "addon.manifest.yaml": manifest_yaml(name, name)})
    return host
