"""Requests and reports as JSON lines, between ``serve`` and the commands that go through it. Pure."""

from receiver.document import Document, InvalidDocument, convert, encode, parse
from receiver.sync.engine import Planned, Report
from receiver.sync.importing import Imported
from receiver.sync.operations import Changed, Verified
from receiver.sync.outcome import Outcome, Surveyed
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
from receiver.sync.status import AddonStatus
from receiver.sync.story import Story
from receiver.sync.unannounced import MissedPush
from receiver.sync.views import Parked, QueueHealth, ReleaseFacts
from receiver.tasks.journal import Arrival, Done
from receiver.tasks.task import Task

REQUESTS: dict[str, type[Request]] = {
    "sync": SyncRequest,
    "poll": PollRequest,
    "replay": ReplayRequest,
    "rollback": RollbackRequest,
    "hold": HoldRequest,
    "release": ReleaseRequest,
    "uninstall": UninstallRequest,
    "verify": VerifyRequest,
    "remember": RememberRequest,
    "discard": DiscardRequest,
    "missed": MissedRequest,
    "status": StatusRequest,
    "why": WhyRequest,
    "history": HistoryRequest,
    "events": EventsRequest,
    "parked": ParkedRequest,
    "tasks": TasksRequest,
    "health": HealthRequest,
    "import": ImportRequest,
}
"""By the last part of their paths."""
_REPORTS: dict[str, type[Report]] = {
    "outcome": Outcome,
    "surveyed": Surveyed,
    "replayed": Replayed,
    "changed": Changed,
    "verified": Verified,
    "planned": Planned,
    "missed": MissedPush,
    "status": AddonStatus,
    "story": Story,
    "release": ReleaseFacts,
    "arrival": Arrival,
    "done": Done,
    "parked": Parked,
    "task": Task,
    "health": QueueHealth,
    "imported": Imported,
}


class Failure(Document, frozen=True):
    """The request could not be carried out; ``usage`` where it is the caller's fault."""

    error: str
    usage: bool = False


class End(Document, frozen=True):
    """Nothing more will come: without this line the conversation was cut off, which HTTP clients may not notice."""


_ENDS: dict[str, type[Failure | End]] = {"failure": Failure, "end": End}


def request_kind(request: Request) -> str:
    """The last part of the request's path."""
    return next(kind for kind, shape in REQUESTS.items() if isinstance(request, shape))


def read_request(kind: str, body: bytes) -> Request:
    """Read a request.

    Raises:
        InvalidDocument: it is none.
    """
    return convert(parse(body), REQUESTS[kind])


def write_report(report: Report | Failure | End) -> bytes:
    """One line."""
    kind = next(kind for kind, shape in {**_REPORTS, **_ENDS}.items() if type(report) is shape)
    return encode({"kind": kind, "report": report}) + b"\n"


def read_report(line: bytes) -> Report | Failure | End:
    """Read one line.

    Raises:
        InvalidDocument: it is no report of this version.
    """
    document = parse(line)
    if not isinstance(document, dict) or "report" not in document:
        raise InvalidDocument("not a report")
    kind = document.get("kind")
    shape = {**_REPORTS, **_ENDS}.get(kind) if isinstance(kind, str) else None
    if shape is None:
        raise InvalidDocument(f"a report of the unknown kind {kind!r}")
    return convert(document["report"], shape)
