"""Files of the operator: carried over, never missing, never lost."""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from receiver.catalog.local import link_local, settle
from tests.support.addons import write_tree
from tests.support.releases import snapshot


def _owned(**files: bytes) -> dict[str, tuple[int, str]]:
    return {name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items()}


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "live", {"ours": b"1", "gone/ours": b"2", "mine": b"3", "deep/er/mine": b"4"})


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "staged", {"ours": b"new"})


_OURS = {**_owned(ours=b"1"), "gone/ours": _owned(x=b"2")["x"]}


def test_local_files_are_hard_linked(live: Path, staged: Path) -> None:
    """A program that holds one open goes on writing into the same file; what was ours is not carried over."""
    (live / "empty").mkdir()
    (live / "gone/mine").write_bytes(b"5")
    link_local(live, staged, owned=_OURS, delivered=_owned(ours=b"new"))
    assert snapshot(staged) == {
        "ours": b"new", "mine": b"3", "deep": None, "deep/er": None, "deep/er/mine": b"4", "empty": None,
        "gone": None, "gone/mine": b"5",
    }  # fmt: skip
    assert (staged / "mine").samefile(live / "mine")


def test_a_folder_that_only_held_ours_is_not_carried_over(live: Path, staged: Path) -> None:
    """It goes with its files."""
    link_local(live, staged, owned=_OURS, delivered={})
    assert not (staged / "gone").exists()


def test_where_links_are_impossible_local_files_are_copied(
    live: Path, staged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAT, some network shares."""

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    link_local(live, staged, owned=_OURS, delivered={})
    assert (staged / "mine").read_bytes() == b"3"


def test_a_local_file_never_takes_the_place_of_a_delivered_one(live: Path, staged: Path) -> None:
    """Where case does not count, ``MINE`` is there under the name ``mine`` (hazards G15), here by the same letters."""
    (staged / "mine").write_bytes(b"delivered as MINE")
    link_local(live, staged, owned=_OURS, delivered={"MINE": (1, "")})
    assert (staged / "mine").read_bytes() == b"delivered as MINE"


def test_a_local_folder_where_the_release_has_a_file_waits_for_the_backups(live: Path, tmp_path: Path) -> None:
    """The release is byte for byte what was delivered; the operator's file is kept and reported."""
    staged = write_tree(tmp_path / "staged", {"deep": b"a file now"})
    link_local(live, staged, owned=_OURS, delivered=_owned(deep=b"a file now"))
    kept = settle(live, staged, owned=_OURS, backup=tmp_path / "backup")
    assert kept == ["deep/er/mine"]
    assert (tmp_path / "backup/deep/er/mine").read_bytes() == b"4"
    assert (staged / "deep").read_bytes() == b"a file now"


def test_what_appeared_after_staging_is_moved_over(live: Path, staged: Path, tmp_path: Path) -> None:
    """A file, a link and an empty folder that were created between the two passes."""
    link_local(live, staged, owned=_OURS, delivered=_owned(ours=b"new"))
    write_tree(live, {"late/file": b"late"})
    (live / "late/link").symlink_to("nowhere")
    (live / "late-empty").mkdir()
    assert settle(live, staged, owned=_OURS, backup=tmp_path / "backup") == []
    found = snapshot(staged)
    assert (found["late/file"], found["late/link"], found["late-empty"]) == (b"late", b"-> nowhere", None)
    assert not (tmp_path / "backup").exists()


def test_an_edited_file_of_ours_is_kept(live: Path, staged: Path, tmp_path: Path) -> None:
    """Also where its size is the same, and where the new release does not have it."""
    (live / "ours").write_bytes(b"X")
    (live / "gone/ours").write_bytes(b"edited")
    kept = settle(live, staged, owned=_OURS, backup=tmp_path / "backup")
    assert sorted(kept) == ["gone/ours", "ours"]
    assert snapshot(tmp_path / "backup") == {"gone": None, "gone/ours": b"edited", "ours": b"X"}
    assert (staged / "ours").read_bytes() == b"new"


def test_an_edit_that_the_release_makes_too_is_not_kept(live: Path, staged: Path, tmp_path: Path) -> None:
    """The operator applied the fix by hand before it was delivered."""
    (live / "ours").write_bytes(b"new")
    assert settle(live, staged, owned=_OURS, backup=tmp_path / "backup") == []


def test_a_link_in_place_of_our_file_is_kept_and_never_followed(live: Path, staged: Path, tmp_path: Path) -> None:
    """Its target is not touched."""
    (tmp_path / "target").write_bytes(b"1")
    (live / "ours").unlink()
    (live / "ours").symlink_to(tmp_path / "target")
    assert settle(live, staged, owned=_OURS, backup=tmp_path / "backup") == ["ours"]
    assert (tmp_path / "backup/ours").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"1"


def test_a_link_in_the_new_tree_is_never_written_through(live: Path, tmp_path: Path) -> None:
    """Somebody planted a link where a late local file would go: it is kept in the backups instead."""
    (tmp_path / "outside").mkdir()
    staged = tmp_path / "staged"
    staged.mkdir()
    (staged / "deep").symlink_to(tmp_path / "outside")
    assert settle(live, staged, owned=_OURS, backup=tmp_path / "backup") == ["deep/er/mine"]
    assert not any((tmp_path / "outside").iterdir())


def test_settling_twice_is_settling_once(live: Path, staged: Path, tmp_path: Path) -> None:
    """A crash repeats it."""
    (live / "ours").write_bytes(b"X")
    settle(live, staged, owned=_OURS, backup=tmp_path / "backup")
    first = snapshot(tmp_path)
    assert settle(live, staged, owned=_OURS, backup=tmp_path / "backup") == []
    assert snapshot(tmp_path) == first


@pytest.mark.skipif(os.name == "nt", reason="Windows has access lists in the place of modes")
def test_folders_of_the_operator_keep_their_mode_and_owner(tmp_path: Path) -> None:
    """Otherwise who may write there, or read there, would change with every update."""
    live, staged, old = tmp_path / "live", tmp_path / "staged", tmp_path / "old"
    for root in (live, old):
        (root / "private/deep").mkdir(parents=True)
        (root / "private/deep").chmod(0o1770)
        (root / "private/deep/notes.txt").write_text(root.name)
        (root / "private").chmod(0o750)
        if os.getuid() == 0:
            os.chown(root / "private/deep", 12345, 54321)
    staged.mkdir()
    link_local(live, staged, owned={}, delivered={})
    settled = tmp_path / "settled"
    settled.mkdir()
    settle(old, settled, owned={}, backup=tmp_path / "backups/x/y")
    for root in (staged, settled):
        assert stat.S_IMODE((root / "private").stat().st_mode) == 0o750
        status = (root / "private/deep").stat()
        assert stat.S_IMODE(status.st_mode) == 0o1770
        assert os.getuid() != 0 or (status.st_uid, status.st_gid) == (12345, 54321)
