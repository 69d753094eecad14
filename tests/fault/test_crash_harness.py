"""The crash harness finds what it is for: installers that are right as long as nobody pulls the plug."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from receiver.catalog import local
from receiver.catalog.transaction import Journal, Transaction
from tests.support.crash_harness import CrashHarness
from tests.support.install_scene import CHANGES, Operation, Scene, quick_folder
from tests.support.releases import EXCHANGES

_Mutate = Callable[[pytest.MonkeyPatch], None]


def _unpack_in_place(patch: pytest.MonkeyPatch) -> None:
    """The live folder is filled file by file."""

    def exchange(staged: Path, live: Path, old: Path) -> None:
        old.mkdir()
        for entry in sorted(live.iterdir()):
            entry.rename(old / entry.name)
        for entry in sorted(staged.iterdir()):
            entry.rename(live / entry.name)
        staged.rmdir()

    patch.setitem(EXCHANGES, "atomic", exchange)


def _record_first(patch: pytest.MonkeyPatch) -> None:
    """The record says it before anything was exchanged, or promised."""

    def before(transaction: Transaction, journal: Journal) -> None:
        transaction._records.write(journal.record, temporary=transaction.folder / "record.tmp")

    _do_before(patch, "promise", before)


def _digest_first(patch: pytest.MonkeyPatch) -> None:
    """The digest file, which other tools read, says it first."""
    _do_before(patch, "promise", lambda transaction, journal: transaction._write_digest(journal.leaf, journal.digest))


def _manifest_first(patch: pytest.MonkeyPatch) -> None:
    """The shared manifest lists an implementation whose folder is not there yet."""
    _do_before(patch, "publish", lambda transaction, journal: transaction._write_manifests(journal.manifests_after))


def _no_promise_kept(patch: pytest.MonkeyPatch) -> None:
    """A start drops what was promised."""
    patch.setattr(Transaction, "read", lambda transaction: None)


def _local_files_moved(patch: pytest.MonkeyPatch) -> None:
    """A local file is moved to the staged tree, not linked."""
    patch.setattr(local, "_link_or_copy", os.rename)


def _record_in_place(patch: pytest.MonkeyPatch) -> None:
    """A record is overwritten where it stands."""

    def write(path: Path, content: bytes, *, temporary: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
        os.write(descriptor, content)
        os.close(descriptor)

    patch.setattr("receiver.catalog.records.write_durably", write)


_MUTANTS: list[tuple[_Mutate, Operation, str]] = [
    (_unpack_in_place, "install", "notes.txt is missing"),
    *((_unpack_in_place, operation, "neither old nor new") for operation in ("update", "rollback", "uninstall")),
    (_record_first, "update", "between old and new.*bundle.json"),
    (_record_first, "uninstall", "between old and new.*bundle.json"),
    (_digest_first, "rollback", "between old and new.*digests/bundle"),
    (_manifest_first, "update", "the manifest lists .*haproxy"),
    (_no_promise_kept, "update", "between old and new"),
    (_local_files_moved, "update", "is missing"),
    (_record_in_place, "hold", "between old and new.*bundle.json"),
]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with quick_folder() as folder:
        made = Scene(folder)
        for operation in CHANGES:
            made.expected(operation)
        yield made


@pytest.mark.parametrize(
    ("mutate", "operation", "verdict"),
    [pytest.param(*mutant, id=f"{mutant[0].__name__.strip('_')}-{mutant[1]}") for mutant in _MUTANTS],
)
def test_a_mutant_is_found(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, mutate: _Mutate, operation: Operation, verdict: str
) -> None:
    """Undisturbed it does what the program does; the harness tells it from the program nevertheless."""
    mutate(monkeypatch)
    with quick_folder() as folder:
        root = scene.copy(folder / "undisturbed", operation)
        scene.carry_out(root, EXCHANGES["atomic"], operation)
        assert scene.end(root, operation) == "new"
        with pytest.raises(AssertionError, match=verdict):
            CrashHarness(scene, operation, "atomic", folder).explore(exhaustive=0)


def _do_before(patch: pytest.MonkeyPatch, name: str, act: Callable[[Transaction, Journal], None]) -> None:
    genuine: Callable[[Transaction, Journal], Any] = getattr(Transaction, name)

    def changed(transaction: Transaction, journal: Journal) -> object:
        act(transaction, journal)
        return genuine(transaction, journal)

    patch.setattr(Transaction, name, changed)
