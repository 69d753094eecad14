"""The Docker registry (Distribution 2.x and 3.x) and GitLab, whose registry is a fork of it and sends the same. Pure.

Facts: distribution/docs "Work with notifications"; the recorded deliveries in ``tests/fixtures/notifications``; GitLab:
docs.gitlab.com "Configure container registry notifications". GitLab's deliveries hold nothing to tell them by, so it is
an alias and no row: its repositories begin with group and project, ``group/project/addons/`` is the prefix.
"""

from collections.abc import Mapping

from receiver.addon import is_version_tag
from receiver.errors import Malformed
from receiver.webhook.event import Decoded, LeftOut, PushEvent
from receiver.webhook.fields import addon_repository, essence, text
from receiver.webhook.proof import Token
from receiver.webhook.sender import Ignored, Sender

NAME = "distribution"
_MEDIA_TYPES = frozenset(
    {
        "application/vnd.docker.distribution.events.v1+json",
        "application/vnd.docker.distribution.events.v2+json",
    }
)
_BLOB = "application/octet-stream"  # distribution never knows the real type of a layer
_HINTS = frozenset({"push", "delete"})
_OTHER_ACTIONS = {"pull": Ignored.PULL, "mount": Ignored.MOUNT}


def _recognises(headers: Mapping[str, str], document: object) -> bool:
    """By shape, as a configured Content-Type comes before the registry's own; or by type, to blame the right sender."""
    if isinstance(document, dict) and isinstance(document.get("events"), list):
        return True
    return essence(headers.get("content-type", "")) in _MEDIA_TYPES


def _decode(_: Mapping[str, str], document: object, prefix: str) -> Decoded:
    """Read every event by itself: they are unrelated, and one bad event must not take the others with it.

    Raises:
        Malformed: not an envelope.
    """
    events: list[PushEvent] = []
    ignored: dict[str, int] = {}
    malformed: list[str] = []
    left_out: list[LeftOut] = []
    entries = _entries(document)
    for number, entry in enumerate(entries, 1):
        try:
            outcome = judge(entry, prefix, sender=NAME)
        except Malformed as error:
            malformed.append(f"event {number}: {error}")
            continue
        if isinstance(outcome, Ignored):
            ignored[outcome] = ignored.get(outcome, 0) + 1
            left_out.append(named(entry, outcome))
        else:
            events.append(outcome)
    return Decoded(
        sender=NAME,
        events=tuple(events),
        ignored=ignored,
        left_out=tuple(left_out),
        malformed=tuple(malformed),
        instance_id=_instance_id(entries),
    )


def _entries(document: object) -> list[object]:
    entries = document.get("events") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise Malformed("the envelope has no list of events")
    return entries


def judge(entry: object, prefix: str, *, sender: str) -> PushEvent | Ignored:
    """Read one event of an envelope, or one that comes without.

    Raises:
        Malformed: no action, no target or no repository.
    """
    if not isinstance(entry, dict):
        raise Malformed("it is not an object")
    action, target = entry.get("action"), entry.get("target")
    if not isinstance(action, str):
        raise Malformed("it has no action")
    if action not in _HINTS:
        return _OTHER_ACTIONS.get(action, Ignored.OTHER_ACTION)
    if not isinstance(target, dict):
        raise Malformed("it has no target")
    tag = text(target.get("tag"))
    if tag is None and target.get("mediaType") == _BLOB:
        return Ignored.BLOB
    if tag is not None and not is_version_tag(tag):
        return Ignored.SIGNATURE
    repository = addon_repository(target.get("repository"), prefix)
    if repository is None:
        return Ignored.OTHER_REPOSITORY
    return PushEvent(
        sender=sender,
        repository=repository,
        action=action,
        event_id=text(entry.get("id")),
        tag=tag,
        digest=text(target.get("digest")),
        actor=_member(entry, "actor", "name"),
    )


def named(entry: object, reason: Ignored) -> LeftOut:
    """What an event says of itself that concerns no addon."""
    target = entry.get("target") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(target, dict):
        return LeftOut(reason=reason)
    return LeftOut(
        reason=reason,
        repository=text(target.get("repository")),
        tag=text(target.get("tag")),
        event_id=text(entry.get("id")),
        actor=_member(entry, "actor", "name"),
    )


def _instance_id(entries: list[object]) -> str | None:
    """The first that is told: all events of an envelope come from one process."""
    for entry in entries:
        if isinstance(entry, dict) and (instance := _member(entry, "source", "instanceID")) is not None:
            return instance
    return None


def _member(entry: dict[str, object], outer: str, inner: str) -> str | None:
    value = entry.get(outer)
    return text(value.get(inner)) if isinstance(value, dict) else None


SENDER = Sender(
    name=NAME,
    headers=("content-type",),
    recognises=_recognises,
    decode=_decode,
    proofs=(Token(),),
    aliases=("gitlab",),
)
