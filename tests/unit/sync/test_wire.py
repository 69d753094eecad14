"""What `serve` and the commands say to each other survives the way."""

import json

import pytest

from receiver.catalog.release import Drift
from receiver.document import InvalidDocument, encode
from receiver.sync.engine import Report
from receiver.sync.operations import Changed, Verified
from receiver.sync.outcome import Outcome, Status, Surveyed
from receiver.sync.replay import Replayed
from receiver.sync.request import (
    HoldRequest,
    PollRequest,
    ReleaseRequest,
    ReplayRequest,
    Request,
    RollbackRequest,
    SyncRequest,
    UninstallRequest,
    VerifyRequest,
)
from receiver.sync.wire import (
    End,
    Failure,
    read_report,
    read_request,
    request_kind,
    write_report,
)
from receiver.tasks.task import Trigger

REPORTS: list[Report | Failure | End] = [
    *[
        Outcome(repository="addons/a", status=status, trigger=trigger, asked=1.0, started=2.5, duration=0.0)
        for status in ("installed", "unchanged", "held", "absent", "failed")
        for trigger in Trigger
    ],
    Outcome(
        repository="addons/a",
        status="installed",
        trigger=Trigger.EVENT,
        asked=1.25,
        started=2.0,
        duration=0.125,
        digest="sha256:" + "a" * 64,
        tag="v1.0.0",
        version="1.0.0",
        files=3,
        fetched=10**12,
        visible=3.5,
        kept=("addons/a/x y",),
        error="line\nbreak, \x1b, ü and 😀",
        parked=True,
        turn=7,
    ),
    Surveyed(started=1.0, duration=2.0),
    Surveyed(started=1.0, duration=2.0, changed=("addons/a", "addons/b"), unchanged=3, error="down", turn=4),
    Replayed(),
    Replayed(documents=3, events=2, ignored=1, repositories={"addons/a": 2}, problems=["line 3: bad"]),
    Changed(repository="addons/a", action="held"),
    Changed(
        repository="addons/a",
        action="rolled back",
        tag="v1.0.0",
        version="1.0.0",
        digest="sha256:" + "a" * 64,
        files=3,
        kept=("a/x y",),
        note="held",
    ),
    Verified(repository="addons/a"),
    Verified(
        repository="addons/a", drift=(Drift(path="a/b", problem="mode"),), repaired=True, kept=("a/b",), error="down"
    ),
    Failure(error="the registry is down"),
    Failure(error="no addon name", usage=True),
    End(),
]
REQUESTS: list[Request] = [
    SyncRequest(),
    SyncRequest(addons=("a", "b"), force=False),
    PollRequest(),
    RollbackRequest(addon="a", to="v1.0.0"),
    HoldRequest(addon="a", reason="audit"),
    ReleaseRequest(addon="a"),
    UninstallRequest(addon="a"),
    VerifyRequest(addons=("a",), repair=True),
    ReplayRequest(),
    ReplayRequest(
        repositories=("addons/a",), since=1.5, until=2.5, addon="a", journal=True, failed=True, quarantined=True
    ),
]


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_reports_survive_the_way(report: Report | Failure | End) -> None:
    """One line each, equal to what was sent, and of the same type."""
    line = write_report(report)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert read_report(line) == report
    assert type(read_report(line)) is type(report)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_requests_survive_the_way(request_: Request) -> None:
    """By the path that their kind gives."""
    assert read_request(request_kind(request_), encode(request_)) == request_


def test_a_newer_serve_may_say_more() -> None:
    """Members that this version does not know are left out."""
    line = json.loads(write_report(Surveyed(started=1.0, duration=2.0)))
    line["report"]["later"] = 1
    assert read_report(json.dumps(line).encode()) == Surveyed(started=1.0, duration=2.0)


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"{}", b'{"kind": "new", "report": {}}', b'{"kind": "outcome", "report": {"status": "odd"}}',
     b'{"kind": "failure", "report": {}}', b'{"kind": ["outcome"], "report": {}}', b"\xff"],
)  # fmt: skip
def test_what_is_no_report_is_refused(line: bytes) -> None:
    """Cut off, or of another version."""
    with pytest.raises(InvalidDocument):
        read_report(line)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"addons": "monitoring"}', b'{"force": 1}', b'{"addons": [1]}'])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    """A text in the place of a list would otherwise be ten addons of one letter."""
    with pytest.raises(InvalidDocument):
        read_request("sync", body)


def test_every_status_is_in_the_list_above() -> None:
    """A new one is tested too."""
    statuses: set[Status] = {report.status for report in REPORTS if isinstance(report, Outcome)}
    assert statuses == set(Status.__args__)  # type: ignore[attr-defined] # of a Literal
