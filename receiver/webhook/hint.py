"""From the words of one change to its hint, or to the reason why it is none: what the senders have in common. Pure."""

from collections.abc import Iterable

from receiver.addon import AddonRepository, is_version_tag
from receiver.errors import Malformed
from receiver.webhook.event import Decoded, LeftOut, PushEvent
from receiver.webhook.fields import addon_repository, text
from receiver.webhook.sender import Ignored


def hint(
    *,
    sender: str,
    action: str,
    names: tuple[object, ...],
    prefix: str,
    tags: Iterable[object] = (),
    digest: object = None,
    event_id: object = None,
    actor: object = None,
) -> Decoded:
    """Judge one change of a repository.

    ``names`` are those that the operator's registry may know it by, the likeliest first; the first of them that is
    below the prefix counts. ``tags`` are what was changed in it, a digest in the place of a tag included.

    Raises:
        Malformed: the first name is none.
    """
    tag, signatures = _tag(tags)
    if signatures:
        return ignored(sender, Ignored.SIGNATURE, repository=names[0], event_id=event_id, actor=actor)
    repository = _repository(names, prefix)
    if repository is None:
        return ignored(sender, Ignored.OTHER_REPOSITORY, repository=names[0], tag=tag, event_id=event_id, actor=actor)
    event = PushEvent(
        sender=sender,
        repository=repository,
        action=action,
        event_id=text(event_id),
        tag=tag,
        digest=text(digest),
        actor=text(actor),
    )
    return Decoded(sender=sender, events=(event,))


def ignored(
    sender: str,
    reason: Ignored,
    *,
    repository: object = None,
    tag: object = None,
    event_id: object = None,
    actor: object = None,
) -> Decoded:
    """A delivery of one event that concerns no addon, by what is known of it."""
    left_out = LeftOut(
        reason=reason, repository=text(repository), tag=text(tag), event_id=text(event_id), actor=text(actor)
    )
    return Decoded(sender=sender, ignored={reason: 1}, left_out=(left_out,))


def member(value: object, *path: str) -> object:
    """The member at ``path`` in nested objects; None where there is none."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def joined(*parts: object) -> str:
    """``parts`` of a repository name with slashes between them, in lower case as registries know it.

    Raises:
        Malformed: a part is missing, or no text.
    """
    words = [part for part in parts if isinstance(part, str) and part]
    if len(words) != len(parts):
        raise Malformed("it names no repository")
    return "/".join(words).lower()


def _tag(tags: Iterable[object]) -> tuple[str | None, bool]:
    """The first tag that can be an addon's version, and whether there are only such of signatures."""
    # No tag holds a colon: what does is the digest of a push without one.
    found = [tag for value in tags if (tag := text(value)) is not None and ":" not in tag]
    versions = [tag for tag in found if is_version_tag(tag)]
    return (versions[0] if versions else None), bool(found) and not versions


def _repository(names: tuple[object, ...], prefix: str) -> AddonRepository | None:
    first, *others = names
    repository = addon_repository(first, prefix)
    for name in others:
        if repository is None:
            try:
                repository = addon_repository(name, prefix)
            except Malformed:
                continue
    return repository
