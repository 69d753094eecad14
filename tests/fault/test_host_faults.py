"""A host that is not as it should be: read-only or split over volumes, with another umask, clock or receiver."""

import errno
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from receiver.errors import InstallError
from receiver.sync.retry import MAX_DELAY
from tests.support.disk_faults import WRITING, watched
from tests.support.in_process import sync, two_registries
from tests.support.releases import EXCHANGES, catalog_store, leftovers, single, snapshot
from tests.support.sync_fakes import World, until
from tests.support.system import Host

_DAY = 86_400.0


@pytest.fixture(scope="module")
def registries() -> Iterator[tuple[str, str]]:
    """One with the former releases, one with the new ones."""
    with two_registries() as urls:
        yield urls


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_read_only_catalogue_keeps_its_release_until_it_can_be_written(tmp_path: Path, exchange: str) -> None:
    """One typed error, tried again; nothing changed, nothing left; installed when the volume is writable (F5).

    The error is injected: permissions do not bind the user that the receiver mostly runs as.
    """
    root = tmp_path / "k"
    store = catalog_store(root, exchange=EXCHANGES[exchange])
    store.install(single(tmp_path))
    before = snapshot(root)
    catalogue = str(root / "addons")

    def read_only(count: int, name: str, arguments: tuple[Any, ...]) -> None:
        below = any(str(argument).startswith(catalogue) for argument in arguments[:2])
        opens = name == "open" and not arguments[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR)
        if name == "exchange" or (below and not opens and name in WRITING | {"unlink", "rmdir", "chmod"} - {"link"}):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(arguments[0]) if arguments else None)

    new = single(tmp_path, version="v2.0.0")
    with watched(read_only), pytest.raises(InstallError, match="the previous release is in place") as caught:
        store.install(new)
    assert os.strerror(errno.EROFS) in str(caught.value)
    assert caught.value.retryable
    assert snapshot(root) == before
    store.install(new)
    assert b"v2.0.0" in (root / "addons/monitoring/values.yaml").read_bytes()
    assert not leftovers(root)


@contextmanager
def _another_volume(path: Path) -> Iterator[Path]:
    """A folder on another volume than ``path``: in memory, or on disk where that one is in memory."""
    for place in (Path("/dev/shm"), Path("/var/tmp"), Path.home()):
        if place.is_dir() and place.stat().st_dev != path.stat().st_dev:
            with tempfile.TemporaryDirectory(dir=place) as folder:
                yield Path(folder)
                return
    raise AssertionError("this machine has one volume only")


