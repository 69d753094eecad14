"""What `serve` and the commands say to each other survives the way."""

import json

import pytest

from receiver.catalog.release import Drift
from receiver.document import InvalidDocument, encode
from receiver.sync import wire
from receiver.sync.engine import Planned, Report
from receiver.sync.importing import Imported
from receiver.sync.operations import Changed, Verified
from receiver.sync.outcome import Outcome, Status, Surveyed
from receiver.sync.replayed import Replayed
from receiver.sync.request import (
    DiscardRequest,
    EventsRequest,
    HealthRequest,
    HistoryRequest,
    HoldRequest,
    ImportRequest,
    MissedRequest,
    ParkedRequest,
    PollRequest,
    ReleaseRequest,
    RememberRequest,
    ReplayRequest,
    Request,
    RollbackRequest,
    StatusRequest,
    SyncRequest,
    TasksRequest,
    UninstallRequest,
    VerifyRequest,
    WhyRequest,
)
from receiver.sync.status import AddonStatus, DesiredFacts, EventFacts, HoldFacts, InstalledFacts, SyncFacts
from receiver.sync.story import Step, Story
from receiver.sync.unannounced import MissedPush
from receiver.sync.views import Parked, QueueHealth, ReleaseFacts
from receiver.sync.wire import (
    End,
    Failure,
    read_report,
    read_request,
    request_kind,
    write_report,
)
from receiver.tasks.journal import Activity, Arrival, Aside, Done, Event, Health, Wanted
from receiver.tasks.task import State, Task, Trigger
from tests.support.outcomes import DECISION, DIGEST, outcome

STATUS = AddonStatus(
    repository="addons/a",
    standing="retrying",
    installed=InstalledFacts(
        tag="v1", version=None, digest=DIGEST, installed=1.5, present=False, replaced=("/backups/ü",)
    ),
    desired=DesiredFacts(tag="v2", digest=DIGEST, error="down", as_of=2.5),
    hold=HoldFacts(since=1.5, reason="audit"),
    next_attempt=3.5,
    attempts=2,
    error="line\nbreak",
    remedy="wait",
    last_event=EventFacts(number=7, received=1.5, sender="zot", verdict="accepted", actor="Zoë", tag="v1", digest=None),
    last_sync=SyncFacts(number=8, ended=2.5, outcome="failed", trigger="event", error="x", error_kind="Unavailable"),
    last_look=2.5,
    next_look=3.5,
)
ARRIVAL = Arrival(
    id=2**61,
    received=1.5,
    answered=None,
    sender="zot",
    verdict="replayed",
    reason="x",
    address="10.0.0.7",
    origin="delivery 7",
    events=(Event(repository="addons/a", event_id="1", tag="v1", actor="Zoë"), Event(repository="", left_out="blob")),
    size=10,
    count=500,
)
DONE = Done(
    id=9,
    activity=Activity(at=1.5, kind="sync", outcome="installed", repository=None, document=b'{"a": "\xc3\xbc"}'),
)
REPORTS: list[Report | Failure | End] = [
    *[
        outcome(status, trigger, started=2.5)
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
    outcome(
        "failed",
        Trigger.REPLAY,
        started=2.0,
        error_kind="Unavailable",
        attempts=2,
        retry_at=9.5,
        replaced=1.0,
        replaced_digest="sha256:" + "b" * 64,
        decision=DECISION,
    ),
    Planned(status=STATUS, events=7),
    MissedPush(repository="addons/a", tag="v1", digest="sha256:" + "a" * 64, state="installed", installed=1.5),
    MissedPush(repository="addons/a", tag="v1", digest="sha256:" + "a" * 64, state="superseded"),
    STATUS,
    AddonStatus(
        repository="addons/a",
        standing="unknown",
        installed=None,
        desired=None,
        hold=None,
        next_attempt=None,
        attempts=0,
        error=None,
    ),
    Story(
        status=STATUS,
        steps=(Step(title="tag", text="v1", when=1.5, facts=("a", "b")), Step(title="next", text="")),
        entries=(ARRIVAL, DONE),
    ),
    ReleaseFacts(tag="v1", version=None, digest="sha256:1", arrived=1.0, installed=True, event=STATUS.last_event),
    ReleaseFacts(tag="v1", version="1", digest="sha256:1", arrived=1.0, installed=False),
    ARRIVAL,
    DONE,
    Parked(repository="addons/a", digest=None, error=None, attempts=1, since=2.5),
    Task(repository="addons/a", state=State.PARKED, trigger=Trigger.POLL, due=1.5, created=1.0, error="x"),
    Imported(repository="addons/a", addon="a", status="held", digest="sha256:1", left_out=("images",), error="held"),
    QueueHealth(
        tasks={"queued": 1, "parked": 0},
        journal=Health(entries=3, bytes=10**12, oldest=1.5, newest=None, problems=("page 7",)),
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
    ReplayRequest(numbers=(1, 2**62), event_ids=("e",), sender="zot", parked=True, dry_run=True, asked=1.5),
    RememberRequest(
        asides=(Aside(received=1.5, sender="zot", verdict="replayed", origin="a.jsonl, line 3", events=ARRIVAL.events),)
    ),
    DiscardRequest(addons=("a",)),
    MissedRequest(sync=True),
    StatusRequest(),
    StatusRequest(addon="a", ask=False),
    WhyRequest(addon="a"),
    HistoryRequest(addon="a"),
    EventsRequest(),
    EventsRequest(
        wanted=Wanted(
            repository="addons/a", sender="zot", verdict="refused", kind="sync", arrivals=True, since=1.5, until=2.5
        ),
        limit=7,
        before=2**62,
        follow=True,
    ),
    ParkedRequest(),
    TasksRequest(),
    HealthRequest(),
    ImportRequest(path="/k/a.oci.tar", addons=("a",), hold=True),
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


def test_every_kind_is_in_the_lists_above() -> None:
    """A new one is tested too."""
    assert {request_kind(request) for request in REQUESTS} == set(wire.REQUESTS)
    assert {json.loads(write_report(report))["kind"] for report in REPORTS} == {*wire._REPORTS, *wire._ENDS}


def test_every_status_is_in_the_list_above() -> None:
    """A new one is tested too."""
    statuses: set[Status] = {report.status for report in REPORTS if isinstance(report, Outcome)}
    assert statuses == set(Status.__args__)  # type: ignore[attr-defined] # of a Literal
