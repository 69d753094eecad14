"""What a service of systemd says of itself, at a real datagram socket."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver import systemd


@pytest.fixture
def socket_of_systemd(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "notify"))
        server.settimeout(10)
        yield server, str(tmp_path / "notify")


def test_a_state_is_one_datagram(socket_of_systemd: tuple[socket.socket, str]) -> None:
    """Its lines in one piece, as sd_notify(3) asks for."""
    server, address = socket_of_systemd
    assert systemd.notify("READY=1", "STATUS=listening", environment={"NOTIFY_SOCKET": address})
    assert server.recv(4096) == b"READY=1\nSTATUS=listening"


def test_an_abstract_address_begins_with_an_at_sign() -> None:
    """systemd writes the zero byte so."""
    name = f"addon-sync-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(f"\0{name}")
        server.settimeout(10)
        assert systemd.notify("STOPPING=1", environment={"NOTIFY_SOCKET": f"@{name}"})
        assert server.recv(4096) == b"STOPPING=1"


def test_without_systemd_nothing_happens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No socket named, as on Windows and in containers; one that is gone is told, and ends nothing."""
    assert not systemd.notify("READY=1", environment={})
    assert caplog.text == ""
    assert not systemd.notify("READY=1", environment={"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert "could not be told READY=1" in caplog.text


@pytest.mark.parametrize(
    ("environment", "pause"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_told_twice_in_its_time(environment: dict[str, str], pause: float | None) -> None:
    """Only where it waits for this process: sd_watchdog_enabled(3)."""
    assert systemd.watchdog_pause(environment, pid=7) == pause


async def test_signs_of_life_come_again_and_again(
    socket_of_systemd: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is cancelled."""
    server, address = socket_of_systemd
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    alive = asyncio.create_task(systemd.keep_alive(0.01))
    heard = [await asyncio.to_thread(server.recv, 4096) for _ in range(3)]
    alive.cancel()
    assert heard == [b"WATCHDOG=1"] * 3
