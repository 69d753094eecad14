"""Stopwatch, medians, and what a process used."""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Used:
    """A finished process: wall-clock seconds and the most memory that it had resident, in MiB."""

    seconds: float
    mebibytes: float


@dataclass
class Row:
    """A line of the table; times in seconds unless ``unit`` says otherwise."""

    work: str
    goal: str
    ours: float
    yardstick: float | None = None
    reached: bool = True
    unit: str = "s"
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours to the yardstick's."""
        return self.ours / self.yardstick if self.yardstick else None


@dataclass
class Report:
    """The rows so far, and the largest memory seen of the receiver."""

    rows: list[Row] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)

    def remember(self, what: str, mebibytes: float) -> None:
        self.memory[what] = max(self.memory.get(what, 0.0), mebibytes)


# A process begins with the memory of the one that made it, and its maximum never falls: a small one makes it.
_LAUNCHER = """
import json, os, sys, time
started = time.perf_counter()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ), 0)
with open(sys.argv[1], "w") as file:
    json.dump([os.waitstatus_to_exitcode(status), time.perf_counter() - started, usage.ru_maxrss / 1024], file)
"""


def run(command: Sequence[str], environment: Mapping[str, str]) -> Used:
    """Run ``command`` to its successful end."""
    with tempfile.NamedTemporaryFile("r") as result:
        launcher = [sys.executable, "-S", "-c", _LAUNCHER, result.name, *command]
        done = subprocess.run(launcher, env=environment, capture_output=True, check=True)
        code, seconds, mebibytes = json.load(result)
    if code != 0:
        raise RuntimeError(f"{command} ended with {code}:\n{done.stdout.decode(errors='replace')[-4000:]}")
    return Used(seconds=seconds, mebibytes=mebibytes)


def side_by_side(rounds: int, first: Callable[[int], float], second: Callable[[int], float]) -> tuple[float, float]:
    """Medians of both, taken in turns, so that a noisy moment of the machine meets both alike."""
    ours, theirs = [], []
    for number in range(rounds):
        ours.append(first(number))
        theirs.append(second(number))
    return statistics.median(ours), statistics.median(theirs)


def peak_mebibytes(pid: int) -> float:
    """The most memory that a running process had resident (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM")
