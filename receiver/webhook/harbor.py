"""Harbor: its own format, and CloudEvents in the structured mode, where the body holds the event and its data. Pure.

Facts: goharbor/harbor ``src/pkg/notifier/formats`` (default.go, cloudevents.go). Its own format has no identifier. A
push without a tag puts the digest in its place. The repository is the full name, with the project before it, which is
the name that its registry API knows: for project ``proj`` the prefix is ``proj/addons/``.
"""

from collections.abc import Mapping

from receiver.errors import Malformed
from receiver.webhook.event import Decoded
from receiver.webhook.fields import essence
from receiver.webhook.hint import hint, ignored, member
from receiver.webhook.proof import Token, Verbatim
from receiver.webhook.sender import Ignored, Sender

NAME = "harbor"
_STRUCTURED = "application/cloudevents+json"
_PREFIX = "harbor."
_ACTIONS = {
    "PUSH_ARTIFACT": "push",
    "CREATE_TAG": "push",
    "DELETE_ARTIFACT": "delete",
    "harbor.artifact.pushed": "push",
    "harbor.tag.created": "push",
    "harbor.artifact.deleted": "delete",
}
_PULLS = frozenset({"PULL_ARTIFACT", "harbor.artifact.pulled"})


def _recognises(headers: Mapping[str, str], document: object) -> bool:
    if not isinstance(document, dict):
        return essence(headers.get("content-type", "")) == _STRUCTURED
    kind = document.get("type")
    return isinstance(kind, str) and ("event_data" in document or kind.startswith(_PREFIX))


def _decode(_: Mapping[str, str], document: object, prefix: str) -> Decoded:
    """Read the one event.

    Raises:
        Malformed: the data is not that of a push.
    """
    if not isinstance(document, dict):
        raise Malformed("the event is not an object")
    kind = document.get("type")
    if not isinstance(kind, str):
        raise Malformed("it has no type")
    if kind not in _ACTIONS:
        return ignored(NAME, Ignored.PULL if kind in _PULLS else Ignored.OTHER_TYPE)
    data = document.get("data", document.get("event_data"))
    resources = member(data, "resources")
    if not isinstance(resources, list):
        raise Malformed("the data has no list of resources")
    return hint(
        sender=NAME,
        action=_ACTIONS[kind],
        names=(member(data, "repository", "repo_full_name"),),
        prefix=prefix,
        tags=[member(resource, "tag") for resource in resources],
        digest=member(resources[0], "digest") if resources else None,
        event_id=document.get("id"),
        actor=document.get("operator"),
    )


SENDER = Sender(
    name=NAME,
    headers=("content-type",),
    recognises=_recognises,
    decode=_decode,
    proofs=(Token(), Verbatim(header="authorization")),
)
