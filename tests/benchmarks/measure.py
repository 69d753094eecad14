"""Stopwatch, medians, and what a process used."""

import os
import statistics
import subprocess
import time
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


def run(command: Sequence[str], environment: Mapping[str, str]) -> Used:
    """Run ``command`` to its successful end."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    output = process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode != 0:
        raise RuntimeError(f"{command} ended with {process.returncode}:\n{output.decode(errors='replace')[-4000:]}")
    return Used(seconds=seconds, mebibytes=usage.ru_maxrss / 1024)


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
