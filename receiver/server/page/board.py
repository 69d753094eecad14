"""Addons and tasks as a person looks at them: what needs somebody comes first. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

from receiver.sync.status import AddonStatus, Standing
from receiver.tasks.task import EVERYTHING, State, Task, Trigger

Tone = Literal["bad", "warn", "busy", "held", "good", "plain"]
Verb = Literal["sync", "retry", "hold", "release", "rollback"]

_ORDER: tuple[tuple[Standing, Tone, str], ...] = (
    ("parked", "bad", "it failed, and is tried again when another digest is pushed or somebody asks"),
    ("missing", "bad", "it should be here and is not"),
    ("retrying", "warn", "it failed, and is tried again by itself"),
    ("outdated", "warn", "the registry has another release than the one that is installed"),
    ("unknown", "plain", "what the registry wants is not known yet"),
    ("syncing", "busy", "it is being compared with the registry, or installed"),
    ("queued", "busy", "it waits for its turn"),
    ("held", "held", "somebody holds it: nothing newer is installed"),
    ("current", "good", "what the registry wants is installed"),
)
"""What needs a person first."""
_RANK = {standing: rank for rank, (standing, _, _) in enumerate(_ORDER)}
_TONES: dict[Standing, Tone] = {standing: tone for standing, tone, _ in _ORDER}
MEANINGS: dict[Standing, str] = {standing: meaning for standing, _, meaning in _ORDER}
ASKED = {
    Trigger.EVENT: "an event",
    Trigger.POLL: "a poll",
    Trigger.REPLAY: "a replay",
    Trigger.COMMAND: "a person",
    Trigger.OVERRIDE: "a person",
}
_STATES = {State.LEASED: "syncing", State.QUEUED: "queued", State.PARKED: "parked"}
_MOST_TASKS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An addon; times in seconds since the epoch."""

    leaf: str
    status: AddonStatus
    tone: Tone
    verbs: tuple[Verb, ...]
    stamp: str
    """Another one where anything but the ages differs."""

    @property
    def words(self) -> str:
        """What a filter looks through, in lower case."""
        status = self.status
        parts = [status.repository, status.standing]
        if status.installed is not None:
            parts.append(status.installed.tag)
        if status.last_event is not None:
            parts += [status.last_event.actor or "", status.last_event.sender, status.last_event.tag or ""]
        return " ".join(parts).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many addons stand so."""

    standing: Standing
    tone: Tone
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """A task of the queue."""

    name: str
    """Of the addon; nothing for a look at all of them."""
    state: str
    asked: str
    due: float | None
    """When it is its turn, where that is still to come."""
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What waits and what runs; ``more`` tasks are not listed."""

    lines: tuple[TaskLine, ...]
    more: int


def row(status: AddonStatus) -> Row:
    """One addon."""
    return Row(
        leaf=status.repository.rpartition("/")[2],
        status=status,
        tone=tone(status),
        verbs=verbs(status),
        stamp=f"{crc32(repr(_seen(status)).encode('utf-8', 'replace')):08x}",
    )


def rows(statuses: Iterable[AddonStatus]) -> list[Row]:
    """All addons: those that need somebody first, and by name among those that stand alike."""
    ordered = sorted(statuses, key=lambda status: (_RANK[status.standing], not status.error, status.repository))
    return [row(status) for status in ordered]


def matching(found: Iterable[Row], words: str) -> list[Row]:
    """Those that have every one of ``words``."""
    wanted = words.lower().split()
    return [each for each in found if all(word in each.words for word in wanted)]


def counts(found: Iterable[Row]) -> list[Count]:
    """How many stand how, in the same order."""
    numbers = Counter(each.status.standing for each in found)
    return [
        Count(standing=which, tone=_TONES[which], number=numbers[which]) for which, _, _ in _ORDER if numbers[which]
    ]


def tone(status: AddonStatus) -> Tone:
    """How loudly to say it: an error that nothing shows yet is a warning."""
    usual = _TONES[status.standing]
    return "warn" if status.error and usual == "plain" else usual


def verbs(status: AddonStatus) -> tuple[Verb, ...]:
    """What makes sense for an addon that stands so."""
    if status.hold is not None:
        return ("release", "rollback")
    return ("retry" if status.standing == "parked" else "sync", "hold", "rollback")


def queue(tasks: Sequence[Task]) -> Queue:
    """The tasks: those that run first, then by their turn; parked ones last."""
    rank = {State.LEASED: 0, State.QUEUED: 1, State.PARKED: 2}
    ordered = sorted(tasks, key=lambda task: (rank[task.state], task.due, task.repository))
    return Queue(lines=tuple(_line(task) for task in ordered[:_MOST_TASKS]), more=max(len(ordered) - _MOST_TASKS, 0))


def _line(task: Task) -> TaskLine:
    return TaskLine(
        name="" if task.repository == EVERYTHING else task.repository.rpartition("/")[2],
        state=_STATES[task.state],
        asked=ASKED[task.trigger],
        due=task.due if task.state is State.QUEUED else None,
        attempts=task.attempts,
    )


def _seen(status: AddonStatus) -> tuple[object, ...]:
    """What a row shows: that everything was looked at again changes no row."""
    return (
        status.standing,
        status.installed,
        status.desired and (status.desired.tag, status.desired.digest),
        status.hold,
        status.next_attempt,
        status.attempts,
        status.error,
        status.remedy,
        status.last_event and status.last_event.number,
    )
