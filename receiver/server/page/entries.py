"""Entries of the journal as lines for a person. Pure; what came from outside is text, escaped where it is written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from receiver.report import describe_import, describe_look, size
from receiver.server.page.board import ASKED, Tone
from receiver.sync.chronicle import read
from receiver.sync.importing import Imported
from receiver.sync.operations import Changed, Verified
from receiver.sync.outcome import Outcome, Surveyed
from receiver.tasks.journal import Arrival, Done, Entry, Event

_MOST_NAMES = 3
_TONES: dict[str, Tone] = {
    "accepted": "busy",
    "replayed": "busy",
    "duplicate": "plain",
    "ignored": "plain",
    "quarantined": "warn",
    "refused": "warn",
    "installed": "good",
    "unchanged": "plain",
    "looked": "plain",
    "failed": "bad",
    "absent": "warn",
    "repaired": "good",
    "imported": "good",
    "not imported": "bad",
    "held": "held",
    "released": "good",
    "rolled back": "held",
    "uninstalled": "held",
    "discarded": "plain",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry; ``when`` in seconds since the epoch."""

    number: int
    """Of the entry; of the oldest one where several are in one line."""
    when: float
    tone: Tone
    word: str
    """What became of it."""
    names: tuple[str, ...]
    """The addons that it concerns."""
    more: int
    """Addons beyond those."""
    text: str
    facts: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Why nothing came of some of its events."""
    replayable: bool = False
    count: int = 1
    """Deliveries that it stands for."""


def lines(entries: Iterable[Entry]) -> list[Line]:
    """Entries in the same order."""
    return [_arrived(entry) if isinstance(entry, Arrival) else _done(entry) for entry in entries]


def folded(entries: Iterable[Entry], *, most: int) -> list[Line]:
    """The same with what concerned no addon in one line a row: a registry tells of every blob, and of our own pulls."""
    found: list[Line] = []
    for line in lines(entries):
        if found and line.word == found[-1].word == "ignored":
            before = found[-1]
            found[-1] = replace(
                before,
                number=line.number,
                count=before.count + line.count,
                text="nothing for an addon",
                facts=tuple(dict.fromkeys(before.facts + line.facts)),
                left_out=tuple(dict.fromkeys(before.left_out + line.left_out)),
            )
        elif len(found) < most:
            found.append(line)
        else:
            break
    return found


def spoken(line: Line) -> str:
    """The line for who does not see it; nothing where there is nothing to do about it."""
    if line.tone == "plain":
        return ""
    return f"{', '.join(line.names) or 'all addons'}: {line.word}, {line.text}"


def _arrived(arrival: Arrival) -> Line:
    named = [event for event in arrival.events if event.left_out in {None, "duplicate"}]
    names = tuple(dict.fromkeys(event.repository.rpartition("/")[2] for event in named))
    return Line(
        number=arrival.id,
        when=arrival.received,
        tone=_TONES.get(arrival.verdict, "plain"),
        word=arrival.verdict,
        names=names[:_MOST_NAMES],
        more=max(len(names) - _MOST_NAMES, 0),
        text=_announced(arrival, named),
        facts=_about(arrival),
        left_out=tuple(
            dict.fromkeys(event.left_out for event in arrival.events if event.left_out not in {None, "duplicate"})
        ),
        replayable=arrival.size > 0,
        count=arrival.count,
    )


def _announced(arrival: Arrival, named: Sequence[Event]) -> str:
    done = [_some([event for event in named if event.deleted is deleted]) for deleted in (False, True)]
    what = ", ".join(f"{tags} {verb}" for tags, verb in zip(done, ("pushed", "deleted"), strict=True) if tags)
    actors = list(dict.fromkeys(event.actor for event in named if event.actor))
    by = f" by {', '.join(actors[:_MOST_NAMES])}" if actors else ""
    if what:
        return f"{what}{by}, says {arrival.sender}"
    return f"from {arrival.sender}" if arrival.verdict == "refused" else f"nothing for an addon, says {arrival.sender}"


def _some(events: Sequence[Event]) -> str:
    tags = list(dict.fromkeys(event.tag or _short(event.digest) for event in events if event.tag or event.digest))
    return ", ".join(tags[:_MOST_NAMES]) + (" …" if len(tags) > _MOST_NAMES else "")


def _about(arrival: Arrival) -> tuple[str, ...]:
    facts = [
        arrival.reason,
        f"from {arrival.origin}" if arrival.origin else None,
        f"sent by {arrival.address}" if arrival.address else None,
    ]
    return tuple(fact for fact in facts if fact)


def _done(done: Done) -> Line:
    activity = done.activity
    text, facts = _told(done)
    return Line(
        number=done.id,
        when=activity.at,
        tone=_TONES.get(activity.outcome, "plain"),
        word=activity.outcome,
        names=() if activity.repository is None else (activity.repository.rpartition("/")[2],),
        more=0,
        text=text,
        facts=facts,
    )


def _told(done: Done) -> tuple[str, tuple[str, ...]]:
    match read(done.activity):
        case Outcome() as outcome:
            return _synced(outcome)
        case Surveyed() as surveyed:
            return _surveyed(surveyed)
        case Changed() as changed:
            return changed.tag or "by a person", tuple(filter(None, (changed.note, changed.warning)))
        case Verified() as verified:
            return verified.error or f"{len(verified.drift)} files had changed", ()
        case Imported() as imported:
            return describe_import(imported)[1].partition(": ")[2], ()
    return "another version wrote this, and this one cannot read it", ()


def _synced(outcome: Outcome) -> tuple[str, tuple[str, ...]]:
    if outcome.status == "installed":
        fetched = size(outcome.fetched)
        kept = f"{len(outcome.kept)} edited files are in the backups" if outcome.kept else None
        text = f"{outcome.tag}, {outcome.files} files, {fetched} fetched, {outcome.duration:.2f} s"
        return text, tuple(filter(None, (f"asked for by {ASKED[outcome.trigger]}", kept)))
    if outcome.status == "unchanged":
        return f"{outcome.tag}, nothing to do", (f"asked for by {ASKED[outcome.trigger]}",)
    again = "not tried again by itself" if outcome.parked else None
    attempt = f"attempt {outcome.attempts}" if outcome.attempts > 1 else None
    return outcome.error or "no reason was given", tuple(filter(None, (attempt, again)))


def _surveyed(surveyed: Surveyed) -> tuple[str, tuple[str, ...]]:
    if surveyed.error is not None:
        return surveyed.error, ("it will be tried again",)
    return f"at all addons: {describe_look(surveyed)}", ()


def _short(digest: str | None) -> str:
    return digest[:19] if digest else ""
