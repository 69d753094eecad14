"""A notification that can do no harm, and what the answer to it means. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from receiver.diagnosis.finding import Finding, broken, ok, warning
from receiver.document import Document, InvalidDocument, decode, encode
from receiver.tasks.journal import DOCTOR

MEDIA_TYPE = "application/vnd.docker.distribution.events.v2+json"
_CHECK = "endpoint.notification"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What the notification is about: something that is installed, or a repository that holds no addon."""

    repository: str
    tag: str | None = None
    digest: str | None = None
    is_addon: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


class _Counts(Document, frozen=True):
    accepted: int
    ignored: int
    quarantined: int


def outside(prefix: str) -> Example:
    """A repository that is not below ``prefix``: such an event is counted, and nothing else."""
    return Example(repository="addon-sync-doctor/example" if prefix != "addon-sync-doctor/" else "addon-sync/example")


def notification(example: Example, *, identifier: str, moment: str) -> bytes:
    """An envelope as Distribution sends it. Without ``source``: a new one would say that a registry was restarted."""
    target = {"repository": example.repository, "tag": example.tag or "v0", "digest": example.digest}
    event = {
        "id": identifier,
        "timestamp": moment,
        "action": "push",
        "target": {name: text for name, text in target.items() if text is not None},
        "actor": {"name": DOCTOR},
    }
    return encode({"events": [event]})


_REFUSALS = {
    401: (
        "refuses the credential from {source}",
        "give serve and this command the same ADDON_SYNC_TOKEN, and restart serve where it is not from a file",
    ),
    413: ("takes not even a small body", "raise ADDON_SYNC_MAX_BODY_SIZE"),
    503: ("cannot make an event durable", "see its log; make room in the state folder"),
}
_STRANGER = "look which program has the port of ADDON_SYNC_LISTEN"


def judge_answer(answer: Answer, example: Example, *, url: str, source: str | None, certificate: bool) -> Finding:
    """Judge the answer to an event with the credential from ``source``; ``certificate``: clients must show one."""
    if answer.status == 202:
        return _counted(answer.body, example, url)
    if answer.status == 401 and (certificate or source is None):
        missing = "certificate, as ADDON_SYNC_TLS_CLIENT_CA says" if certificate else "credential of a sender"
        return ok(_CHECK, f"{url} refuses whoever shows no {missing}; this command has none, and tried no more")
    if answer.status in _REFUSALS:
        text, remedy = _REFUSALS[answer.status]
        return broken(_CHECK, f"{url} {text.format(source=source)}", remedy)
    return broken(_CHECK, f"{url} answers {answer.status}: that is not the receiver", _STRANGER)


def _counted(body: bytes, example: Example, url: str) -> Finding:
    try:
        counts = decode(body, _Counts)
    except InvalidDocument:
        text = f"{url} answers 202 and something else than counts: that is not the receiver"
        return broken(_CHECK, text, _STRANGER)
    expected = (1, 0, 0) if example.is_addon else (0, 1, 0)
    if (counts.accepted, counts.ignored, counts.quarantined) != expected:
        text = (
            f"{url} took an event for {example.repository} as {counts.accepted} accepted, {counts.ignored} ignored, "
            f"{counts.quarantined} quarantined"
        )
        return warning(_CHECK, text, "give serve and this command the same ADDON_SYNC_REPOSITORY_PREFIX; see its log")
    how = "made it durable" if example.is_addon else "left it out, as it concerns no addon"
    return ok(_CHECK, f"{url} took an event for {example.repository} and {how}")


def judge_silence(url: str, reason: str) -> Finding:
    """Judge that nothing in HTTP came back."""
    remedy = "look at the log of serve; after 20 wrong credentials an address is not answered for half a minute"
    return broken(_CHECK, f"{url} does not answer ({reason})", remedy)


def judge_ready(answer: Answer, url: str) -> Iterator[Finding]:
    """Judge the answer of ``/readyz``."""
    check = "endpoint.ready"
    if answer.status == 200:
        yield ok(check, f"{url} is ready")
    elif answer.status == 503:
        yield broken(check, f"{url} is not ready: {_reasons(answer.body)}", "cure what it says, or restart serve")


class _Status(Document, frozen=True):
    reasons: list[str]


def _reasons(body: bytes) -> str:
    try:
        return "; ".join(decode(body, _Status).reasons) or "it does not say why"
    except InvalidDocument:
        return "it does not say why"


def judge_listener(configured: str, actual: str, *, same: bool) -> Finding:
    """Judge whether serve listens where these settings say."""
    check = "endpoint.listen"
    if same:
        return ok(check, f"serve listens at {actual}")
    text = f"serve listens at {actual}, and these settings say {configured}"
    return warning(check, text, "give this command the settings of serve; or restart serve, if they have changed")


def judge_settings(different: list[tuple[str, str, str]]) -> Iterator[Finding]:
    """Judge settings that decide what is brought: of those that differ the name, what serve has, and what we have."""
    if different:
        told = "; ".join(f"{name} is {theirs} there, and {ours} here" for name, theirs, ours in different)
        remedy = "give this command the settings of serve; or restart serve, if they have changed"
        yield warning("endpoint.settings", f"serve works with others than these: {told}", remedy)


def judge_absence(configured: str, *, free: bool, reason: str) -> Finding:
    """Judge that no serve works on the state folder; ``free``: it could listen at ``configured``."""
    check = "endpoint.serve"
    if not free:
        return broken(
            check,
            f"serve does not run, and cannot listen at {configured} ({reason})",
            "stop the program that has the port, or set ADDON_SYNC_LISTEN to another address of this host",
        )
    text = f"serve does not run, so no event arrives; {configured} is free for it"
    return warning(check, text, "start addon-sync serve, or let a scheduler run addon-sync poll")
