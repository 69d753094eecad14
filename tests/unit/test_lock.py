"""The lock of a state folder: one holder at a time, who it is, and nothing left behind."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from receiver.errors import ConfigError
from receiver.lock import Holder, StateLock, new_token
from tests.support.account import another_account

FOREIGN = Holder(pid=4711, command="serve", url="http://127.0.0.1:8080", token="T0ken")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "a" / "state"


def take(lock: StateLock, *, timeout: float = 0) -> list[Holder | None]:
    seen: list[Holder | None] = []
    lock.acquire(command="sync", timeout=timeout, waiting=seen.append)
    return seen


def test_the_holder_says_who_it_is(state: Path) -> None:
    """And the next one is told."""
    with StateLock(state) as lock:
        assert take(lock) == []
        assert lock.holder() == Holder(pid=os.getpid(), command="sync")
        seen: list[Holder | None] = []
        with pytest.raises(ConfigError, match=rf"addon-sync sync \(process {os.getpid()}\) works on .* within 0 s"):
            StateLock(state).acquire(command="poll", timeout=0, waiting=seen.append)
        assert seen == [Holder(pid=os.getpid(), command="sync")]
        assert not StateLock(state).try_acquire(command="poll")


def test_what_is_released_is_free_and_leaves_no_note(state: Path) -> None:
    """A stale note would send commands to a port that somebody else may have by now."""
    lock = StateLock(state)
    take(lock)
    lock.announce(FOREIGN)
    lock.release()
    assert not (state / "engine.json").exists()
    other = StateLock(state)
    assert other.try_acquire(command="poll")
    other.release()


def test_whether_a_folder_is_held_is_told_without_a_trace(state: Path, tmp_path: Path) -> None:
    """Who asks may be root, whose files the service could not open; the catalogue's lock counts as well."""
    lock = StateLock(state, install_dir=tmp_path)
    assert not lock.is_held()
    assert list(tmp_path.iterdir()) == []
    with StateLock(state, install_dir=tmp_path) as holder:
        take(holder)
        assert lock.is_held()
        assert StateLock(tmp_path / "other", install_dir=tmp_path).is_held()
        assert not StateLock(tmp_path / "other").is_held()
    before = sorted(tmp_path.rglob("*"))
    assert not lock.is_held()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dead_holder_holds_nothing(state: Path) -> None:
    """The system frees the lock; its note is only a note."""
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom receiver.lock import StateLock\n"
        "StateLock(Path(sys.argv[1])).acquire(command='serve', timeout=0, waiting=print)\nos._exit(1)"
    )
    folder = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", script, str(state)], check=False, cwd=folder, timeout=60)
    lock = StateLock(state)
    holder = lock.holder()
    assert holder is not None
    assert holder.command == "serve"
    assert lock.try_acquire(command="sync")
    lock.release()


@pytest.mark.skipif(os.name == "nt", reason="Windows has access lists in the place of modes")
def test_only_the_owner_may_read_the_credential_for_commands(state: Path) -> None:
    """Folder and note, whatever the umask."""
    before = os.umask(0)
    try:
        with StateLock(state) as lock:
            take(lock)
            lock.announce(FOREIGN)
            assert stat.S_IMODE(state.stat().st_mode) == 0o700
            assert stat.S_IMODE((state / "engine.json").stat().st_mode) == 0o600
            assert lock.holder() == FOREIGN
    finally:
        os.umask(before)


def test_the_credential_is_in_no_line_about_the_holder() -> None:
    """The text of a holder is made for logs; each start has a new credential."""
    assert str(FOREIGN) == "addon-sync serve (process 4711)"
    assert new_token() != new_token()
    assert len(new_token()) >= 43


@pytest.mark.parametrize("note", ["", "{", "[]", "3", '{"pid": 1}', '{"pid": 1, "command": "x", "more": 1}', "\0"])
def test_a_damaged_note_is_no_note(state: Path, note: str) -> None:
    """It may be cut off, or of another version."""
    state.mkdir(parents=True)
    (state / "engine.json").write_text(note, encoding="utf-8")
    assert StateLock(state).holder() is None


def test_a_state_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """Here a file is in its place; a setting is wrong, and nothing waits."""
    (tmp_path / "state").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="ADDON_SYNC_STATE_DIR"):
        StateLock(tmp_path / "state").try_acquire(command="sync")


def test_who_may_not_use_the_state_folder_learns_who_may() -> None:
    """It is the service's; the command was typed by somebody else."""
    remedy = r"cannot be used: .*Permission denied.*; run it as the account that serve runs as \(here: root\)"
    with TemporaryDirectory() as folder:  # those of pytest are closed to others
        Path(folder).chmod(0o755)
        with another_account(), pytest.raises(ConfigError, match=f"ADDON_SYNC_STATE_DIR .* {remedy}"):
            StateLock(Path(folder)).try_acquire(command="sync")
        with another_account(), pytest.raises(ConfigError, match=f"ADDON_SYNC_STATE_DIR .* {remedy}"):
            StateLock(Path(folder) / "k" / "state").try_acquire(command="sync")


def test_a_full_disk_frees_the_lock_and_leaves_no_part_of_a_note(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one must not wait for a command that never began."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    lock = StateLock(state)
    with monkeypatch.context() as patched:
        patched.setattr("receiver.lock.encode", full)
        with pytest.raises(ConfigError, match="No space left"):
            take(lock)
    assert [path.name for path in state.iterdir() if path.name != "engine.lock"] == []
    other = StateLock(state)
    assert other.try_acquire(command="poll")
    other.release()


def test_a_note_that_is_being_read_is_replaced_a_moment_later(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: Windows refuses to replace or to remove what somebody has open."""
    replace = Path.replace
    refused: list[Path] = []

    def busy(self: Path, target: Path) -> Path:
        if len(refused) < 3:
            refused.append(self)
            raise PermissionError(13, "The process cannot access the file")
        return replace(self, target)

    def never(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "The process cannot access the file")

    monkeypatch.setattr(Path, "replace", busy)
    lock = StateLock(state)
    take(lock)
    assert lock.holder() is not None
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", never)
        lock.release()
    other = StateLock(state)
    assert other.try_acquire(command="poll")
    other.release()
