"""How ``serve`` is told to stop, on each system."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from receiver.cli.commands.serve import _announce, _on_stop
from receiver.config import load


class Loop:
    """An event loop that takes handlers of signals, or, as on Windows, does not."""

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self.handlers: dict[int, Callable[[], None]] = {}
        self.called: list[Callable[[], None]] = []

    def add_signal_handler(self, number: int, callback: Callable[[], None]) -> None:
        if not self.takes:
            raise NotImplementedError
        self.handlers[number] = callback

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        self.called.append(callback)


def stop() -> None:
    """What is to be called."""


def test_on_linux_sigterm_and_sigint_stop_it() -> None:
    """Kubernetes and systemd send the one, people the other."""
    loop = Loop(takes=True)
    _on_stop(cast("asyncio.AbstractEventLoop", loop), stop)
    assert loop.handlers == {signal.SIGINT: stop, signal.SIGTERM: stop}


def test_on_windows_ctrl_c_and_ctrl_break_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: service managers send Ctrl-Break; the loop must be woken, since no signal interrupts its waiting."""
    loop, taken = Loop(takes=False), dict[int, Callable[..., object]]()
    with monkeypatch.context() as patched:
        patched.setattr(signal, "SIGBREAK", 21, raising=False)
        patched.setattr(signal, "signal", lambda number, handler: taken.update({number: handler}))
        patched.setattr(os, "name", "nt")
        _on_stop(cast("asyncio.AbstractEventLoop", loop), stop)
    assert set(taken) == {signal.SIGINT, 21}
    for handler in taken.values():
        handler(21, None)
    assert loop.called == [stop, stop]


@pytest.mark.parametrize(
    ("listen", "tls", "warned"),
    [("0.0.0.0:0", False, True), ("192.0.2.1:0", True, False), ("127.0.0.1:0", False, False)],
)
def test_a_token_that_travels_in_clear_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, listen: str, tls: bool, warned: bool
) -> None:
    """On this machine it does not travel."""
    pem = {"ADDON_SYNC_TLS_CERT": "c.pem", "ADDON_SYNC_TLS_KEY": "k.pem"} if tls else {}
    environment = {
        "REGISTRY_URL": "oci://r",
        "K2S_INSTALL_DIR": str(tmp_path),
        "ADDON_SYNC_LISTEN": listen,
        "ADDON_SYNC_TOKEN": "T0ken",
        **pem,
    }
    _announce(load(flags={}, environment=environment, file=None), "http://x")
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * warned
    assert all("ADDON_SYNC_TLS_CERT" in message and "T0ken" not in message for message in caplog.messages)


@pytest.mark.parametrize(("senders", "warned"), [("{}", True), ("{ghcr: S3cret}", False)])
def test_an_open_door_is_warned_of_and_a_closed_one_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, senders: str, warned: bool
) -> None:
    """Credentials of senders close it as the shared token does."""
    file = tmp_path / "addon-sync.yaml"
    file.write_text(f"senders: {senders}\n")
    environment = {"REGISTRY_URL": "oci://r", "K2S_INSTALL_DIR": str(tmp_path)}
    _announce(load(flags={}, environment=environment, file=file), "http://x")
    assert ["no ADDON_SYNC_TOKEN" in message for message in caplog.messages] == [True] * warned
