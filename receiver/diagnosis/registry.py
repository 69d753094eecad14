"""From what the registry answered to findings. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from receiver.diagnosis.finding import Finding, broken, ok, warning
from receiver.errors import AccessDenied, RegistryError, Unavailable

_ACCOUNT = (
    "set ADDON_SYNC_REGISTRY_USERNAME and ADDON_SYNC_REGISTRY_PASSWORD (or …_FILE), or log in with docker as the "
    "account of addon-sync (DOCKER_CONFIG)"
)
_NAMED = 12
"""Addons that are named in one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How the registry was asked; ``asked`` where it wanted credentials."""

    target: str
    source: str | None
    """Where credentials come from; None where there are none."""
    asked: bool = False
    error: RegistryError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What one addon repository came to: a tag and the rule that chose it, or why there is none."""

    repository: str
    tag: str | None = None
    rule: str | None = None
    certain: bool = True
    error: str | None = None


def judge_plain(target: str) -> Finding:
    """Judge plain HTTP, as INSECURE allows it."""
    return warning(
        "registry.tls",
        f"{target} is spoken to over plain HTTP: anybody on the way can read the password and change addons",
        "give the registry a certificate, and leave INSECURE away",
    )


def judge_access(access: Access) -> Finding:
    """Judge the answer to the question whether there is a registry that lets us in."""
    check, error = "registry.credentials", access.error
    if isinstance(error, AccessDenied):
        given = f"with the credentials from {access.source}" if access.source else "without credentials"
        return broken(check, f"asked {given}: {error}", _ACCOUNT)
    if isinstance(error, Unavailable):
        return broken("registry.answer", str(error), "look at the registry's log; it is tried again by itself")
    if error is not None:
        remedy = "check REGISTRY_URL: host and port of the registry itself, not of its web pages"
        return broken("registry.answer", f"{access.target} is no registry: {error}", remedy)
    if access.asked and access.source is not None:
        return ok(check, f"{access.target} takes the credentials from {access.source}")
    unused = f"; those from {access.source} were not needed" if access.source else ""
    return ok(check, f"{access.target} lets in whoever asks{unused}")


def judge_catalogue(
    listed: list[str] | None, error: RegistryError | None, *, prefix: str, configured: int
) -> Iterator[Finding]:
    """Judge the catalogue: all names that it has, or why it gives none."""
    check = "registry.catalogue"
    if listed is None:
        if isinstance(error, Unavailable):
            yield broken(check, str(error), "look at the registry's log; it is tried again by itself")
        elif configured:
            yield ok(check, f"it gives no catalogue ({error}), and ADDON_SYNC_REPOSITORIES names {configured}")
        else:
            text = f"it gives no catalogue, so a poll asks for what an event has named, and for nothing else: {error}"
            yield warning(check, text, "name the addon repositories in ADDON_SYNC_REPOSITORIES")
        return
    below = [name for name in listed if name.startswith(prefix)]
    if below or configured:
        yield ok(check, f"it lists {len(listed)} repositories, below {prefix} {len(below)}")
        return
    others = f", but such as {listed[0]}" if listed else ""
    remedy = "push an addon, or set ADDON_SYNC_REPOSITORY_PREFIX to what stands before the addons' names"
    yield warning(check, f"there is no repository below {prefix}{others}", remedy)


def judge_addons(looked: list[Looked], unasked: int) -> Iterator[Finding]:
    """Judge the addon repositories; ``unasked`` for want of time."""
    check = "registry.addons"
    found = [f"{one.repository} {one.tag}" for one in looked if one.tag is not None]
    if found:
        more = f", and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        yield ok(check, f"{', '.join(found[:_NAMED])}{more}")
    for one in looked:
        if one.error is not None:
            yield warning(
                check,
                f"{one.repository}: {one.error}",
                "push a tag that is a version; what is no addon belongs elsewhere",
            )
        elif not one.certain:
            yield warning(
                check, f"{one.repository}: no tag is a version; {one.tag} is taken, {one.rule}", "push a version"
            )
    if unasked:
        yield warning(check, f"{unasked} addons were not asked for in time", "try again when the registry is less busy")
