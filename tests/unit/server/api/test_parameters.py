"""What stands behind the question mark: read strictly, told with its name."""

import pytest
from multidict import MultiDict

from receiver.server.api.parameters import BEFORE, LAST_EVENT_ID, LIMIT, LONGEST_WAIT, SENDER, SINCE, WAIT, read_query

ALL = (BEFORE, LIMIT, SENDER, SINCE, WAIT, LAST_EVENT_ID)


def test_what_is_not_given_has_its_default() -> None:
    """A header is no parameter of the query."""
    assert read_query(MultiDict(), ALL, now=0.0) == {
        "before": None, "limit": 50, "sender": None, "since": None, "wait": 0.0,
    }  # fmt: skip


def test_values_are_read() -> None:
    """A wait is never longer than proxies are patient."""
    given = MultiDict({"before": "7", "limit": "500", "sender": "zot", "since": "1h", "wait": "2h"})
    assert read_query(given, ALL, now=4000.0) == {
        "before": 7, "limit": 500, "sender": "zot", "since": 400.0, "wait": LONGEST_WAIT,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [("before", ""), ("before", "1.0"), ("before", "٣"), ("before", "9" * 30), ("before", "+1"), ("before", " 1"),
     ("limit", "0"), ("sender", "x" * 201), ("sender", ""), ("since", ""), ("wait", "5"), ("Last-Event-ID", "5")],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(name: str, text: str) -> None:
    """Rather than guessed."""
    with pytest.raises(ValueError, match=name):
        read_query(MultiDict({name: text}), ALL, now=0.0)
