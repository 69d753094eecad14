"""``addon-sync serve`` killed at random moments under load: nothing acknowledged is lost, no addon is ever torn.

What is shown is the death of the process, not the loss of power.
"""

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.install_scene import quick_folder
from tests.support.kill_load import UNITS, Load, Operator, check_catalogue
from tests.support.releases import leftovers
from tests.support.system import Host, Serving, wait_for

_MOMENTS = {"start": 3, "recovery": 4, "load": 3, "install": 7, "idle": 3}
"""When to kill, and how often each: some time after the process was made, after it took the lock and recovers, while
it takes notifications, in the middle of an installation, and after all that was acknowledged is done."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory: a process that dies takes nothing with it that it has written; a slow disk would show no more."""
    with quick_folder() as folder:
        yield folder


class Killing:
    """One host under load, and the kills."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        (folder / "scratch").mkdir()
        self.load = Load(folder / "scratch")
        self.counted: Counter[str] = Counter()
        self._folder = folder

    def run(self, kills: int) -> str:
        """Kill so many times, then check what is left; what was tried."""
        began = time.monotonic()
        with self.load.registry as registry:
            self.host = Host(self._folder / "host", registry.url)
            self.operator = Operator(self.host.addons, self.host.state, random.Random(self.seed))
            for unit in UNITS:
                self.load.push(unit)
            for _ in range(kills - 1):
                self._live_and_die(self.chance.choices(list(_MOMENTS), list(_MOMENTS.values()))[0])
            self._live_and_die("end")
        return self._told(kills, time.monotonic() - began)

    def _live_and_die(self, moment: str) -> None:
        """Start, kill at ``moment``, look at what is there, and let the operator work on it."""
        self.counted[moment] += 1
        serving = self.host.serve()
        serving.launch()
        try:
            self._wait_for(moment, serving)
        finally:
            serving.kill()
        self._check_dead(moment)
        if self.chance.random() < 0.5:
            self.operator.work()

    def _wait_for(self, moment: str, serving: Serving) -> None:
        if moment == "start":
            time.sleep(self.chance.uniform(0, 0.8))
        elif moment == "recovery":
            note = self.host.state / "engine.json"
            wait_for("it holds the lock", lambda: note.exists() and f'"pid":{serving.pid},' in note.read_text())
            time.sleep(self.chance.uniform(0, 0.1))
        elif moment == "idle":
            serving.wait_until_listening()
            self._drain(serving)
        elif moment == "end":
            serving.wait_until_listening()
            self._drain(serving)
            wait_for("nothing is queued", lambda: sum(_tasks(serving).values()) == 0, seconds=60)
            # Old trees are removed when nothing else is to do, one after the other.
            patience = 30.0 + len(leftovers(self.host.install_dir))
            wait_for("nothing is left over", lambda: not leftovers(self.host.install_dir), seconds=patience)
        else:
            serving.wait_until_listening()
            with self.load.running(serving, self.chance.randrange(2**32)):
                self._wait_under_load(moment)
                serving.kill()

    def _wait_under_load(self, moment: str) -> None:
        if moment == "load":
            time.sleep(self.chance.uniform(0, 0.3))
            return
        enough = self.load.deliveries - self.load.refused + self.chance.randrange(12)
        wait_for("notifications are taken", lambda: self.load.deliveries - self.load.refused >= enough)
        transactions = self.host.state / "transactions"
        known = {*transactions.iterdir()}
        wait_for("an installation begins", lambda: {*transactions.iterdir()} - known)
        time.sleep(self.chance.uniform(0, 0.03))

    def _check_dead(self, moment: str) -> None:
        """As the operator finds it, before any recovery."""
        if not self.host.addons.exists():
            return
        versions = check_catalogue(self.host.addons, self.load, self.operator)
        unfinished = list((self.host.state / "transactions").glob("*"))
        promised = [folder for folder in unfinished if (folder / "journal.json").exists()]
        self.counted["died with a transaction"] += bool(unfinished)
        self.counted["died with a promise"] += bool(promised)
        # Before the last moment, somebody may still have been heard whose answer was lost.
        at_rest = moment in {"idle", "end"} and not promised
        self.operator.check_edits(at_rest=at_rest)
        if at_rest:
            digests = {unit.leaf: self.host.digest(unit.leaf) for unit in UNITS}
            recorded = {leaf: self.load.pushed[leaf].versions[digest] for leaf, digest in digests.items() if digest}
            assert recorded == versions
        assert moment != "end" or not unfinished

    def _drain(self, serving: Serving) -> None:
        """Wait until everything is done: with no event and no poll, what was acknowledged is installed.

        So that no later event hides that an earlier one was lost.
        """
        for leaf in self.load.pushed:
            wait_for(f"{leaf} catches up: {serving.lines}", partial(self._caught_up, leaf))
        wait_for("nothing runs", lambda: _tasks(serving)["leased"] == 0)

    def _caught_up(self, leaf: str) -> bool:
        pushed = self.load.pushed[leaf]
        digest = self.host.digest(leaf)
        return pushed.acknowledged <= (0 if digest is None else pushed.versions[digest])

    def _told(self, kills: int, seconds: float) -> str:
        pushes = sum(pushed.newest for pushed in self.load.pushed.values())
        return (
            f"seed {self.seed}: {kills} kills in {seconds:.1f} s ({kills / seconds:.2f} a second), "
            f"{dict(self.counted)}, {pushes} pushes, {self.load.deliveries} deliveries of which {self.load.refused} "
            f"were not taken, {len(self.operator.edits)} edits"
        )


def _tasks(serving: Serving) -> dict[str, float]:
    """How many tasks are in each state."""
    counts = re.findall(r'(?m)^addon_sync_queue_tasks\{state="(\w+)"\} (\S+)$', serving.text("/metrics"))
    return {state: float(count) for state, count in counts}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", [1, 2])
def test_25_random_kills_under_load(
    folder: Path, seeded: random.Random, part: int, shown: Callable[[object], None]
) -> None:
    """Whenever it is killed: whole addons, no lost event, nothing of the operator's gone, nothing left behind."""
    shown(Killing(folder, seeded.randrange(2**32) + part).run(25))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_1000_random_kills_under_load(folder: Path, seeded: random.Random, shown: Callable[[object], None]) -> None:
    """The same for long; enough of the kills come in the middle of an installation."""
    killing = Killing(folder, seeded.randrange(2**32))
    shown(killing.run(1000))
    assert killing.counted["died with a transaction"] > 100
    assert killing.counted["died with a promise"] > 10
