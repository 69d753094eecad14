"""Documents for programs: every time in them is ISO 8601, also one that somebody adds tomorrow."""

import dataclasses
import enum
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from receiver.catalog.listing import Entry as Listed
from receiver.diagnosis.finding import Finding
from receiver.diagnosis.registry import Looked
from receiver.diagnosis.settings import Row
from receiver.diagnosis.snippet import Snippet
from receiver.document import outward
from receiver.sync.chronicle import written
from receiver.sync.documents import entry_document, story_document
from receiver.sync.importing import Imported
from receiver.sync.operations import Changed, Verified
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.replayed import Replayed
from receiver.sync.status import AddonStatus
from receiver.sync.story import Story
from receiver.sync.unannounced import MissedPush
from receiver.sync.views import Parked, QueueHealth, ReleaseFacts
from receiver.tasks.journal import Arrival, Done, Health
from receiver.tasks.task import Task

MOMENT = 1_763_800_000.5
ISO = "2025-11-22T08:26:40.500Z"
DEEDS = (Outcome, Surveyed, Changed, Verified, Imported)


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
    return Done(id=1, activity=written(filled(kind), at=MOMENT))


PRINTED = (
    AddonStatus,
    Arrival,
    Changed,
    Finding,
    Health,
    Imported,
    Listed,
    Looked,
    MissedPush,
    Outcome,
    Parked,
    QueueHealth,
    ReleaseFacts,
    Replayed,
    Row,
    Snippet,
    Surveyed,
    Task,
    Verified,
)


@pytest.mark.parametrize("kind", PRINTED)
def test_no_document_holds_seconds_since_the_epoch(kind: type) -> None:
    """The reader would have to know which number is a time. Where this fails: make the member a `Moment`."""
    assert [(place, number) for place, number in numbers(outward(filled(kind))) if number != 0.5] == []


@pytest.mark.parametrize("kind", DEEDS)
def test_no_entry_holds_seconds_since_the_epoch(kind: type) -> None:
    """Of whatever was done."""
    document = outward(entry_document(done(kind)))
    assert [(place, number) for place, number in numbers(document) if number != 0.5] == []
    assert ISO in texts(document)


def test_no_story_holds_seconds_since_the_epoch() -> None:
    """With its steps and entries."""
    document = outward(story_document(filled(Story)))
    assert [(place, number) for place, number in numbers(document) if number != 0.5] == []
    assert ISO in texts(document)
