"""A process that dies while it installs: after the next start there is the old release or the new one, whole."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver.catalog.filesystem import Exchange
from tests.support.disk_faults import dies
from tests.support.install_scene import Scene, quick_folder
from tests.support.releases import EXCHANGES

_EXCHANGES = pytest.mark.parametrize("exchange", EXCHANGES.values(), ids=EXCHANGES)

pytestmark = pytest.mark.timeout(600)  # thousands of installations: seconds alone, minutes on a busy machine


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with quick_folder() as folder:
        yield Scene(folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@_EXCHANGES
@pytest.mark.parametrize("first", [True, False], ids=["first", "update"])
def test_death_at_any_call_leaves_old_or_new(folder: Path, scene: Scene, exchange: Exchange, first: bool) -> None:
    """At every single call of the file system, in a real child process, with both ways of exchanging folders."""
    before, after = scene.expected(first=first)
    ends = {"old": 0, "new": 0}
    for at in range(1, 5000):
        root = scene.copy(folder / "k", first=first)
        died = dies(at, lambda: scene.install(root, exchange, first=first))  # noqa: B023 - called before the next round
        scene.check_visible(root, first=first, whole_units=exchange is not EXCHANGES["two-renames"])
        scene.recover(root, exchange)
        end = scene.end(root, before=before, after=after)
        ends[end] += 1
        shutil.rmtree(root)
        if not died:
            assert end == "new"
            break
    print(f"{sum(ends.values())} points of death: {ends}")  # noqa: T201 - how many points were tried is the result
    assert ends["old"] > 50
    assert ends["new"] > 20


@_EXCHANGES
def test_death_while_recovering_is_recovered_from(folder: Path, scene: Scene, exchange: Exchange) -> None:
    """Recovery is itself interrupted at every call, after a death in the middle of the exchanges."""
    before, after = scene.expected(first=False)
    middle = scene.middle(folder, exchange)
    points = 0
    for at in range(1, 5000):
        root = folder / "k"
        shutil.copytree(middle, root, symlinks=True)
        scene.renumber(middle, root)
        died = dies(at, lambda: scene.recover(root, exchange))  # noqa: B023 - called before the next round
        scene.recover(root, exchange)
        assert scene.end(root, before=before, after=after) == "new"
        shutil.rmtree(root)
        points += 1
        if not died:
            break
    print(f"{points} points of death in recovery")  # noqa: T201 - how many points were tried is the result
    assert points > 50
