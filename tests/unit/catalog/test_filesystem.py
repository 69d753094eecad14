"""The calls that differ between systems: the other system's way, by taking away what this one has."""

import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from receiver.catalog import filesystem
from receiver.catalog.filesystem import (
    exchange,
    exchange_by_two_renames,
    identity,
    make_rename_durable,
    make_tree_durable,
    remove_tree,
    rename_patiently,
    write_durably,
)
from receiver.links import is_plain_folder


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path, Path]:
    for name in ("staged", "live"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "content").write_text(name)
    return tmp_path / "staged", tmp_path / "live", tmp_path / "old"


def _content(folder: Path) -> str | None:
    return (folder / "content").read_text() if folder.exists() else None


def test_folders_are_exchanged(trees: tuple[Path, Path, Path]) -> None:
    """The best that the system has: the new one is live, the former one is not lost, the file number moves along."""
    staged, live, old = trees
    number = identity(staged)
    exchange(staged, live, old)
    assert _content(live) == "staged"
    assert identity(live) == number
    assert "live" in {_content(staged), _content(old)}


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL])
def test_without_renameat2_two_renames_do_it(
    trees: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """An old kernel, or a file system that cannot exchange."""
    monkeypatch.setattr(filesystem, "_renameat2", lambda: lambda *arguments: number)
    exchange(*trees)
    assert [_content(folder) for folder in trees] == [None, "staged", "live"]


def test_on_a_system_without_the_function_two_renames_do_it(
    trees: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows, and C libraries that lack it."""
    monkeypatch.setattr(sys, "platform", "win32")
    exchange(*trees)
    assert [_content(folder) for folder in trees] == [None, "staged", "live"]


def test_another_error_of_the_exchange_is_final(
    trees: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two renames would meet the same error, with an instant without the folder."""
    monkeypatch.setattr(filesystem, "_renameat2", lambda: lambda *arguments: errno.EACCES)
    with pytest.raises(PermissionError):
        exchange(*trees)
    assert [_content(folder) for folder in trees] == ["staged", "live", None]


def _failing_renames(monkeypatch: pytest.MonkeyPatch, fails: Callable[[int], bool]) -> list[str]:
    calls: list[str] = []
    rename = os.rename

    def flaky(source: Path, target: Path) -> None:
        calls.append(Path(target).name)
        if fails(len(calls)):
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        rename(source, target)

    monkeypatch.setattr(os, "rename", flaky)
    return calls


def _windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "os", SimpleNamespace(**{**vars(os), "name": "nt"}))


def test_a_sharing_violation_is_waited_out_on_windows(
    trees: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virus scanner holds a file for a second (hazards F3)."""
    _windows(monkeypatch)
    calls = _failing_renames(monkeypatch, lambda count: count < 4)
    slept: list[float] = []
    exchange_by_two_renames(*trees, sleep=slept.append)
    assert slept == [0.05, 0.1, 0.2]
    assert calls == ["old"] * 4 + ["live"]
    assert [_content(folder) for folder in trees] == [None, "staged", "live"]


def test_patience_ends(trees: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that runs for hours: after thirty seconds the sync fails, everything is as it was."""
    _windows(monkeypatch)
    _failing_renames(monkeypatch, lambda count: True)
    slept: list[float] = []
    with pytest.raises(PermissionError):
        exchange_by_two_renames(*trees, sleep=slept.append)
    assert 30 <= sum(slept) < 32
    assert [_content(folder) for folder in trees] == ["staged", "live", None]


def test_elsewhere_a_refusal_is_final(trees: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting cures no permissions."""
    calls = _failing_renames(monkeypatch, lambda count: True)
    with pytest.raises(PermissionError):
        rename_patiently(trees[0], trees[2], sleep=lambda seconds: pytest.fail("it slept"))
    assert len(calls) == 1


def test_a_second_rename_that_fails_undoes_the_first(
    trees: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The live folder is back in its place."""
    _failing_renames(monkeypatch, lambda count: count == 2)
    with pytest.raises(PermissionError):
        exchange_by_two_renames(*trees)
    assert [_content(folder) for folder in trees] == ["staged", "live", None]


@pytest.mark.parametrize("syncfs", [None, lambda descriptor: errno.ENOSYS], ids=["missing", "refused"])
def test_without_syncfs_every_file_and_folder_is_synchronised(
    trees: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, syncfs: Callable[[int], int] | None
) -> None:
    """Windows has files only; other systems folders too."""
    synchronised: list[int] = []
    monkeypatch.setattr(filesystem, "_syncfs", lambda: syncfs)
    monkeypatch.setattr(os, "fsync", lambda descriptor: synchronised.append(os.fstat(descriptor).st_ino))
    make_tree_durable(trees[0])
    assert set(synchronised) == {trees[0].stat().st_ino, (trees[0] / "content").stat().st_ino}


def test_a_failing_syncfs_is_an_error(trees: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """EIO there is the only word about lost writes (hazards F4)."""
    monkeypatch.setattr(filesystem, "_syncfs", lambda: lambda descriptor: errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        make_tree_durable(trees[0])


def test_windows_journals_names_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder cannot be opened there."""
    _windows(monkeypatch)
    monkeypatch.setattr(os, "open", lambda *arguments: pytest.fail("a folder was opened"))
    make_rename_durable(tmp_path)


def test_a_file_is_replaced_whole_without_fchmod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows before Python 3.13 has no ``fchmod``."""
    monkeypatch.delattr(os, "fchmod")
    write_durably(tmp_path / "file", b"content", temporary=tmp_path / "temporary")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_replaced_file_is_readable_for_everybody(tmp_path: Path) -> None:
    """Whatever the umask is: other tools read digest files and manifests (hazards F9)."""
    former = os.umask(0o077)
    try:
        write_durably(tmp_path / "file", b"content", temporary=tmp_path / "temporary")
    finally:
        os.umask(former)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_file_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """And no temporary file is left (hazards F1, F4)."""
    (tmp_path / "file").write_bytes(b"former")

    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OSError, match="No space"):
        write_durably(tmp_path / "file", b"content", temporary=tmp_path / "temporary")
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"former"}


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is nearly full takes a part."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, bytes(content[:3])))
    write_durably(tmp_path / "file", b"0123456789", temporary=tmp_path / "temporary")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_links_are_no_plain_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither symlinks nor, on Windows, junctions: those are folders with a reparse point (hazards F6)."""
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    assert is_plain_folder(tmp_path)
    assert not is_plain_folder(tmp_path / "link")
    assert not is_plain_folder(tmp_path / "file")
    assert not is_plain_folder(tmp_path / "file/below")
    assert not is_plain_folder(tmp_path / "absent")
    junction = SimpleNamespace(st_mode=stat.S_IFDIR | 0o755, st_file_attributes=0x410)
    monkeypatch.setattr(os, "lstat", lambda path: junction)
    assert not is_plain_folder(tmp_path)


def test_what_is_absent_has_no_identity(tmp_path: Path) -> None:
    """Also where a file stands on the way."""
    (tmp_path / "file").touch()
    assert identity(tmp_path / "absent") is None
    assert identity(tmp_path / "file/below") is None


def test_removing_follows_no_link(tmp_path: Path) -> None:
    """What a link points at is not ours."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/file").touch()
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/link").symlink_to(tmp_path / "theirs")
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    remove_tree(tmp_path / "ours")
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "absent")
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["theirs", "file"]
