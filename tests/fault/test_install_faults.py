"""A disk that fails while an addon is changed: at every call, the release that was there stays, or the new one is."""

import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from receiver.errors import CatalogError, InstallError, NotInstalled
from tests.support.disk_faults import Act, fail_once, full_from, undisturbed, watched
from tests.support.disk_images import Image, image
from tests.support.install_scene import Operation, Scene, quick_folder
from tests.support.releases import EXCHANGES

_FAULTS: dict[str, Callable[[int], Act]] = {
    "EIO-once": lambda at: fail_once(at, (errno.EIO, errno.EACCES)[at % 2]),
    "ENOSPC-from-here": full_from,
}
# A rollback takes the way of an update, to a release that is kept.
_OPERATIONS = ("update", "uninstall", pytest.param("rollback", marks=pytest.mark.slow))

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
@pytest.mark.parametrize("operation", _OPERATIONS)
def test_a_fault_at_any_call_leaves_old_or_new(
    folder: Path, scene: Scene, operation: Operation, fault: str, exchange: str, shown: Callable[[object], None]
) -> None:
    """Every call fails once; each time it is one typed error, old or new after a start, or new by repetition."""
    before, after = scene.expected(operation)
    swap = EXCHANGES[exchange]
    refused, points = 0, 0
    for at in range(1, 5000):
        root = scene.copy(folder / "k", operation)
        store = scene.store(root, swap, operation)
        with watched(_FAULTS[fault](at)) as disk:
            error = _failure(lambda: scene.carry_out(root, swap, operation, store=store))  # noqa: B023 - called at once
        if isinstance(error, InstallError) and "the previous release is in place" in str(error):
            assert _catalogue(image(root)) == _catalogue(before), (
                f"{error}, but it is not (call {at}, {disk.log[at - 1]})"
            )
            refused += 1
        with watched(undisturbed):
            if at % 2:
                scene.recover(root, swap)
                wanted = {"old"} if "in place" in str(error) else {"old", "new"} if error else {"new"}
                assert scene.end(root, operation) in wanted
            else:
                again = _failure(lambda: scene.carry_out(root, swap, operation, store=store, attempt=2))  # noqa: B023 - called at once
                # What the first attempt has promised is finished first, and then there is nothing to uninstall.
                assert again is None or (operation == "uninstall" and isinstance(again, NotInstalled)), again
                assert _catalogue(image(root)) == _catalogue(after)
                scene.recover(root, swap)
                assert scene.end(root, operation) == "new"
        shutil.rmtree(root)
        points += 1
        if len(disk.log) < at:
            break
    shown(f"{points} faults, {refused} refused with the old release in place")
    assert refused > 50


def _catalogue(whole: Image) -> dict[str, tuple[int, bytes | None]]:
    """What a reader sees: not which files have a second name in a staged tree that waits to be removed."""
    return {name: (entry.mode, entry.content) for name, entry in whole.items() if name.startswith("addons/")}


def _failure(work: Callable[[], object]) -> CatalogError | None:
    """The error of an operation; anything but a CatalogError fails the test."""
    try:
        work()
    except CatalogError as error:
        return error
    return None
