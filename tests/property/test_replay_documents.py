"""Whatever a recording looks like, it is split into documents completely, in order, and with the right numbers."""

import json

from hypothesis import given
from hypothesis import strategies as st

from receiver.sync.replay import documents, read
from receiver.sync.replayed import Replayed

_SCALARS = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=12)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_DOCUMENTS = st.dictionaries(st.text(max_size=6), _VALUES, max_size=4)
_INDENTS = st.sampled_from([None, 1, 2, 4])
_BLANKS = st.integers(0, 2)


@given(st.lists(st.tuples(_DOCUMENTS, _INDENTS, _BLANKS), max_size=6))
def test_good_documents_come_out_as_they_went_in(recorded: list[tuple[dict[str, object], int | None, int]]) -> None:
    """One a line and indented in any mixture; brackets and quotes in texts mean nothing."""
    lines: list[str] = []
    expected = []
    for document, indent, blanks in recorded:
        lines += ["\n"] * blanks
        expected.append((len(lines) + 1, document))
        lines += [line + "\n" for line in json.dumps(document, indent=indent).split("\n")]
    assert [(number, json.loads(text)) for number, text in documents(lines)] == expected


@given(st.lists(st.text(alphabet=st.sampled_from('{}[]",:\\ a1\t'), max_size=20), max_size=12))
def test_no_line_is_lost_and_none_is_doubled(texts: list[str]) -> None:
    """Garbage too: what comes out is what went in, without blank lines between documents."""
    lines = [text + "\n" for text in texts]
    found = list(documents(lines))
    kept = "".join(text for _, text in found)
    assert [line for line in kept.splitlines() if line.strip()] == [text for text in texts if text.strip()]
    for number, text in found:
        assert text.startswith(lines[number - 1])
    assert [number for number, _ in found] == sorted({number for number, _ in found})


@given(st.lists(st.text(max_size=30), max_size=10))
def test_nothing_makes_the_reader_fail(texts: list[str]) -> None:
    """Each document is an event, of no concern, or a problem with its line."""
    result = Replayed()
    for _ in read([text + "\n" for text in texts], prefix="addons/", found=result):
        pass
    assert len(result.problems) >= result.documents - result.events - result.ignored
    assert all(problem.startswith("line ") for problem in result.problems)


@given(st.lists(st.booleans(), max_size=6), st.integers(1, 60))
def test_good_lines_are_found_among_those_that_are_cut_off(pattern: list[bool], cut: int) -> None:
    """No good one is lost, wherever the others end; those that follow each other may be told as one problem."""
    whole = json.dumps({"events": [{"action": "push", "target": {"repository": "addons/a", "tag": "v1"}}]})
    result = Replayed()
    for _ in read([(whole if good else whole[:cut]) + "\n" for good in pattern], prefix="addons/", found=result):
        pass
    assert result.events == sum(pattern)
    assert (not result.problems) == all(pattern)
