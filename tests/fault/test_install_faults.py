"""A disk that fails while an addon is installed: at every call, the release that was there stays, or the new one is."""

import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from receiver.errors import CatalogError, InstallError
from tests.support.disk_faults import Act, fail_once, full_from, undisturbed, watched
from tests.support.install_scene import Scene, quick_folder
from tests.support.releases import EXCHANGES, catalog_store, snapshot

_FAULTS: dict[str, Callable[[int], Act]] = {
    "EIO-once": lambda at: fail_once(at, (errno.EIO, errno.EACCES)[at % 2]),
    "ENOSPC-from-here": full_from,
}

pytestmark = pytest.mark.timeout(600)  # thousands of installations: seconds alone, minutes on a busy machine


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with quick_folder() as folder:
        yield Scene(folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.mark.parametrize("exchange", ["atomic", pytest.param("two-renames", marks=pytest.mark.slow)])
@pytest.mark.parametrize("fault", _FAULTS)
def test_a_fault_at_any_call_leaves_old_or_new(folder: Path, scene: Scene, fault: str, exchange: str) -> None:
    """Every call fails once; each time it is one typed error, old or new after a start, or new by repetition."""
    before, after = scene.expected(first=False)
    swap = EXCHANGES[exchange]
    refused, points = 0, 0
    for at in range(1, 5000):
        root = scene.copy(folder / "k", first=False)
        store = catalog_store(root, exchange=swap, prepare=False)
        with watched(_FAULTS[fault](at)) as disk:
            error = _failure(lambda: store.install(scene.release(first=False)))  # noqa: B023 - called at once
        if isinstance(error, InstallError) and "the previous release is in place" in str(error):
            assert snapshot(root / "addons") == before, f"{error}, but it is not (call {at}, {disk.log[at - 1]})"
            refused += 1
        if at % 2:
            scene.recover(root, swap)
            wanted = {"old"} if "in place" in str(error) else {"old", "new"} if error else {"new"}
            assert scene.end(root, before=before, after=after) in wanted
        else:
            with watched(undisturbed):
                store.install(scene.release(first=False))
            assert snapshot(root / "addons") == after
            scene.recover(root, swap)
            assert scene.end(root, before=before, after=after) == "new"
        shutil.rmtree(root)
        points += 1
        if len(disk.log) < at:
            break
    print(f"{points} faults, {refused} refused with the old release in place")  # noqa: T201 - how many points were tried is the result
    assert refused > 50


def _failure(install: Callable[[], object]) -> CatalogError | None:
    """The error of an installation; anything but a CatalogError fails the test."""
    try:
        install()
    except CatalogError as error:
        return error
    return None
