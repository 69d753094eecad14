"""What senders had to say of late, as far as the journal still knows it: what was taken, and what was not. Pure."""

from collections.abc import Iterable

from receiver.document import Value
from receiver.errors import BAD_CERTIFICATE, NO_CERTIFICATE, NO_CREDENTIAL
from receiver.tasks.journal import Arrival, Event, Verdict, Wanted, is_trial
from receiver.webhook.event import DELETE, PushEvent

LOOK_BACK = 24 * 3600.0
"""Seconds within which something is of late."""
_QUESTIONS: tuple[tuple[Verdict, int], ...] = (("accepted", 1), ("quarantined", 1), ("refused", 256), ("ignored", 64))
"""How many entries are looked at of each. Where there are more, they are counted as far as that."""


class Heard(Value, frozen=True, kw_only=True):
    """What arrived, without the trials of `receiver.tasks.journal.DOCTOR`."""

    last: Arrival | None = None
    """The last one that was kept."""
    refused: int = 0
    last_refused: Arrival | None = None
    ignored: int = 0
    why_ignored: str = ""
    """Why, with an example where it was another repository."""


def questions(since: float) -> list[tuple[Wanted, int]]:
    """What a journal is to be asked, and for how many entries of each, the newest first."""
    return [(Wanted(verdict=verdict, since=since, trials=False), most) for verdict, most in _QUESTIONS]


def heard(arrivals: Iterable[Arrival]) -> Heard:
    """What these come to."""
    by_verdict: dict[str, list[Arrival]] = {}
    for arrival in arrivals:
        if not is_trial(arrival):
            by_verdict.setdefault(arrival.verdict, []).append(arrival)
    refused, ignored = by_verdict.get("refused", []), by_verdict.get("ignored", [])
    kept = by_verdict.get("accepted", []) + by_verdict.get("quarantined", [])
    return Heard(
        last=max(kept, key=_when, default=None),
        refused=sum(arrival.count for arrival in refused),
        last_refused=max(refused, key=_when, default=None),
        ignored=sum(arrival.count for arrival in ignored),
        why_ignored=_why(ignored),
    )


def kept(event: PushEvent) -> Event:
    """What the journal keeps of an event, when it arrives and when it is fed in again."""
    return Event(
        repository=str(event.repository.name),
        event_id=event.event_id,
        tag=event.tag,
        digest=event.digest,
        actor=event.actor,
        deleted=event.action == DELETE,
    )


def remedy(reason: str | None) -> str:
    """What to do where the journal gives this reason for a refusal."""
    if reason == NO_CREDENTIAL:
        return "compare ADDON_SYNC_TOKEN, or what stands under senders:, with what that registry sends"
    if reason is not None and reason.startswith((NO_CERTIFICATE, BAD_CERTIFICATE)):
        return "give that registry a certificate that ADDON_SYNC_TLS_CLIENT_CA has signed"
    return "see addon-sync events --verdict refused"


def in_words(seconds: float) -> str:
    """``3 hours``; as one says how long ago something was."""
    for unit, name in ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= unit:
            count = round(seconds / unit)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{max(seconds, 0.0):.0f} s"


def _when(arrival: Arrival) -> float:
    return arrival.received


def _why(ignored: Iterable[Arrival]) -> str:
    """What concerns another repository says most: the prefix may be wrong."""
    reasons = [(event.left_out, event.repository) for arrival in ignored for event in arrival.events if event.left_out]
    for reason, repository in reasons:
        if reason == "other repository" and repository:
            return f"{reason}, such as {repository}"
    return reasons[0][0] if reasons else "without an event"
