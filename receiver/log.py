"""Log lines: ``2026-11-22 12:00:00 [AddonSync] message`` for people, one JSON object a line for machines."""

import json
import logging
import sys
import time
from typing import IO

_PREFIXES = {
    logging.WARNING: "[AddonSync][WARN]",
    logging.ERROR: "[AddonSync][ERROR]",
    logging.CRITICAL: "[AddonSync][ERROR]",
}
_COLOURS = {logging.WARNING: "\x1b[33m", logging.ERROR: "\x1b[31m", logging.CRITICAL: "\x1b[31m"}
"""Of prefixes, on a terminal: yellow and red."""
# A name from outside must not forge a line, move the cursor or turn the text around (hazards A15, G20): C0, DEL, C1,
# the Unicode line ends, and what changes the direction of writing.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    code: f"\\u{code:04x}" for code in (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
}


class TextFormatter(logging.Formatter):
    """The fixed text form; the time is local, as the script's was. ``coloured`` changes no letter of it."""

    def __init__(self, *, coloured: bool = False) -> None:
        super().__init__()
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows where the program is at fault."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        prefix = _PREFIXES.get(record.levelno, "[AddonSync]")
        if self._coloured and record.levelno in _COLOURS:
            prefix = f"{_COLOURS[record.levelno]}{prefix}\x1b[0m"
        line = f"{stamp} {prefix} {_plain(record.getMessage())}"
        if not record.exc_info:
            return line
        # Indented, so that no line of an exception's text can pass for one of ours.
        trace = self.formatException(record.exc_info).split("\n")
        return "\n".join([line, *(f"    {_plain(part)}" for part in trace)])


def _plain(text: str) -> str:
    # Lone surrogates, from file names in another encoding, would make the whole line unwritable.
    return text.translate(_CONTROLS).encode("utf-8", "backslashreplace").decode("utf-8")


class JsonFormatter(logging.Formatter):
    """One object a line: ``time`` (ISO 8601, UTC), ``level``, ``logger``, ``message``, ``addon`` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{stamp}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        addon = getattr(record, "addon", None)
        if addon is not None:
            line["addon"] = addon
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # ASCII JSON escapes every control character, DEL too, and half pairs.
        return json.dumps(line, ensure_ascii=True)


def configure(*, style: str, stream: IO[str] | None = None, coloured: bool = False) -> None:
    """Write the program's log lines to ``stream`` (standard output); ``style`` is ``text`` or ``json``.

    ``coloured``: what ``stream`` leads to shows colours.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter(coloured=coloured))
    logger = logging.getLogger("receiver")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
