"""A process that dies while it changes an addon, or recovers: in the end there is the old release or the new one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.crash_harness import CrashHarness
from tests.support.install_scene import CHANGES, Operation, Scene, quick_folder
from tests.support.releases import EXCHANGES

_EXCHANGES = pytest.mark.parametrize("exchange", EXCHANGES)
_OPERATIONS = pytest.mark.parametrize("operation", CHANGES)

pytestmark = pytest.mark.timeout(600)  # thousands of starts: seconds alone, minutes on a busy machine


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with quick_folder() as folder:
        yield Scene(folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@_EXCHANGES
@_OPERATIONS
def test_death_at_any_call_and_in_any_recovery_leaves_old_or_new(
    folder: Path, scene: Scene, operation: Operation, exchange: str, shown: Callable[[object], None]
) -> None:
    """Processes die before every call, and in each recovery before every call that would find yet another disk."""
    tally = CrashHarness(scene, operation, exchange, folder).explore()
    shown(tally)
    assert min(tally.ends.values()) > 0
    assert tally.processes >= tally.points[0]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@_EXCHANGES
@_OPERATIONS
def test_a_process_dies_before_every_call_of_every_recovery(
    folder: Path, scene: Scene, operation: Operation, exchange: str, shown: Callable[[object], None]
) -> None:
    """None is left out for finding a disk that another has found: it leaves the very disk that was foretold."""
    tally = CrashHarness(scene, operation, exchange, folder).explore(exhaustive=2)
    shown(tally)
    assert tally.processes == sum(tally.points)


@pytest.mark.slow
@_EXCHANGES
@_OPERATIONS
def test_any_number_of_deaths_leaves_old_or_new(
    folder: Path, scene: Scene, operation: Operation, exchange: str, shown: Callable[[object], None]
) -> None:
    """Recoveries of recoveries die too, until no death leaves a disk that was not recovered already."""
    tally = CrashHarness(scene, operation, exchange, folder).explore(rounds=None)
    shown(tally)
    assert tally.disks[-1] == 0
