"""The documents that the API takes and sends, where no view is one already. Types only."""

from typing import Annotated, Literal

from receiver.document import Bounds, Moment, StrictDocument, Value
from receiver.server.api.parameters import ADDON_PATTERN, MOMENT_SCHEMA
from receiver.sync.documents import EntryDocument
from receiver.sync.operations import Changed
from receiver.sync.status import AddonStatus
from receiver.sync.tally import Result
from receiver.sync.unannounced import MissedPush
from receiver.sync.views import Parked
from receiver.tasks.task import Task

_AddonText = Annotated[str, Bounds(pattern=ADDON_PATTERN, max_length=64)]
_Addons = Annotated[tuple[_AddonText, ...], Bounds(max_length=1000)]
_Number = Annotated[int, Bounds(ge=0, le=2**62)]
_Text = Annotated[str, Bounds(min_length=1, max_length=200)]
_MomentText = Annotated[str, Bounds(max_length=100, extra_json_schema={"anyOf": MOMENT_SCHEMA["anyOf"]})]
JobKind = Literal["sync", "replay", "retry"]
JobState = Literal["running", "done", "failed"]


class Failure(Value, frozen=True):
    """Why not."""

    error: str


class AddonList(Value, frozen=True):
    """Where each addon stands."""

    addons: tuple[AddonStatus, ...]
    error: str | None
    """Why the registry, which was asked, could not say which addons it has: there may be more."""


class EventPage(Value, frozen=True):
    """Entries of the journal, the newest first."""

    events: tuple[EntryDocument, ...]
    before: int | None
    """The cursor of the next page. There may be more although these are fewer than the limit; none where it is null."""


class EventDetail(Value, frozen=True):
    """One entry; of a delivery whose body is kept, also what it was decoded from."""

    event: EntryDocument
    headers: dict[str, str] | None
    body: str | None


class TaskList(Value, frozen=True):
    """The queue."""

    tasks: tuple[Task, ...]


class ParkedList(Value, frozen=True):
    """What is not tried again by itself."""

    parked: tuple[Parked, ...]


class MissedList(Value, frozen=True):
    """Pushes that no event announced."""

    missed: tuple[MissedPush, ...]


class ChangeList(Value, frozen=True):
    """What became of each."""

    changes: tuple[Changed, ...]


class JobDocument(Value, frozen=True):
    """What was asked for, and what came of it so far."""

    id: str
    kind: JobKind
    state: JobState
    asked: Moment
    ended: Moment | None
    error: str | None
    """Why it could not go on; errors of single addons stand with them."""
    result: Result


class SyncBody(StrictDocument, frozen=True):
    """Sync these addons, or all that the registry has; ``check_digest`` skips the unchanged, as the command does."""

    addons: _Addons = ()
    check_digest: bool = False
    allow_downgrade: bool = False


class ReplayBody(StrictDocument, frozen=True):
    """Feed in again: entries by number or event id, or all that the other members name."""

    numbers: Annotated[tuple[_Number, ...], Bounds(max_length=1000)] = ()
    event_ids: Annotated[tuple[_Text, ...], Bounds(max_length=100)] = ()
    since: _MomentText | None = None
    until: _MomentText | None = None
    addon: _AddonText | None = None
    sender: _Text | None = None
    failed: bool = False
    quarantined: bool = False
    dry_run: bool = False


class SomeAddons(StrictDocument, frozen=True):
    """These addons; all where none is named."""

    addons: _Addons = ()


class HoldBody(StrictDocument, frozen=True):
    """Leave the addon as it is; the reason is for people."""

    addon: _AddonText
    reason: _Text = "by hand"


class ReleaseBody(StrictDocument, frozen=True):
    """End the hold of the addon."""

    addon: _AddonText


class RollbackBody(StrictDocument, frozen=True):
    """Bring back a kept release and hold it: a digest, version or tag, or the one before."""

    addon: _AddonText
    to: _Text | None = None
