"""Links that somebody puts where the receiver works: it neither reads nor writes where they lead, and says which.

The program runs in this process, so that every call that would follow a link is seen (hazards F6). On Windows the same
is said of junctions; there it is not tested.
"""

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.in_process import sync, two_registries
from tests.support.releases import snapshot
from tests.support.trespass import watching

pytestmark = pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege on Windows")

IN_THE_CATALOGUE = (
    "addons",
    "addons/monitoring",
    "addons/ingress",
    "addons/ingress/nginx",
    "addons/ingress/addon.manifest.yaml",
    "addons/addon.manifest.schema.json",
    "addons/.addon-sync-digests",
    "addons/.addon-sync-digests/monitoring",
)
IN_THE_STATE_FOLDER = (
    ".addon-sync",
    ".addon-sync/installed",
    ".addon-sync/installed/monitoring.json",
    ".addon-sync/transactions",
    ".addon-sync/backups",
    ".addon-sync/backups/monitoring",
    ".addon-sync/blobs",
    ".addon-sync/blobs/blobs",
    ".addon-sync/blobs/blobs/sha256",
    ".addon-sync/blobs/ingest",
    ".addon-sync/queue.sqlite",
    ".addon-sync/queue.sqlite-wal",
    ".addon-sync/engine.lock",
    ".addon-sync/engine.json",
)
BESIDE = (".addon-sync.lock", ".addon-sync.holder.json")
REPLACED = (".addon-sync/blobs/oci-layout",)
"""Files that are put in place by renaming, and never read by what runs here: the link goes, its target stays."""


@pytest.fixture(scope="module")
def registries() -> Iterator[tuple[str, str]]:
    """One with the former releases, one with the new ones."""
    with two_registries() as urls:
        yield urls


@pytest.fixture
def root(tmp_path: Path, registries: tuple[str, str]) -> Path:
    """An installation folder with both addons, a file of each edited by hand."""
    root = tmp_path / "k"
    root.mkdir()
    assert sync(root, registries[0]) == []
    for folder in ("monitoring", "ingress/nginx"):
        (root / "addons" / folder / "values.yaml").write_bytes(b"edited\n")
    return root


def plant(root: Path, place: str) -> Path:
    """Move what is at ``place`` out of the way and link to it; the most that a link can pretend. Where it went."""
    outside = root.parent / "outside"
    outside.mkdir()
    target = outside / "moved"
    path = root / place
    if os.path.lexists(path):
        path.rename(target)
    elif path.suffix not in {"", ".addon-sync"}:
        target.write_bytes(b"")
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir()
    path.symlink_to(target, target_is_directory=target.is_dir())
    return outside


@pytest.mark.parametrize("place", [*IN_THE_CATALOGUE, *IN_THE_STATE_FOLDER, *BESIDE])
def test_a_planted_link_is_refused_and_never_followed(root: Path, registries: tuple[str, str], place: str) -> None:
    """The update fails with an error that names the link and the remedy; no call reaches where it leads."""
    outside = plant(root, place)
    before, live = snapshot(outside), snapshot(root / "addons")
    with watching(outside) as trespasses:
        errors = sync(root, registries[1])
    assert trespasses == []
    assert snapshot(outside) == before
    assert (root / place).is_symlink()
    assert errors, "it was not refused"
    named = [error for error in errors if str(root / place) in error]
    assert named, errors
    assert all("link" in error and ("remove" in error or "folder" in error) for error in named), named
    if place in IN_THE_STATE_FOLDER and not place.endswith("/monitoring"):
        assert snapshot(root / "addons") == live
    touched = {path for path, content in snapshot(root / "addons").items() if content != live.get(path)}
    assert not {path for path in touched if path.startswith("monitoring") and "monitoring" in place}


@pytest.mark.parametrize("place", REPLACED)
def test_a_link_in_the_place_of_a_written_file_is_replaced(root: Path, registries: tuple[str, str], place: str) -> None:
    """Where a file is only ever renamed into place, the link goes and what it led to stays as it was."""
    outside = plant(root, place)
    before = snapshot(outside)
    with watching(outside) as trespasses:
        errors = sync(root, registries[1])
    assert (trespasses, errors) == ([], [])
    assert snapshot(outside) == before
    assert not (root / place).is_symlink()


def _folder(transactions: Path, elsewhere: Path) -> Path:
    elsewhere.mkdir()
    (transactions / "0").symlink_to(elsewhere, target_is_directory=True)
    return elsewhere / "journal.json"


def _journal(transactions: Path, elsewhere: Path) -> Path:
    (transactions / "0").mkdir(mode=0o700)
    (transactions / "0/journal.json").symlink_to(elsewhere)
    return elsewhere


