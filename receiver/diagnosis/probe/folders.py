"""What lies on the disk. Blocks. The one thing that is written is a file in the state folder, removed at once."""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from receiver.catalog.layout import SCHEMA
from receiver.diagnosis.folders import FolderFacts, HostFacts
from receiver.links import is_link, is_plain_folder

_BLOCK = bytes(4096)
_MOST = 20
"""Names that are told of many."""


def host_facts(*, install_dir: Path, catalogue: Path, state: Path, secrets: Iterable[Path]) -> HostFacts:
    """Look at the folders of a host."""
    inside = state if is_plain_folder(state) else None
    return HostFacts(
        install_dir=_facts(install_dir, refused=_access(install_dir)),
        catalogue=_facts(catalogue, refused=_access(catalogue)),
        # By trying: access lists, quotas and read-only volumes have the last word. Not so in the catalogue, where
        # nothing of ours may be at any moment.
        state=_facts(state, refused=_trial(state) if inside else _access(_nearest(state))),
        schema=_is_there(catalogue / SCHEMA),
        account=os.geteuid() if hasattr(os, "geteuid") else None,
        links=tuple(_links(inside)) if inside else (),
        interrupted=_interrupted(inside) if inside else 0,
        leftovers=tuple(_leftovers(install_dir, inside)),
        readable=tuple(str(path) for path in secrets if _is_readable(path)),
    )


def _facts(path: Path, *, refused: str | None) -> FolderFacts:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return FolderFacts(path=str(path), exists=False, refused=refused)
    except OSError as error:
        return FolderFacts(path=str(path), refused=refused or error.strerror)
    free, free_files = _space(path)
    return FolderFacts(
        path=str(path),
        plain=is_plain_folder(path),
        refused=refused,
        owner=status.st_uid if os.name != "nt" else None,
        owner_name=_account(status.st_uid) if os.name != "nt" else "",
        mode=status.st_mode if os.name != "nt" else None,
        device=status.st_dev,
        free=free,
        free_files=free_files,
    )


def _account(number: int) -> str:
    import pwd  # noqa: PLC0415 - not on Windows

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"the account {number}"


def _space(path: Path) -> tuple[int | None, int | None]:
    try:
        free = shutil.disk_usage(path).free
        if not hasattr(os, "statvfs"):
            return free, None
        volume = os.statvfs(path)
    except OSError:
        return None, None
    # Some file systems (btrfs, network drives) count no files, and say 0 of 0.
    return free, volume.f_favail if volume.f_files else None


def _access(path: Path) -> str | None:
    """Why we cannot write into a folder, as far as the system tells beforehand."""
    if not path.exists() or os.access(path, os.W_OK | os.X_OK):
        return None
    return "the system does not allow it"


def _is_there(path: Path) -> bool:
    """Or at least not known to be away."""
    try:
        return path.exists()
    except OSError:
        return True


def _nearest(path: Path) -> Path:
    """The folder that a new one would be made in."""
    return next((folder for folder in path.parents if folder.exists()), path)


def _trial(state: Path) -> str | None:
    """Why we cannot write into a folder: by a file that is removed at once."""
    file = state / f".doctor.{os.getpid()}.tmp"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        return error.strerror or type(error).__name__
    try:
        os.write(descriptor, _BLOCK)
    except OSError as error:
        return error.strerror or type(error).__name__
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            file.unlink()
    return None


def _links(state: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):
        found = (str(path) for path in sorted(state.iterdir()) if is_link(path))
        yield from (path for path, _ in zip(found, range(_MOST), strict=False))


def _interrupted(state: Path) -> int:
    """What has a journal; the rest are old trees, which the next start removes."""
    try:
        return sum(1 for folder in (state / "transactions").iterdir() if (folder / "journal.json").exists())
    except OSError:
        return 0


def _leftovers(install_dir: Path, state: Path | None) -> Iterator[str]:
    """Notes that were being written (`receiver.lock`), and our own trial."""
    patterns = [(install_dir, ".addon-sync.holder.*.tmp")]
    if state is not None:
        patterns += [(state, "engine.*.tmp"), (state, ".doctor.*.tmp")]
    for folder, pattern in patterns:
        with contextlib.suppress(OSError):
            yield from (str(path) for path in sorted(folder.glob(pattern))[:_MOST])


def _is_readable(path: Path) -> bool:
    """By every account; Windows has access lists in the place of modes."""
    try:
        return os.name != "nt" and bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
