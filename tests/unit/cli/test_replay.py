"""The notes that a replay of a file sends into the journal: some at a time, each with its line."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver.cli.commands import replay
from receiver.cli.results import Results
from receiver.config import load
from receiver.sync.engine import Planned
from receiver.sync.request import RememberRequest, ReplayRequest, Request
from receiver.sync.status import AddonStatus, DesiredFacts, InstalledFacts


def event(number: int) -> dict[str, object]:
    target = {"repository": f"addons/a{number % 3}", "tag": "v1.0.0"}
    return {"id": str(number), "action": "push", "target": target}


def requests(tmp_path: Path, lines: list[str], *, dry_run: bool = False) -> list[Request]:
    """What is asked for a file of these lines."""
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    environment = {"REGISTRY_URL": "oci://registry:5000", "K2S_INSTALL_DIR": str(tmp_path)}
    settings = load(flags={}, environment=environment, file=None)
    found: Iterator[Request] = replay._from_file(
        str(file), replay._lines(str(file)), settings, Results(), dry_run=dry_run
    )
    return list(found)


@pytest.mark.parametrize("each", [1, 7, 600, 2000])
def test_notes_come_in_batches_whatever_a_document_holds(each: int, tmp_path: Path) -> None:
    """An envelope may hold one event or thousands: no request grows with it, and none is lost or doubled."""
    lines = [
        json.dumps({"events": [event(number) for number in range(start, min(start + each, 2000))]})
        for start in range(0, 2000, each)
    ]
    *remembered, last = requests(tmp_path, lines)
    asides = [aside for one in remembered if isinstance(one, RememberRequest) for aside in one.asides]
    assert [event.event_id for aside in asides for event in aside.events] == [str(number) for number in range(2000)]
    for one in remembered:
        assert isinstance(one, RememberRequest)
        assert 0 < sum(len(aside.events) for aside in one.asides) < 2 * replay._BATCH
    for aside in asides:
        assert aside.origin is not None
        line = lines[int(aside.origin.removeprefix("events.jsonl, line ")) - 1]
        assert f'"id": "{aside.events[0].event_id}"' in line
    assert isinstance(last, ReplayRequest)
    assert last.repositories == ("addons/a0", "addons/a1", "addons/a2")
    assert last.asked is not None
    assert all(last.asked <= aside.received for aside in asides)


def test_a_dry_run_notes_nothing(tmp_path: Path) -> None:
    """It asks what the addons would come to, and no more."""
    (only,) = requests(tmp_path, [json.dumps({"events": [event(0)]})], dry_run=True)
    assert isinstance(only, ReplayRequest)
    assert (only.repositories, only.dry_run) == (("addons/a0",), True)


def test_a_file_without_events_asks_for_nothing(tmp_path: Path) -> None:
    """Nothing is noted, and nobody is looked at."""
    (only,) = requests(tmp_path, ["{}", "not json", ""])
    assert isinstance(only, ReplayRequest)
    assert only.repositories == ()


@pytest.mark.parametrize(
    ("installed", "desired", "words"),
    [
        ("v1.3.0", "v2.0.0", "an installation of v2.0.0 (sha256:"),
        ("v2.0.0", "v1.3.0", "a look that doubts v1.3.0 (sha256:"),
        ("v2.0.0", "latest", "an installation of latest (sha256:"),
    ],
)
def test_a_dry_run_does_not_promise_a_lower_version_at_once(installed: str, desired: str, words: str) -> None:
    """It is doubted like any other; what is no version cannot be compared before it is looked at."""
    status = AddonStatus(
        repository="addons/a",
        standing="outdated",
        installed=InstalledFacts(
            version=installed, tag=installed, digest="sha256:" + "a" * 64, installed=1.0, present=True
        ),
        desired=DesiredFacts(tag=desired, digest="sha256:" + "b" * 64),
        hold=None,
        next_attempt=None,
        attempts=0,
        error=None,
    )
    assert replay._leads_to(Planned(status=status, events=1)).startswith(words)


def test_a_dry_run_says_that_the_last_try_failed() -> None:
    """Whoever replays it learns what is likely to come of it."""
    status = AddonStatus(
        repository="addons/a",
        standing="parked",
        installed=None,
        desired=DesiredFacts(tag="v2.0.0", digest="sha256:" + "b" * 64),
        hold=None,
        next_attempt=None,
        attempts=3,
        error="a link in the archive",
    )
    told = replay._leads_to(Planned(status=status, events=1))
    assert told == "another try of v2.0.0 (sha256:bbbbbbbbbbbb), which failed: a link in the archive"


def test_what_can_be_no_number_of_the_journal_is_an_event() -> None:
    """Senders name events as they like: also by digits that SQLite cannot hold, or that are not ours."""
    ids = ("7", "9" * 18, "9" * 19, "٣", "291e84c1")
    chosen = dict.fromkeys(("since", "until", "addon", "sender", "failed", "quarantined"))
    request = replay._from_journal(ids, {**chosen, "failed": False, "quarantined": False}, dry_run=True)
    assert request.numbers == (7, 10**18 - 1)
    assert request.event_ids == ids[2:]