@pytest.mark.parametrize("place", [_folder, _journal])
def test_a_planted_transaction_is_not_carried_out(
    root: Path, registries: tuple[str, str], place: Callable[[Path, Path], Path]
) -> None:
    """Recovery does what a journal says: one that lies elsewhere was not written by the receiver."""
    outside = root.parent / "outside"
    outside.mkdir()
    journal = place(root / ".addon-sync/transactions", outside / "moved")
    # It would remove the manifest of an addon, if anybody believed it.
    step = '{"live": "monitoring/addon.manifest.yaml", "content": null, "former": null}'
    record = (root / ".addon-sync/installed/monitoring.json").read_text()
    journal.write_text(
        f'{{"leaf": "monitoring", "digest": "sha256:0", "backup": "b", "manifests_before": [], "units": [], '
        f'"manifests_after": [{step}], "record": {record}}}'
    )
    before, live = snapshot(outside), snapshot(root / "addons")
    with watching(outside) as trespasses:
        errors = sync(root, registries[1])
    assert trespasses == []
    assert snapshot(outside) == before
    assert snapshot(root / "addons") == live
    assert errors
    assert all("link" in error and str(root / ".addon-sync/transactions/0") in error for error in errors), errors


def test_a_blob_that_is_a_link_is_fetched_anew(root: Path, registries: tuple[str, str]) -> None:
    """A verified blob is a file of its own; what a link gives may be another thing when it is read."""
    outside = root.parent / "outside"
    shutil.copytree(root / ".addon-sync/blobs/blobs/sha256", outside)
    for blob in (root / ".addon-sync/blobs/blobs/sha256").iterdir():
        blob.unlink()
        blob.symlink_to(outside / blob.name)
    before = snapshot(outside)
    with watching(outside) as trespasses:
        assert sync(root, registries[0]) == []
    assert trespasses == []
    assert snapshot(outside) == before
    assert not [blob for blob in (root / ".addon-sync/blobs/blobs/sha256").iterdir() if blob.is_symlink()]


def test_links_of_the_operator_within_an_addon_are_kept_and_not_followed(
    root: Path, registries: tuple[str, str]
) -> None:
    """An own file that became a link goes to the backups as a link; a folder that is one stays as one."""
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "settings.ini").write_bytes(b"elsewhere\n")
    unit = root / "addons/monitoring"
    (unit / "Enable.ps1").unlink()
    (unit / "Enable.ps1").symlink_to(outside / "settings.ini")
    shutil.rmtree(unit / "config")
    (unit / "config").symlink_to(outside, target_is_directory=True)
    (unit / "mine").symlink_to(outside, target_is_directory=True)
    before = snapshot(outside)
    with watching(outside) as trespasses:
        assert sync(root, registries[1]) == []
    assert trespasses == []
    assert snapshot(outside) == before
    assert not (unit / "Enable.ps1").is_symlink()
    assert (unit / "config/settings.ini").is_file()
    assert not (unit / "config").is_symlink()
    assert (unit / "mine").is_symlink()
    kept = {path.name for path in (root / ".addon-sync/backups/monitoring").rglob("*") if path.is_symlink()}
    assert kept == {"Enable.ps1", "config"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says where a descriptor leads")
def test_a_staging_folder_that_is_swapped_for_a_link_is_not_followed(
    root: Path, registries: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Swapped at each folder that is made while an archive is unpacked: not a byte is written through it (F7)."""
    outside = root.parent / "outside"
    swapped = 0
    made, guard = os.mkdir, threading.Lock()

    def swapping(path: str | Path, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        nonlocal swapped
        made(path, mode, dir_fd=dir_fd)
        place = (Path(f"/proc/self/fd/{dir_fd}").readlink() if dir_fd is not None else Path()) / path
        with guard:  # both addons are unpacked at once
            if "unit-" in str(place):
                attempts.append(place)
                if len(attempts) == turn:
                    place.rename(outside / "was")
                    place.symlink_to(outside, target_is_directory=True)
                    swapped += 1

    live = snapshot(root / "addons")
    for turn in range(1, 5):
        attempts: list[Path] = []
        outside.mkdir()
        with monkeypatch.context() as patch:
            patch.setattr(os, "mkdir", swapping)
            errors = sync(root, registries[1])
        assert (len(errors), swapped) == (1, turn), errors
        assert [path.name for path in outside.iterdir()] == ["was"]
        assert [path for path in outside.rglob("*") if path.is_file()] == []
        shutil.rmtree(outside)
    assert live != snapshot(root / "addons")
