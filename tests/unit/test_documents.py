"""Answers for programs: JSON with ISO times, whatever there is to tell."""

import json
import re
from typing import Any

import pytest

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
from receiver.sync.chronicle import Deed, written
from receiver.sync.outcome import Outcome
from receiver.sync.story import Story
from receiver.sync.unannounced import MissedPush
from receiver.sync.views import Parked, QueueHealth, ReleaseFacts
from receiver.tasks.journal import Done, Health
from tests.unit.sync.test_chronicle import DEEDS
from tests.unit.sync.test_wire import ARRIVAL, DONE, STATUS

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00\Z")
TIMES = {
    "answered", "arrived", "as_of", "asked", "at", "ended", "last_look", "newest", "next_attempt", "next_look",
    "oldest", "received", "replaced", "retry_at", "since", "started", "visible", "when",
}  # fmt: skip
"""Members that are times, wherever they stand."""


def judge(value: Any, path: str = "") -> None:
    """Every time is ISO, and nothing else looks like one that was forgotten."""
    if isinstance(value, dict):
        for key, member in value.items():
            if key in TIMES and not isinstance(member, list):
                assert member is None or ISO.match(member), f"{path}.{key}: {member!r}"
            judge(member, f"{path}.{key}")
    elif isinstance(value, list):
        for member in value:
            judge(member, path)
    elif isinstance(value, float):
        assert path.endswith(".duration"), f"{path}: {value!r}"


def judged(document: Any) -> Any:
    """``document`` as a program reads it."""
    read = json.loads(json.dumps(document))
    judge(read)
    return read


@pytest.mark.parametrize("deed", [deed for deed, _, _ in DEEDS], ids=lambda deed: type(deed).__name__)
def test_every_kind_of_deed(deed: Deed) -> None:
    """With what is known of it, under ``detail``."""
    document = judged(entry_document(Done(id=7, activity=written(deed, at=1_795_000_000.0))))
    assert (document["id"], document["at"]) == (7, "2026-11-18T11:06:40.000+00:00")
    assert document["kind"] in {"sync", "poll", "operation"}
    assert isinstance(document["detail"], dict)


@pytest.mark.parametrize("outcome", [deed for deed, kind, _ in DEEDS if kind == "sync"], ids=lambda deed: deed.status)
def test_what_a_command_brought(outcome: Outcome) -> None:
    """The next attempt and the release that was replaced among it."""
    document = judged(outcome_document(outcome))
    assert (document["status"], document["asked"]) == (outcome.status, "2026-11-18T11:06:40.000+00:00")


def test_a_delivery() -> None:
    """With its events, and the reasons why some came to nothing."""
    document = judged(entry_document(ARRIVAL))
    assert (document["kind"], document["address"], document["count"], document["answered"]) == (
        "delivery",
        "10.0.0.7",
        500,
        None,
    )
    assert [event["left_out"] for event in document["events"]] == [None, "blob"]


def test_the_status_of_an_addon() -> None:
    """With all that is nested in it; the operator's files are a list of paths."""
    document = judged(status_document(STATUS))
    assert document["installed"]["installed"] == "1970-01-01T00:00:01.500+00:00"
    assert document["installed"]["replaced"] == ["/backups/ü"]
    assert document["last_sync"]["trigger"] == "event"


def test_the_story_of_an_addon() -> None:
    """Steps, and entries of both kinds."""
    document = judged(story_document(Story(status=STATUS, steps=(), entries=(ARRIVAL, DONE))))
    assert [entry["kind"] for entry in document["entries"]] == ["delivery", "sync"]


def test_everything_else() -> None:
    """What is parked, missed, kept, and how the journal is."""
    assert judged(parked_document(Parked(repository="a", digest=None, error="x", attempts=1, since=2.5)))["attempts"]
    missed = MissedPush(repository="a", tag="v1", digest="d", state="installed", installed=1.5)
    assert judged(missed_document(missed))["installed"] == "1970-01-01T00:00:01.500+00:00"
    for event in (None, STATUS.last_event):
        release = ReleaseFacts(tag="v1", version=None, digest="d", arrived=1.5, installed=False, event=event)
        assert judged(release_document(release))["tag"] == "v1"
    health = Health(entries=1, bytes=2, oldest=1.5, newest=None, problems=("x",))
    assert judged(health_document(QueueHealth(tasks={"queued": 1}, journal=health)))["journal"]["problems"] == ["x"]
