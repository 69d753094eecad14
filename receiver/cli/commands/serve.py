"""``addon-sync serve``."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from typing import Any

import click

from receiver.cli.command import Command
from receiver.cli.options import load_settings, settings_options
from receiver.cli.progress import PlainProgress
from receiver.config import Settings
from receiver.lock import Holder, StateLock

_log = logging.getLogger(__name__)

_PATIENCE = 20.0
"""Seconds that a new ``serve`` waits for its predecessor to stop."""


@click.command("serve", cls=Command)
@settings_options(serve=True)
def command(**options: Any) -> None:
    """Receive notifications and keep the catalogue in step, until SIGTERM or SIGINT (Ctrl-C).

    \b
    Examples:
      addon-sync serve --registry-url oci://registry.local:30500 --insecure true
      ADDON_SYNC_TOKEN_FILE=token addon-sync serve --config addon-sync.yaml --listen 0.0.0.0:8080
    """
    settings = load_settings(options)
    lock = StateLock(settings.state_dir, install_dir=settings.install_dir)
    lock.acquire(command="serve", timeout=_PATIENCE, waiting=lambda who: _tell_who_is_there(settings, who))
    with lock:
        asyncio.run(_serve(settings, lock))


def _tell_who_is_there(settings: Settings, who: Holder | None) -> None:
    folder = settings.state_dir if who is None or who.state is None else settings.install_dir
    again = "another " if who is not None and who.command == "serve" else ""
    _log.info(
        "%s%s works on %s: this one takes over when that ends, and gives up after %.0f s; Ctrl-C gives up at once",
        again,
        who or "another process",
        folder,
        _PATIENCE,
    )


async def _serve(settings: Settings, lock: StateLock) -> None:
    from receiver.serve import serve  # noqa: PLC0415 - the help of this command does not need a server

    stop = asyncio.Event()
    _on_stop(asyncio.get_running_loop(), stop.set)
    await serve(settings, lock, progress=PlainProgress(), stop=stop, listening=lambda url: _announce(settings, url))
    _log.info("stopped")


def _announce(settings: Settings, url: str) -> None:
    _log.info("listening on %s for notifications of %s", url, settings.registry.authority)
    if settings.registry.scheme == "http":
        _log.warning(
            "the registry is spoken to over plain HTTP, as INSECURE says: anybody on the way can change addons"
        )
    if not settings.listen.loopback and settings.tls_cert is None:
        _log.warning("no ADDON_SYNC_TLS_CERT: the token travels unencrypted unless something in front speaks TLS")
    if not settings.token.configured and not settings.senders:
        _log.warning("no ADDON_SYNC_TOKEN: every program on this machine may send notifications")


def _on_stop(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Call ``stop`` on SIGTERM and SIGINT; on Windows, whose loops take no handlers, on SIGINT and SIGBREAK."""
    names = ("SIGINT", "SIGBREAK") if os.name == "nt" else ("SIGINT", "SIGTERM")
    for number in [getattr(signal, name) for name in names if hasattr(signal, name)]:
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
