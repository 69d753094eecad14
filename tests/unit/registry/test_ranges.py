"""Whether an answer to a ``Range`` request goes on where it should."""

import pytest

from receiver.registry.ranges import continues


def test_the_rest_continues() -> None:
    """From the offset to the end, with a length or without."""
    for length in (None, 60):
        assert continues(206, content_range="bytes 40-99/100", length=length, offset=40, size=100)


@pytest.mark.parametrize(
    ("status", "content_range", "length"),
    [
        (200, "bytes 40-99/100", 60),
        (416, "bytes 40-99/100", 60),
        (206, None, 60),
        (206, "", 60),
        (206, "bytes 39-99/100", 60),
        (206, "bytes 41-99/100", 60),
        (206, "bytes 40-98/100", 60),
        (206, "bytes 40-99/101", 60),
        (206, "bytes 40-99/*", 60),
        (206, "bytes */100", 60),
        (206, "items 40-99/100", 60),
        (206, "bytes 40-99/100, bytes 40-99/100", 60),
        (206, "bytes 40-99/100", 59),
        (206, "bytes 40-99/100", 100),
    ],
)
def test_anything_else_does_not(status: int, content_range: str | None, length: int | None) -> None:
    """Another start, end, total or length (hazards J19)."""
    assert not continues(status, content_range=content_range, length=length, offset=40, size=100)
