"""Recorded deliveries, read again: whatever the file looks like, the good in it is found."""

import json
import time

import pytest

from receiver.sync.replay import documents, read
from receiver.sync.replayed import Replayed


def event(name: str) -> dict[str, object]:
    return {"id": name, "action": "push", "target": {"repository": f"addons/{name}", "tag": "v1.0.0"}}


def envelope(*names: str) -> dict[str, object]:
    return {"events": [event(name) for name in names]}


def found(text: str) -> Replayed:
    result = Replayed()
    for _ in read(text.splitlines(keepends=True), prefix="addons/", found=result):
        pass
    return result


@pytest.mark.parametrize("indent", [None, 0, 2, "\t"])
def test_documents_one_a_line_or_spread_over_lines_are_read(indent: int | str | None) -> None:
    """As a log holds them, or as a person looks at them; blank lines between them mean nothing."""
    texts = [json.dumps(envelope("a", "b"), indent=indent), json.dumps(envelope("b"), indent=indent)]
    result = found("\n\n" + "\n \n".join(texts) + "\n\n")
    assert (result.documents, result.events, result.repositories) == (2, 3, {"addons/a": 1, "addons/b": 2})
    assert result.problems == []


def test_lists_with_an_element_a_line_are_one_document() -> None:
    """Written by hand, or by a script."""
    text = '{"events": [\n' + ",\n".join(json.dumps(event(name)) for name in "abc") + "\n]}\n"
    result = found(text)
    assert (result.documents, result.events, result.problems) == (1, 3, [])


def test_single_events_and_recordings_with_headers_are_read() -> None:
    """Azure sends bare events; zot says in the headers what it is."""
    zot = {
        "headers": {"Ce-Type": "zotregistry.image.updated", "Ce-Id": "1"},
        "body": {"name": "addons/z", "reference": "v1"},
    }
    as_text = {"headers": {}, "body": json.dumps(envelope("t"))}
    result = found("\n".join(json.dumps(document) for document in (event("a"), zot, as_text)))
    assert result.repositories == {"addons/a": 1, "addons/z": 1, "addons/t": 1}
    assert result.problems == []


@pytest.mark.parametrize("cut", range(1, len(json.dumps(envelope("lost")))))
def test_a_document_that_is_cut_off_anywhere_costs_only_itself(cut: int) -> None:
    """A full disk, a log that was rotated; the number of the line is told."""
    good = json.dumps(envelope("good"))
    result = found(f"{good}\n{json.dumps(envelope('lost'))[:cut]}\n{good}\n{good}\n")
    assert result.repositories == {"addons/good": 3}
    assert len(result.problems) == 1
    assert result.problems[0].startswith("line 2: ")


@pytest.mark.parametrize("lines", range(1, len(json.dumps(envelope("lost"), indent=2).splitlines())))
def test_an_indented_document_that_is_cut_off_costs_only_itself(lines: int) -> None:
    """The next one begins in the first column."""
    good = json.dumps(envelope("good"), indent=2)
    cut = "\n".join(json.dumps(envelope("lost"), indent=2).splitlines()[:lines])
    result = found(f"{cut}\n{good}\n")
    assert (result.repositories, len(result.problems)) == ({"addons/good": 1}, 1)


@pytest.mark.parametrize(
    "garbage", ["hello", "]", '"', "{{{{", "}}{", "\udcff", "[" * 5000 + "]" * 5000, "1" * 5000, "NaN"]
)
def test_a_line_of_garbage_costs_only_itself(garbage: str) -> None:
    """And is told with its number."""
    result = found(f"{garbage}\n\n{json.dumps(envelope('good'))}\n")
    assert result.repositories == {"addons/good": 1}
    assert [problem.partition(":")[0] for problem in result.problems] == ["line 1"]


def test_what_can_be_read_but_not_written_is_a_problem_and_no_fault() -> None:
    """Nesting up to the interpreter's limit, of a bare event that is wrapped."""
    for depth in range(300, 1000, 7):
        nested = '{"action":"push","target":' + "[" * depth + "]" * depth + "}"
        assert found(nested).documents == 1


def test_events_of_no_concern_are_counted() -> None:
    """Pulls and other repositories; a bad event beside good ones is told."""
    document = {"events": [event("a"), {"action": "pull"}, {"action": "push", "target": {"repository": "x/y"}}, 7]}
    result = found(json.dumps(document))
    assert (result.events, result.ignored, len(result.problems)) == (1, 2, 1)


@pytest.mark.parametrize(
    "line",
    ['"' + '\\"' * 200_000, '{"a": "' + '"' * 200_001, "{" * 400_000, '{"a": [' * 60_000],
    ids=["escapes", "quotes", "brackets", "lists"],
)
def test_hostile_lines_take_linear_time(line: str) -> None:
    """400 KB; a quadratic reader would need minutes."""
    started = time.process_time()
    assert sum(1 for _ in documents([line + "\n"] * 3)) >= 1
    assert time.process_time() - started < 5.0


def test_many_lines_of_one_open_document_take_linear_time() -> None:
    """200,000 lines that never close."""
    started = time.process_time()
    assert [number for number, _ in documents(["{\n", *['"a": 1,\n'] * 200_000])] == [1]
    assert time.process_time() - started < 5.0


def test_lines_are_read_one_after_the_other() -> None:
    """Standard input may be a pipe that stays open; one line ahead is all that is needed."""
    taken = 0

    def lines() -> object:
        nonlocal taken
        for taken in range(1, 100):  # noqa: B007 - counted for the assertion below
            yield "{}\n"

    assert next(documents(lines())) == (1, "{}\n")  # type: ignore[arg-type] # a generator of lines
    assert taken == 2
