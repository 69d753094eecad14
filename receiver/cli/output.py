"""Results for people and for programs."""

import json
import shutil
import sys
import textwrap
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from receiver.cli.layout import GAP, INDENT, Layout, fit
from receiver.cli.terminal import State, coloured

if TYPE_CHECKING:
    from rich.text import Text


def print_json(value: Any) -> None:
    """One JSON document on standard output; in ASCII, since Windows gives pipes an encoding that lacks most letters."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, optional: Sequence[str] = ()) -> None:
    """A table that fits the terminal; elsewhere as wide as it needs to be, and without what only a terminal needs.

    The last column holds text and is broken at words, or moves below its row. Where that is not enough, columns of the
    titles ``optional`` are left out in this order, and the table says so. A cell that is a `State` is coloured.
    """
    table = Table(header, optional=optional)
    for row in rows:
        table.add(row)
    table.print()


class Table:
    """Rows below a header: printed as a whole, or, where their end is not known, one by one."""

    def __init__(self, header: Sequence[str], *, optional: Sequence[str] = (), widths: Sequence[int] = ()) -> None:
        """``widths`` are those that columns have at least."""
        self._header = [printable(title) for title in header]
        self._optional = [self._header.index(title) for title in optional]
        self._rows: list[list[str]] = []
        self._least = [*widths, *[0] * (len(header) - len(widths))]
        self._begun = False

    def add(self, row: Sequence[str]) -> None:
        """Append a row."""
        self._rows.append([State(cell) if isinstance(cell, State) else printable(cell) for cell in row])

    def print(self) -> None:
        """All of it."""
        if sys.stdout.isatty():
            _Screen().print([self._header, *self._rows], self._least, self._optional, titled=True, empty=self._empty())
        else:
            _print_plain([self._header, *self._rows], self._least)

    def print_next(self, row: Sequence[str]) -> None:
        """One row now, the first one below the header; columns keep the widths that they once needed."""
        self.add(row)
        row = self._rows.pop()
        shown = [row] if self._begun else [self._header, row]
        if sys.stdout.isatty():
            screen = _Screen()
            screen.print(shown, self._least, self._optional, titled=not self._begun)
            self._least = [max(screen.widths(column)) for column in zip(self._least_cells(), *shown, strict=True)]
        else:
            _print_plain(shown, self._least)
            self._least = [max(map(len, column)) for column in zip(self._least_cells(), *shown, strict=True)]
        # The last column is text: no row has to be as wide as the widest one.
        self._least[-1] = 0
        self._begun = True

    def _empty(self) -> list[int]:
        cells = zip(*self._rows, strict=True)
        return [number for number, column in enumerate(cells) if not any(column)]

    def _least_cells(self) -> list[str]:
        return [" " * width for width in self._least]


class _Screen:
    """A terminal."""

    def __init__(self) -> None:
        # Half of the start-up, which a scheduled job does not need.
        from rich.cells import cell_len  # noqa: PLC0415
        from rich.console import Console  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        self._length = cell_len
        self._text: type[Text] = Text
        self._console: Console = Console(
            file=sys.stdout, highlight=False, color_system="auto" if coloured(sys.stdout) else None
        )

    def widths(self, cells: Sequence[str]) -> list[int]:
        """How many columns of the terminal each needs: some letters need two."""
        return [self._length(cell) for cell in cells]

    def print(
        self,
        rows: Sequence[Sequence[str]],
        least: Sequence[int],
        optional: Sequence[int],
        *,
        titled: bool,
        empty: Collection[int] = (),
    ) -> None:
        """Print ``rows`` in columns; ``titled``: the first one is the header."""
        columns = list(zip(*rows, strict=True))
        natural = [max(width, *self.widths(cells)) for width, cells in zip(least, columns, strict=True)]
        found = fit(natural, self._console.width, optional=optional, empty=empty)
        for number, row in enumerate(rows):
            is_header = titled and number == 0
            for line in self._lines(row, found, style="bold" if is_header else "", below=not is_header):
                self._console.print(line, no_wrap=True, overflow="ignore", crop=False)
        if titled and found.dropped:
            names = ", ".join(rows[0][column] for column in found.dropped)
            note = f"not shown here: {names} (a wider terminal or --output json shows them)"
            for line in self._broken(note, self._console.width, "dim"):
                self._console.print(line)

    def _lines(self, row: Sequence[str], found: Layout, *, style: str, below: bool) -> "Iterator[Text]":
        """The lines of a row."""
        cells = [
            self._broken(row[column], width, style) for column, width in zip(found.columns, found.widths, strict=True)
        ]
        for number in range(max((len(cell) for cell in cells), default=0)):
            line = self._text()
            for cell, width in zip(cells, found.widths, strict=True):
                part = cell[number] if number < len(cell) else self._text()
                part.pad_right(width - part.cell_len + GAP)
                line.append_text(part)
            line.rstrip()
            yield line
        if below and found.below is not None and row[found.below]:
            for part in self._broken(row[found.below], self._console.width - INDENT, style):
                yield self._text(" " * INDENT).append_text(part)

    def _broken(self, cell: str, width: int, style: str) -> "list[Text]":
        # Text, not markup: names and messages from outside must not be read as styles.
        tone = cell.tone if isinstance(cell, State) else None
        text = self._text(cell, style=tone or style)
        lines = list(text.wrap(self._console, max(1, width), overflow="fold"))
        for number, line in enumerate(lines):
            line.rstrip()
            if number and line.plain.startswith(" "):  # it was broken within a long word
                lines[number] = line[1:]
        return lines


def _print_plain(rows: Sequence[Sequence[str]], least: Sequence[int]) -> None:
    columns = zip(*rows, strict=True)
    widths = [max(width, *map(len, column)) for width, column in zip(least, columns, strict=True)]
    for row in rows:
        line = (" " * GAP).join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def paragraph(head: str, text: str, *, width: int) -> list[str]:
    """``text`` after ``head``, broken at words below its own beginning; one line where ``width`` is 0 or too small."""
    line = head + printable(text)
    if width <= len(head) + 20:
        return [line]
    return textwrap.wrap(line, width, subsequent_indent=" " * len(head), break_on_hyphens=False)


def terminal_width() -> int:
    """Of standard output; 0 where that is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def printable(text: str) -> str:
    """``text`` with control characters replaced: a terminal must not obey a name."""
    return "".join(character if character.isprintable() else "?" for character in text)


def ago(seconds: float | None, *, now: float) -> str:
    """A time for people: ``3 m ago``, ``in 12 s``."""
    if seconds is None:
        return ""
    delta = now - seconds
    amount = _amount(abs(delta))
    return f"{amount} ago" if delta >= 0 else f"in {amount}"


def _amount(seconds: float) -> str:
    """In the largest unit of which there is one when rounded: never ``60 s``."""
    for unit, name, most in ((1, "s", 60), (60, "m", 60), (3600, "h", 24)):
        amount = round(seconds / unit)
        if amount < most:
            return f"{amount} {name}"
    return f"{round(seconds / 86400)} d"
