"""What systemd is told by a service of ``Type=notify``: that it is ready, alive, stopping (sd_notify(3)).

A datagram to the socket that the environment names; without one, nothing happens, as on Windows or in a container.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping

_log = logging.getLogger(__name__)


def notify(*lines: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send ``lines`` such as ``READY=1``; whether there was anybody to tell. Never fails: no service ends for this."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return False
    if address.startswith("@"):  # the abstract namespace of Linux
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(address)
            sender.sendall("\n".join(lines).encode())
    except OSError as error:
        _log.warning("systemd could not be told %s: %s", lines[0], error.strerror)
        return False
    return True


def watchdog_pause(environment: Mapping[str, str] = os.environ, *, pid: int | None = None) -> float | None:
    """Seconds between two signs of life, half of what ``WatchdogSec`` allows; None where nobody waits for them."""
    text, whose = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not text.isdecimal() or int(text) == 0 or whose not in {"", str(os.getpid() if pid is None else pid)}:
        return None
    return int(text) / 2_000_000


async def keep_alive(pause: float) -> None:
    """Give signs of life until cancelled: a loop that hangs gives none, and systemd starts the service anew."""
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(pause)
