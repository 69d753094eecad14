"""Results for people and for programs."""

import json
import sys
from collections.abc import Sequence
from typing import Any


def print_json(value: Any) -> None:
    """One JSON document on standard output; in ASCII, since Windows gives pipes an encoding that lacks most letters."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table that fits the terminal; elsewhere as wide as it needs to be, and without what only a terminal needs."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        _print_plain([list(header), *cells])
        return
    from rich.console import Console  # noqa: PLC0415 - half of the start-up, which a scheduled job does not need
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    last = len(header) - 1
    for number, title in enumerate(header):
        table.add_column(title, no_wrap=number != last, overflow="fold")
    for row in cells:
        # Text, not markup: names and messages from outside must not be read as styles.
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(table)


def _print_plain(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def printable(text: str) -> str:
    """``text`` with control characters replaced: a terminal must not obey a name."""
    return "".join(character if character.isprintable() else "?" for character in text)


def ago(seconds: float | None, *, now: float) -> str:
    """A time for people: ``3 m ago``, ``in 12 s``."""
    if seconds is None:
        return ""
    delta = now - seconds
    amount = next(
        (
            f"{abs(delta) / unit:.0f} {name}"
            for unit, name in ((86400, "d"), (3600, "h"), (60, "m"))
            if abs(delta) >= unit
        ),
        f"{abs(delta):.0f} s",
    )
    return f"{amount} ago" if delta >= 0 else f"in {amount}"
