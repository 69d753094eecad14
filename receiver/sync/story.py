"""Why an addon is as it is: the last decision, step by step, with the facts that it used. Pure."""

from collections.abc import Iterator, Sequence

from receiver.document import Moment, Value
from receiver.sync.outcome import Decision, Outcome
from receiver.sync.status import AddonStatus, EventFacts
from receiver.tasks.journal import Arrival, Entry, Event
from receiver.tasks.task import Trigger

_MOST_LAYERS = 20


class Step(Value, frozen=True):
    """One step of a decision; ``facts`` are what it went by, a line each."""

    title: str
    text: str
    when: Moment | None = None
    facts: tuple[str, ...] = ()


class Story(Value, frozen=True):
    """All about one addon."""

    status: AddonStatus
    steps: tuple[Step, ...]
    entries: tuple[Entry, ...]
    """What the journal holds of it, the newest first."""


def steps(
    status: AddonStatus,
    sync: Outcome | None,
    causes: Sequence[Arrival],
    later: Outcome | None = None,
    later_causes: Sequence[Arrival] = (),
) -> tuple[Step, ...]:
    """The steps from what asked for ``sync`` to what happens next; ``later``: the last look since, without news."""
    return tuple(_steps(status, sync, causes, None if later is None else _looked(later, later_causes)))


def _steps(status: AddonStatus, sync: Outcome | None, causes: Sequence[Arrival], looked: Step | None) -> Iterator[Step]:
    if sync is None:
        yield Step(title="asked", text="the journal knows of no sync: nothing has asked for one, or it was long ago")
        yield from _event(status)
    else:
        yield _asked(sync, causes)
        if sync.decision is not None:
            yield from _decided(sync, sync.decision)
        yield _ended(status, sync)
    if looked is not None:
        yield looked
    yield from _now(status)


def _event(status: AddonStatus) -> Iterator[Step]:
    event = status.last_event
    if event is not None:
        text = f"{event.sender} announced {_what(event, 'a change')}, which was {event.verdict}"
        yield Step(title="event", text=text, when=event.received)


def _asked(sync: Outcome, causes: Sequence[Arrival]) -> Step:
    by = {
        Trigger.EVENT: "an event asked for a look",
        Trigger.POLL: "a poll found a difference",
        Trigger.REPLAY: "a replay asked for a look",
        Trigger.COMMAND: "a person asked for a look",
        Trigger.OVERRIDE: "a person asked for it, a lower version included",
    }[sync.trigger]
    return Step(title="asked", text=by, when=sync.asked, facts=tuple(cause_text(cause) for cause in causes))


def cause_text(arrival: Arrival) -> str:
    """An arrival in one line, without its time."""
    named = [event for event in arrival.events if event.left_out in {None, "duplicate"}]
    tags = ", ".join(dict.fromkeys(_what(event, "no tag") for event in named)) or "no event"
    actors = ", ".join(dict.fromkeys(event.actor for event in named if event.actor))
    by = f" by {actors}" if actors else ""
    origin = f", from {arrival.origin}" if arrival.origin else ""
    return f"entry {arrival.id}: {arrival.sender} announced {tags}{by}; {arrival.verdict}{origin}"


def _what(event: Event | EventFacts, nothing: str) -> str:
    what = event.tag or event.digest or nothing
    return f"the deletion of {what}" if event.deleted else what


def _decided(sync: Outcome, decision: Decision) -> Iterator[Step]:
    more = f" (the last {len(decision.tags)})" if decision.tag_count > len(decision.tags) else ""
    yield Step(
        title="tag",
        text=f"{decision.tag} was chosen: {decision.rule}",
        when=sync.started,
        facts=(f"the registry has {decision.tag_count} tags{more}: {', '.join(decision.tags)}",),
    )
    if decision.installed is None:
        compared = "nothing was installed before"
    elif decision.installed == decision.digest:
        compared = "that digest was installed already"
    else:
        compared = f"another digest was installed: {decision.installed}"
    yield Step(title="digest", text=f"{decision.tag} is {decision.digest}", facts=(compared,))
    if decision.layers:
        facts = [
            f"{layer.label}: {layer.size} bytes, {'fetched' if layer.fetched else 'in the blob store already'}"
            for layer in decision.layers[:_MOST_LAYERS]
        ]
        skipped = [f"{layer}: never transferred" for layer in decision.skipped]
        yield Step(title="layers", text=f"{sync.fetched} bytes were fetched", facts=(*facts, *skipped))


def _looked(sync: Outcome, causes: Sequence[Arrival]) -> Step:
    text = f"asked for by {sync.trigger}: there was nothing new, {sync.tag} is {sync.digest}"
    facts = tuple(cause_text(cause) for cause in causes)
    return Step(title="looked", text=text, when=sync.started + sync.duration, facts=facts)


def _ended(status: AddonStatus, sync: Outcome) -> Step:
    when = sync.started + sync.duration
    if sync.status == "installed":
        facts = tuple(f"your file is kept in the backups: {path}" for path in sync.kept)
        return Step(title="installed", text=f"{sync.files} files in {sync.duration:.2f} s", when=when, facts=facts)
    if sync.status == "unchanged":
        return Step(title="unchanged", text="there was nothing to do", when=when)
    facts = (f"remedy: {status.remedy}",) if status.remedy else ()
    number = f" (attempt {sync.attempts})" if sync.attempts > 1 else ""
    return Step(title=sync.status, text=f"{sync.error}{number}", when=when, facts=facts)


def _now(status: AddonStatus) -> Iterator[Step]:
    if status.hold is not None:
        text = f"it is held ({status.hold.reason}): nothing newer is installed"
        leaf = status.repository.rpartition("/")[2]
        yield Step(title="held", text=text, when=status.hold.since, facts=(f"'addon-sync release {leaf}' ends that",))
    elif status.standing == "parked":
        yield Step(title="next", text="it is not tried again by itself until another digest is pushed")
    elif status.next_look is not None:
        yield Step(title="next", text="the registry is asked again", when=status.next_look)
    else:
        yield Step(title="next", text="nothing is planned: 'addon-sync serve' does not run, or polls are off")
