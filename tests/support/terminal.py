"""A pseudo-terminal of a given width, and what a program shows on it."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

_SECONDS = 60.0


def shown(command: Sequence[str], *, columns: int, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """The exit code of ``command`` and all that it wrote to a terminal of ``columns``."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    inherited = {name: text for name, text in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "FORCE_COLOR"}}
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={**inherited, "TERM": "xterm-256color", **(environment or {})},
    )
    os.close(slave)
    try:
        written = _until_its_end(master, time.monotonic() + _SECONDS)
        return process.wait(timeout=_SECONDS), written.decode("utf-8", "replace").replace("\r\n", "\n")
    finally:
        process.kill()
        os.close(master)


def _until_its_end(master: int, deadline: float) -> bytes:
    """Linux answers with an error once the last holder of the other side is gone."""
    found = bytearray()
    while time.monotonic() < deadline:
        try:
            found += os.read(master, 65536)
        except OSError:
            break
    return bytes(found)
