"""Documents for programs: every time in them is ISO 8601, also one that somebody adds tomorrow."""

import dataclasses
import enum
import re
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from receiver.catalog.listing import Entry as Listed
from receiver.cli.results import Results
from receiver.diagnosis.finding import Finding
from receiver.diagnosis.registry import Looked
from receiver.diagnosis.settings import Row
from receiver.diagnosis.snippet import Snippet
from receiver.document import encode, parse
from receiver.documents import (
    entry_document,
    health_document,
    missed_document,
    outcome_document,
    parked_document,
    release_document,
    status_document,
    story_document,
)
from receiver.sync.operations import Changed, Verified
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.replay import Replayed
from receiver.sync.status import AddonStatus
from receiver.sync.story import Story
from receiver.sync.unannounced import MissedPush
from receiver.sync.views import Parked, QueueHealth, ReleaseFacts
from receiver.tasks.journal import Activity, Arrival, Done

MOMENT = 1_763_800_000.5
ISO = "2025-11-22T08:26:40.500+00:00"
DEEDS = (Outcome, Surveyed, Changed, Verified)


def filled(kind: Any) -> Any:
    """A value of ``kind`` with nothing left out: each number with a fraction is a moment, if it is no duration."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    plain = {float: MOMENT, str: "x", int: 7, bool: True, bytes: b"{}", type(None): None, Any: None}
    if kind in plain:
        return plain[kind]
    if origin is typing.Literal:
        return arguments[0]
    if origin in {typing.Union, types.UnionType}:
        return filled(arguments[0])
    if origin in {tuple, list}:
        return origin([filled(arguments[0])])
    if origin is not None:
        return {"x": filled(arguments[1])}
    if issubclass(kind, enum.Enum):
        return next(iter(kind))
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else [*hints]
    return kind(**{name: 0.5 if name == "duration" else filled(hints[name]) for name in names})


def numbers(document: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a document, with its place."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            yield from numbers(value, f"{path}.{key}")
    elif isinstance(document, list | tuple):
        for value in document:
            yield from numbers(value, path)
    elif isinstance(document, float):
        yield path, document


def texts(document: Any) -> str:
    return repr(document)


def done(kind: type) -> Done:
    return Done(
        id=1,
        activity=Activity(at=MOMENT, kind="sync", outcome="x", repository=None, document=encode(filled(kind))),
    )


@pytest.mark.parametrize(
    "document",
    [
        outcome_document(filled(Outcome)),
        status_document(filled(AddonStatus)),
        story_document(filled(Story)),
        parked_document(filled(Parked)),
        missed_document(filled(MissedPush)),
        release_document(filled(ReleaseFacts)),
        health_document(filled(QueueHealth)),
        entry_document(filled(Arrival)),
        *(entry_document(done(kind)) for kind in DEEDS),
    ],
    ids=lambda document: ",".join([*document][:3]),
)
def test_no_document_holds_seconds_since_the_epoch(document: dict[str, Any]) -> None:
    """The reader would have to know which number is a time."""
    assert [(place, number) for place, number in numbers(document) if number != 0.5] == []
    assert ISO in texts(document)
    assert not re.search(r"17638\d+", texts(document))


@pytest.mark.parametrize("kind", [Changed, Verified, Replayed, Finding, Looked, Row, Snippet])
def test_what_is_printed_as_it_is_holds_no_time(kind: type) -> None:
    """Where this fails: write a document for it in `receiver.documents`."""
    assert list(numbers(parse(encode(filled(kind))))) == []


def test_the_one_time_of_a_listing_is_the_one_that_is_converted() -> None:
    """``ls`` writes it by itself."""
    assert [place for place, _ in numbers(parse(encode(filled(Listed))))] == [".installed"]


def test_what_sync_prints_tells_when_it_is_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    """As a time, like all others."""
    results = Results()
    results.add(filled(Outcome))
    results.finish("json")
    out = capsys.readouterr().out
    assert f'"retry_at": "{ISO}"' in out
    assert f'"replaced": "{ISO}"' in out
