"""Old trees are removed without anybody waiting."""

import threading
import time
from pathlib import Path

import pytest

from receiver.catalog import sweeper
from receiver.catalog.sweeper import Sweeper


def test_trees_are_removed_in_the_background(tmp_path: Path) -> None:
    """All that were given are gone at the end."""
    trees = [tmp_path / name for name in ("a", "b")]
    sweep = Sweeper()
    for tree in trees:
        (tree / "folder").mkdir(parents=True)
        (tree / "folder" / "file").touch()
        sweep(tree)
    sweep.close(10)
    assert not any(tree.exists() for tree in trees)


def test_the_caller_does_not_wait_and_the_end_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tree that takes its time is left for the next start."""
    released, begun = threading.Event(), threading.Event()

    def slow(_: Path) -> None:
        begun.set()
        released.wait(10)

    monkeypatch.setattr(sweeper, "remove_tree", slow)
    sweep = Sweeper()
    sweep(tmp_path / "tree")
    assert begun.wait(10)
    sweep.close(0.01)
    released.set()


def test_a_tree_that_cannot_be_removed_does_not_hold_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, and left for the next start."""
    removed = []

    def refuse(tree: Path) -> None:
        if tree.name == "held":
            raise PermissionError(13, "held open")
        removed.append(tree.name)

    monkeypatch.setattr(sweeper, "remove_tree", refuse)
    sweep = Sweeper()
    sweep(tmp_path / "held")
    sweep(tmp_path / "free")
    sweep.close(10)
    assert removed == ["free"]
    assert "held" in caplog.text


def test_what_waits_goes_at_once_when_it_is_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One pause for all of them, not one for each: on a busy host the pauses are rare."""
    gone = threading.Semaphore(0)
    monkeypatch.setattr(sweeper, "remove_tree", lambda _: gone.release())
    monkeypatch.setattr(sweeper, "_QUIET", 0.2)
    sweep = Sweeper()
    started = time.monotonic()
    for number in range(sweeper._MOST):
        sweep(tmp_path / str(number))
    for _ in range(sweeper._MOST):
        assert gone.acquire(timeout=10)
    assert time.monotonic() - started < 0.2 * sweeper._MOST / 2
    sweep.close(10)


def test_a_load_that_never_ends_piles_up_no_trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number, one goes for each that comes."""
    gone = threading.Semaphore(0)
    monkeypatch.setattr(sweeper, "remove_tree", lambda _: gone.release())
    monkeypatch.setattr(sweeper, "_QUIET", 3600.0)
    sweep = Sweeper()
    for number in range(sweeper._MOST + 3):
        sweep(tmp_path / str(number))
    for _ in range(3):
        assert gone.acquire(timeout=10)
    assert not gone.acquire(blocking=False)
    sweep.close(10)
