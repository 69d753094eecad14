"""How a table fits a width: which columns stay, how wide they are, and what moves below its row. Pure."""

from collections.abc import Collection, Sequence

from receiver.document import Value

GAP = 2
"""Blanks between two columns."""
INDENT = 4
"""Blanks before what stands below its row."""
_LEAST_TEXT = 30
"""Columns that the last cell, a text, needs to be read beside the others."""
_LEAST_CELL = 8


class Layout(Value, frozen=True, kw_only=True):
    """Where the cells of a row go; columns by their numbers."""

    columns: tuple[int, ...]
    """Those side by side."""
    widths: tuple[int, ...]
    """Of each of them; longer cells are broken into lines."""
    below: int | None = None
    """The one whose cells stand below their rows, as wide as the terminal."""
    dropped: tuple[int, ...] = ()
    """Those that are not shown."""


def fit(natural: Sequence[int], width: int, *, optional: Sequence[int] = (), empty: Collection[int] = ()) -> Layout:
    """Lay out columns that need ``natural`` widths; the last holds text, which may be broken.

    ``optional`` may be dropped, in this order; ``empty`` are left out wherever the rest would not fit with them.
    """
    columns = list(range(len(natural)))
    if _total(natural, columns) <= width or len(columns) == 1:
        return Layout(columns=tuple(columns), widths=tuple(min(natural[column], width) for column in columns))
    columns = [column for column in columns if column not in empty]
    text = len(natural) - 1
    others = [column for column in columns if column != text]
    room = width - _total(natural, others) - GAP
    if text in columns and room >= min(natural[text], _LEAST_TEXT):
        widths = (*(natural[column] for column in others), min(natural[text], room))
        return Layout(columns=(*others, text), widths=widths)
    dropped = _drop(natural, others, width, optional)
    return Layout(
        columns=tuple(others),
        widths=_narrowed([natural[column] for column in others], width),
        below=text if text in columns else None,
        dropped=dropped,
    )


def _total(natural: Sequence[int], columns: Sequence[int]) -> int:
    return sum(natural[column] for column in columns) + GAP * max(0, len(columns) - 1)


def _drop(natural: Sequence[int], columns: list[int], width: int, optional: Sequence[int]) -> tuple[int, ...]:
    """Take columns out of ``columns`` until the rest fits, or none of the optional ones is left; which ones."""
    dropped = []
    for column in optional:
        if _total(natural, columns) <= width:
            break
        if column in columns:
            columns.remove(column)
            dropped.append(column)
    return tuple(dropped)


def _narrowed(widths: list[int], width: int) -> tuple[int, ...]:
    """The widest gives way, as far as a cell can still be read."""
    surplus = sum(widths) + GAP * (len(widths) - 1) - width
    while surplus > 0 and max(widths) > _LEAST_CELL:
        widths[widths.index(max(widths))] -= 1
        surplus -= 1
    return tuple(widths)
