"""What stays of a table where there is little room."""

from hypothesis import given
from hypothesis import strategies as st

from receiver.cli.layout import GAP, fit


def test_a_table_that_fits_is_left_alone() -> None:
    """Nothing is cut for nothing, and an empty column is no matter."""
    found = fit([10, 5, 20], 80, optional=[1], empty=[1])
    assert (found.columns, found.widths, found.below, found.dropped) == ((0, 1, 2), (10, 5, 20), None, ())


def test_the_text_is_broken_first() -> None:
    """It is what can be read in several lines; a column that holds nothing gives it room."""
    assert fit([10, 5, 200], 80).widths == (10, 5, 61)
    found = fit([10, 5, 200], 80, empty=[1])
    assert (found.columns, found.widths) == ((0, 2), (10, 68))


def test_a_text_without_room_stands_below_its_row() -> None:
    """A column of single letters cannot be read."""
    found = fit([30, 20, 200], 60)
    assert (found.columns, found.widths, found.below) == ((0, 1), (30, 20), 2)


def test_optional_columns_are_dropped_in_their_order_and_no_more_than_needed() -> None:
    """Those who lay out a table know what matters least."""
    found = fit([30, 20, 20, 20, 200], 80, optional=[3, 1, 2])
    assert (found.columns, found.dropped, found.below) == ((0, 1, 2), (3,), 4)


def test_in_the_end_the_widest_gives_way() -> None:
    """And what is narrow already stays."""
    assert fit([60, 10, 200], 50).widths == (38, 10)


@given(
    natural=st.lists(st.integers(0, 300), min_size=1, max_size=9),
    width=st.integers(1, 300),
    optional=st.lists(st.integers(0, 7), unique=True),
    empty=st.sets(st.integers(0, 7)),
)
def test_every_column_is_shown_below_or_named_as_dropped(
    natural: list[int], width: int, optional: list[int], empty: set[int]
) -> None:
    """Nothing gets lost silently, and no row is wider than a terminal that has eight columns for each cell."""
    optional = [column for column in optional if column < len(natural) - 1]
    found = fit(natural, width, optional=optional, empty=empty)
    below = [] if found.below is None else [found.below]
    seen = [*found.columns, *below, *found.dropped]
    assert sorted({*seen, *empty} & set(range(len(natural)))) == list(range(len(natural)))
    assert len(seen) == len(set(seen))
    assert len(found.widths) == len(found.columns)
    total = sum(found.widths) + GAP * max(0, len(found.widths) - 1)
    assert total <= width or all(size <= 8 for size in found.widths)
