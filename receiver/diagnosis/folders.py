"""From the facts about the catalogue and the state folder to findings. Pure."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from receiver.catalog.layout import SCHEMA
from receiver.diagnosis.finding import Finding, broken, ok, warning

LEAST_FREE = 64 * 1024 * 1024
"""Bytes below which nothing can be relied on: the write-ahead log of the queue alone may take 16 MiB, a sync more."""
LEAST_FILES = 1000
"""An addon has dozens of files, and is there twice while it is exchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFacts:
    """What the system says of a folder; None where it does not tell, or the folder is not there."""

    path: str
    exists: bool = True
    plain: bool = True
    """A folder itself: neither a link nor a file."""
    refused: str | None = None
    """Why we cannot write into it, in the system's words."""
    owner: int | None = None
    owner_name: str = ""
    mode: int | None = None
    device: int | None = None
    free: int | None = None
    free_files: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The folders together, and who looks at them."""

    install_dir: FolderFacts
    catalogue: FolderFacts
    state: FolderFacts
    account: int | None = None
    """The number of the account that runs this; None on Windows."""
    links: tuple[str, ...] = ()
    """What is a link in the state folder."""
    schema: bool = True
    """Whether the catalogue has the schema of manifests, which comes with the product."""
    interrupted: int = 0
    """Installations that are not finished."""
    leftovers: tuple[str, ...] = ()
    """Files that a process left that was killed while it wrote them."""
    readable: tuple[str, ...] = field(default=())
    """Files with secrets that every account of this machine may read."""


def judge(facts: HostFacts, *, held: bool, needed: int, files: int) -> Iterator[Finding]:
    """Judge them; ``held`` where somebody works on them now, ``needed`` and ``files`` are the limits of one addon."""
    yield from _catalogue(facts)
    if not facts.schema and not facts.install_dir.refused:
        yield warning(
            "folders.product",
            f"there is no addons/{SCHEMA} in {facts.install_dir.path}, which K2s brings along: is it where K2s is "
            "installed?",
            "set K2S_INSTALL_DIR to the folder that K2s is installed in; where K2s is to come later, leave it",
        )
    yield from _state(facts)
    if facts.state.exists and facts.state.plain:
        yield from _inside(facts, held=held)
    yield from _space(facts, needed, files)
    for path in facts.readable:
        yield warning("folders.secrets", f"every account of this machine may read {path}", f"chmod o-r {path}")


def _catalogue(facts: HostFacts) -> Iterator[Finding]:
    check, install, catalogue = "folders.catalogue", facts.install_dir, facts.catalogue
    if install.refused:
        yield broken(check, f"{install.path} cannot be written to ({install.refused})", _let(install))
    elif not catalogue.exists:
        yield ok(check, f"{catalogue.path} is not there yet: the first start makes it")
    elif not catalogue.plain:
        remedy = "put a folder there: the catalogue must be one of K2S_INSTALL_DIR itself"
        yield broken(check, f"{catalogue.path} is a link or no folder", remedy)
    elif catalogue.refused:
        yield broken(check, f"{catalogue.path} cannot be written to ({catalogue.refused})", _let(catalogue))
    else:
        yield ok(check, f"{catalogue.path} can be written to")


def _state(facts: HostFacts) -> Iterator[Finding]:
    check, state = "folders.state", facts.state
    if not state.exists:
        if state.refused:
            yield broken(check, f"{state.path} is not there and cannot be made ({state.refused})", _let(state))
        else:
            yield ok(check, f"{state.path} is not there yet: the first start makes it")
    elif not state.plain:
        remedy = "remove it, or set ADDON_SYNC_STATE_DIR to the folder itself"
        yield broken(check, f"{state.path} is a link or no folder", remedy)
    elif state.refused:
        yield broken(check, f"{state.path} cannot be written to ({state.refused})", _let(state))
    elif facts.account is not None and state.owner is not None and state.owner != facts.account:
        yield warning(
            check,
            f"{state.path} belongs to {state.owner_name}, another account than the one that runs this: what that one "
            "may do was not tried",
            f"run addon-sync doctor as {state.owner_name}, and no other command as this account",
        )
    else:
        yield ok(check, f"{state.path} can be written to")


def _let(folder: FolderFacts) -> str:
    owner = f"; it belongs to {folder.owner_name}" if folder.owner_name else ""
    return f"let the account of addon-sync write there (rights, room, a volume that is not read-only){owner}"


def _inside(facts: HostFacts, *, held: bool) -> Iterator[Finding]:
    state, catalogue = facts.state, facts.catalogue
    beside = catalogue if catalogue.exists else facts.install_dir
    if state.device is not None and beside.device is not None and state.device != beside.device:
        yield broken(
            "folders.volume",
            f"{state.path} is on another volume than {beside.path}: folders cannot be exchanged in one step",
            "set ADDON_SYNC_STATE_DIR to a folder on the same volume",
        )
    if facts.account is not None and state.mode is not None and state.mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield warning(
            "folders.private",
            f"other accounts may look into {state.path} (mode {stat.S_IMODE(state.mode):o}), where deliveries and a "
            "credential for commands are",
            f"chmod 700 {state.path}",
        )
    for path in facts.links:
        yield broken(
            "folders.links", f"{path} is a link, and nothing starts with one", "look who put it there; remove it"
        )
    if facts.interrupted and not held:
        yield warning(
            "folders.interrupted",
            f"{facts.interrupted} installations were interrupted",
            "nothing is lost: the next start of addon-sync serve or poll finishes them, or drops them",
        )
    if facts.leftovers and not held:
        yield warning(
            "folders.leftovers", f"a killed process has left {', '.join(facts.leftovers)}", "remove it, or leave it"
        )


def _space(facts: HostFacts, needed: int, files: int) -> Iterator[Finding]:
    check = "folders.space"
    folder = facts.state if facts.state.free is not None else facts.install_dir
    free, names = folder.free, folder.free_files
    if free is None:
        return
    remedy = "make room on that volume"
    if free < LEAST_FREE:
        yield broken(check, f"{_mib(free)} are free at {folder.path}", remedy)
    elif names is not None and names < LEAST_FILES:
        yield broken(check, f"the volume of {folder.path} has room for {names} more files", remedy)
    elif free < needed:
        text = f"{_mib(free)} are free at {folder.path}, and the limits allow an addon to take {_mib(needed)}"
        yield warning(check, text, f"{remedy}, or lower ADDON_SYNC_MAX_ADDON_SIZE")
    elif names is not None and names < files:
        text = f"the volume of {folder.path} has room for {names} more files, and an addon may have {files}"
        yield warning(check, text, f"{remedy}, or lower ADDON_SYNC_MAX_FILES")
    else:
        yield ok(check, f"{_mib(free)} are free at {folder.path}")


def _mib(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"
