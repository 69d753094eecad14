"""Gitea and Forgejo: the event ``package``. Pure.

Facts: go-gitea/gitea ``services/webhook/deliver.go`` (headers), ``modules/structs/hook.go`` (PackagePayload). Forgejo
sends its own headers beside those of Gitea; both send those of GitHub as well, so this row stands before GHCR's.
``version`` is the tag, or the digest of a push without one. The registry knows the repository as owner and package, in
lower case: the prefix is ``owner/addons/``.
"""

from collections.abc import Mapping

from receiver.errors import Malformed
from receiver.webhook.event import Decoded
from receiver.webhook.hint import hint, ignored, joined, member
from receiver.webhook.proof import Signature
from receiver.webhook.sender import Ignored, Sender

NAME = "gitea"
_ACTIONS = {"created": "push", "deleted": "delete"}


def _recognises(headers: Mapping[str, str], _: object) -> bool:
    return "x-gitea-event" in headers


def _decode(headers: Mapping[str, str], document: object, prefix: str) -> Decoded:
    """Read the one event.

    Raises:
        Malformed: the package is not one.
    """
    if headers["x-gitea-event"].strip() != "package":
        return ignored(NAME, Ignored.OTHER_TYPE)
    package, action = member(document, "package"), member(document, "action")
    if not isinstance(package, dict) or not isinstance(action, str):
        raise Malformed("it has no package with an action")
    if package.get("type") != "container":
        return ignored(NAME, Ignored.OTHER_TYPE)
    if action not in _ACTIONS:
        return ignored(NAME, Ignored.OTHER_ACTION)
    version = package.get("version")
    return hint(
        sender=NAME,
        action=_ACTIONS[action],
        names=(joined(member(package, "owner", "login"), package.get("name")),),
        prefix=prefix,
        tags=[version],
        digest=version if isinstance(version, str) and ":" in version else None,
        event_id=headers.get("x-gitea-delivery"),
        actor=member(document, "sender", "login"),
    )


SENDER = Sender(
    name=NAME,
    headers=("x-gitea-event", "x-gitea-delivery"),
    recognises=_recognises,
    decode=_decode,
    proofs=(Signature(header="x-gitea-signature", algorithm="sha256"),),
    aliases=("forgejo",),
)