@pytest.mark.skipif(os.name == "nt", reason="a second volume cannot be expected on Windows")
@pytest.mark.parametrize("command", ["sync", "serve"])
def test_a_state_folder_on_another_volume_is_refused_with_the_remedy(tmp_path: Path, command: str) -> None:
    """Exit code 2 before anything is fetched or installed; the text names the setting, both folders and the remedy."""
    with _another_volume(tmp_path) as other:
        settings = {"ADDON_SYNC_STATE_DIR": str(other / "state"), "ADDON_SYNC_LISTEN": "127.0.0.1:0"}
        host = Host(tmp_path / "host", "http://127.0.0.1:1", settings)
        done = host.run(command, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "ADDON_SYNC_STATE_DIR" in said
    assert "another volume" in said
    assert "choose a folder on the same volume" in said
    assert str(host.addons) in said
    assert "Traceback" not in said
    assert list(host.addons.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither a umask nor modes")
@pytest.mark.parametrize("mask", [0o077, 0o000, 0o022])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, registries: tuple[str, str], mask: int) -> None:
    """What is delivered can be read by all and written by its owner; the state folder is its owner's alone (F9)."""
    root = tmp_path / "k"
    root.mkdir()
    former = os.umask(mask)
    try:
        assert sync(root, registries[0]) == []
        (root / "addons/monitoring/values.yaml").write_bytes(b"edited\n")
        (root / "addons/monitoring/mine.txt").write_bytes(b"mine\n")
        (root / "addons/monitoring/mine.txt").chmod(0o600)
        assert sync(root, registries[1]) == []
    finally:
        os.umask(former)
    modes = {
        path.relative_to(root).as_posix(): stat.S_IMODE(path.lstat().st_mode)
        for path in (root / "addons", *(root / "addons").rglob("*"))
    }
    assert modes.pop("addons/monitoring/mine.txt") == 0o600
    wrong = {path: oct(mode) for path, mode in modes.items() if mode != (0o755 if (root / path).is_dir() else 0o644)}
    assert wrong == {}
    assert stat.S_IMODE((root / ".addon-sync").stat().st_mode) == 0o700
    # Files in there have the modes that the umask leaves: nobody else reaches them.
    writable = [
        str(path.relative_to(root))
        for path in (root / ".addon-sync", *(root / ".addon-sync").rglob("*"))
        if path.is_dir() and path.lstat().st_mode & 0o022
    ]
    assert writable == []


@pytest.mark.parametrize("jump", [-30 * 365 * _DAY, -_DAY, _DAY, 60 * 365 * _DAY])
def test_a_clock_that_jumps_changes_no_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    """Also in the middle of one: the release is whole, each edit is in a backup of its own, the record tells (F10)."""
    now = [1_795_000_000.0]
    calls = [0]

    def clock() -> float:
        calls[0] += 1
        if calls[0] % 2 == 0:
            now[0] += jump if calls[0] % 4 else -jump
        return now[0]

    monkeypatch.setattr("time.time", clock)
    root = tmp_path / "k"
    store = catalog_store(root)
    values = root / "addons/monitoring/values.yaml"
    for version in ("v1.0.0", "v2.0.0", "v3.0.0"):
        release = single(tmp_path, version=version)
        store.install(release)
        assert store.is_current("monitoring", release.digest)
        assert version.encode() in values.read_bytes()
        values.write_bytes(f"edit of {version}\n".encode())
    store.install(single(tmp_path, version="v4.0.0"))
    kept = sorted(path.read_bytes() for path in (root / ".addon-sync/backups").rglob("*") if path.is_file())
    assert kept == [f"edit of v{n}.0.0\n".encode() for n in (1, 2, 3)]
    assert not leftovers(root)
    again = catalog_store(root)
    assert again.recorded_digest("monitoring") is not None


@pytest.mark.parametrize("jump", [-_DAY, _DAY])
async def test_a_clock_that_jumps_during_an_installation_makes_no_second_one(jump: float) -> None:
    """A lease that seems to have run out, or to run for another day: one installation at a time, and it ends (F10)."""
    world = World()
    world.registry.push("monitoring")
    world.catalogue.gate = threading.Event()
    async with world.working():
        await world.ask("monitoring")
        await until(world.catalogue.entered.is_set)
        await world.clock.advance(jump)
        await world.ask("monitoring")
        world.catalogue.gate.set()
        await until(lambda: bool(world.catalogue.releases) and not world.workers.busy)
    assert not world.registry.overlapped
    assert len(world.catalogue.releases) == 1
    assert world.catalogue.installed["monitoring"] == world.registry.tagged["addons/monitoring"]["v1.0.0"]


async def test_after_a_clock_that_jumped_back_an_event_is_served_at_once() -> None:
    """What waits for a time that is far away now does not hold up a new push of the same addon (F10)."""
    world = World()
    world.registry.push("monitoring")
    world.catalogue.errors["monitoring"] = InstallError("the disk is full")
    async with world.working():
        await world.ask("monitoring")
        await until(lambda: bool(world.outcomes) and not world.workers.busy)
        del world.catalogue.errors["monitoring"]
        await world.clock.advance(-30 * _DAY)
        await world.ask("monitoring")
        await until(lambda: bool(world.catalogue.releases))
    assert world.outcomes[0].status == "failed"


async def test_after_a_clock_that_jumped_back_a_retry_comes_as_soon_as_ever() -> None:
    """A failed installation waits for its turn, and not for a time that lies months ahead now (F10)."""
    world = World()
    world.registry.push("monitoring")
    world.catalogue.errors["monitoring"] = InstallError("the disk is full")
    async with world.working():
        await world.ask("monitoring")
        await until(lambda: bool(world.outcomes) and not world.workers.busy)
        del world.catalogue.errors["monitoring"]
        await world.clock.advance(-30 * _DAY)
        for _ in range(20):
            await world.clock.advance(MAX_DELAY / 10)
        await until(lambda: bool(world.catalogue.releases))


def test_two_receivers_do_not_serve_one_state_folder(tmp_path: Path) -> None:
    """The second says who holds it, and takes over when that one is gone (F8)."""
    host = Host(tmp_path / "host", "http://127.0.0.1:1")
    _second_waits(host, host.state)


def test_two_receivers_with_two_state_folders_do_not_share_a_catalogue(tmp_path: Path) -> None:
    """Neither lock alone would see the other one (F8)."""
    host = Host(tmp_path / "host", "http://127.0.0.1:1")
    _second_waits(host, host.install_dir / "other-state")


def _second_waits(host: Host, state: Path) -> None:
    first, second = host.serve(), host.serve(ADDON_SYNC_STATE_DIR=str(state))
    with first:
        second.launch()
        try:
            line = second.wait_for_line(rf"process {first.pid}\b")
            assert "this one takes over when that ends" in line
            assert not any("listening" in line for line in second.lines)
            first.kill()
            second.wait_until_listening()
            assert second.stop() == 0
        finally:
            second.__exit__()


def test_two_commands_at_once_install_what_each_was_asked_for(tmp_path: Path, registries: tuple[str, str]) -> None:
    """With two state folders and one catalogue, from two processes: both end well, and each addon is whole (F8)."""
    hosts = [
        Host(tmp_path / "host", registries[1], {"ADDON_SYNC_STATE_DIR": str(tmp_path / "host/k2s" / name)})
        for name in ("state-1", "state-2")
    ]
    codes: list[tuple[int, str]] = []

    def run(host: Host, leaf: str) -> None:
        done = host.run("sync", leaf)
        codes.append((done.returncode, done.stderr))

    threads = [
        threading.Thread(target=run, args=pair) for pair in zip(hosts, ("monitoring", "ingress-nginx"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [code for code, _ in codes] == [0, 0], codes
    assert sorted(path.name for path in hosts[0].addons.iterdir() if not path.name.startswith(".")) == [
        "ingress",
        "monitoring",
    ]
