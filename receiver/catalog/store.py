"""The catalogue as a whole: install a release, remove one, recover after a crash, say what is installed.

Everything here blocks and is called in threads. Changes of different addons may run at once; those that share an addon
(and with it ``addon.manifest.yaml``) wait for each other. Another process must not work on the same catalogue:
`receiver.app` holds the locks that see to it.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from receiver.catalog import filesystem
from receiver.catalog.filesystem import Exchange
from receiver.catalog.layout import DIGESTS, Unit
from receiver.catalog.limits import ArchiveLimits
from receiver.catalog.names import tellable
from receiver.catalog.presence import is_present
from receiver.catalog.record import AddonRecord, Doubt, Hold, held_text
from receiver.catalog.records import Records
from receiver.catalog.release import Drift, Installation, Release
from receiver.catalog.transaction import Journal
from receiver.catalog.transactions import Transactions, cause
from receiver.document import replaced
from receiver.errors import AddonHeld, ConfigError, InstallError, NotInstalled
from receiver.links import is_link, is_plain_folder
from receiver.oci.digest import Digest

if TYPE_CHECKING:
    from receiver.catalog.shared import SharedManifests
    from receiver.catalog.stager import Stager

KEPT_RELEASES = 3
"""Of a repository, the installed one included, unless the settings say another number."""


class CatalogStore:
    """The folder ``addons`` and, in the state folder, what it takes to change it safely."""

    def __init__(
        self,
        *,
        catalogue: Path,
        state: Path,
        limits: ArchiveLimits,
        keep: int = KEPT_RELEASES,
        exchange: Exchange = filesystem.exchange,
        sweep: Callable[[Path], None] = filesystem.remove_tree,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.catalogue = catalogue
        self.backups = state / "backups"
        self._state = state
        self._records = Records(state / "installed")
        self._transactions = Transactions(
            state / "transactions",
            catalogue=catalogue,
            backups=self.backups,
            records=self._records,
            exchange=exchange,
            sweep=sweep,
            clock=clock,
        )
        self._limits = limits
        self._keep = keep
        self._clock = clock
        self._locks: dict[str, threading.RLock] = {}
        self._locks_guard = threading.Lock()

    @cached_property
    def _manifests(self) -> "SharedManifests":
        from receiver.catalog.shared import SharedManifests  # noqa: PLC0415 - YAML, for those who install or verify

        return SharedManifests(catalogue=self.catalogue, records=self._records)

    @cached_property
    def _stager(self) -> "Stager":
        """Most syncs find nothing new, and do not pay for what unpacks."""
        from receiver.catalog.stager import Stager  # noqa: PLC0415 - see above

        return Stager(
            catalogue=self.catalogue,
            backups=self.backups,
            records=self._records,
            manifests=self._manifests,
            limits=self._limits,
            keep=self._keep,
            clock=self._clock,
        )

    def prepare(self) -> None:
        """Create what is missing, check that exchanging can work, and finish or drop what a crash interrupted.

        Raises:
            ConfigError: the folders are not fit for it; nothing was changed in the catalogue.
            InstallError: an interrupted installation cannot be finished; it will be tried again at the next start.
        """
        try:
            filesystem.make_folder(self.catalogue)
            for name in ("transactions", "backups", "installed"):
                filesystem.make_folder(self._state / name, 0o700)
        except OSError as error:
            raise ConfigError(f"cannot create {error.filename}: {error.strerror}") from error
        self._check_folders()
        self._transactions.recover()

    def record(self, leaf: str) -> AddonRecord | None:
        """What is known of the repository ``leaf``.

        Raises:
            InstallError: the record is damaged.
        """
        return self._records.read(leaf)

    def records(self) -> Iterator[AddonRecord]:
        """Every record.

        Raises:
            InstallError: one is damaged.
        """
        return self._records.all()

    def recorded_digest(self, leaf: str) -> str | None:
        """The digest file of a repository, which other tools write too.

        Raises:
            InstallError: it is there and cannot be read.
        """
        path = self.catalogue / DIGESTS / leaf
        try:
            for place in (path.parent, path):
                if is_link(place):
                    raise InstallError(f"{place} is a link: remove it")
            content = path.read_text(encoding="utf-8-sig", errors="replace")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise InstallError(f"the digest file of {leaf} cannot be read: {error.strerror}") from error
        return content.strip()[:80]

    def is_current(self, leaf: str, digest: Digest) -> bool:
        """Whether ``digest`` is installed from ``leaf``, and all its folders are there.

        The digest file alone is not trusted: its folder may be gone, or another tool may have written it.

        Raises:
            InstallError: the record is damaged.
        """
        if self.recorded_digest(leaf) != str(digest):
            return False
        record = self.record(leaf)
        if record is None or record.installed is None:
            # Another tool installed it: adopt its files with the next change, or when its folder is missing.
            return any((self.catalogue / folder).is_dir() for folder in _likely_folders(leaf))
        return record.installed.digest == str(digest) and is_present(record.installed, self.catalogue)

    def is_present(self, record: AddonRecord) -> bool:
        """Whether every folder and manifest of what is installed is there; true where nothing is."""
        return record.installed is None or is_present(record.installed, self.catalogue)

    def replaced(self, record: AddonRecord) -> list[str]:
        """The operator's files that the installed release had to replace: where they are in the backups."""
        installed = record.installed
        if installed is None or not installed.backup:
            return []
        units = [Unit.parse(unit.addon, unit.implementation) for unit in installed.units]
        roots = [self.backups / name / installed.backup for name in sorted({*map(str, _leaves(units))})]
        found = [path for root in roots if is_plain_folder(root) for path in root.rglob("*") if not path.is_dir()]
        return sorted(tellable(str(path)) for path in found)

    def verify(self, leaf: str) -> list[Drift]:
        """Compare what was installed from ``leaf`` with the catalogue, file by file; nothing installs it meanwhile.

        Raises:
            NotInstalled: nothing was.
            InstallError: a file cannot be read, or the record is damaged.
        """
        from receiver.catalog.drift import drift_of  # noqa: PLC0415 - see _stager

        with self._locked(self._concerned(leaf)):
            record = self._installed(leaf)
            try:
                found = drift_of(record, self.catalogue, self._manifests)
            except OSError as error:
                raise InstallError(f"{leaf} cannot be verified: {cause(error)}") from error
            if self.recorded_digest(leaf) != (record.installed and record.installed.digest):
                found.append(Drift(path=f"{DIGESTS}/{leaf}", problem="changed"))
            return found

    def install(self, release: Release, *, restore: bool = False, hold: Hold | None = None) -> Installation:
        """Put ``release`` in place of what its repository delivered before: all of it or nothing.

        ``restore``: a person, or a repair, brings back what was there before, whether the addon is held or not.
        ``hold`` is written together with it.

        Raises:
            AddonHeld: a person said that it stays as it is; nothing changed.
            UnsafeArchive, InvalidManifest, InvalidNameError: the release must not be installed; nothing changed.
            InstallError: the file system refused; nothing changed, or all of it did and only the rest of the work is
                left, which the next installation of this addon, or `recover`, does first.
        """
        leaf = str(release.repository.leaf)

        def stage(folder: Path) -> Journal:
            previous = self.record(leaf)
            held = previous.hold if previous is not None else None
            if held is not None and not restore:
                raise AddonHeld(held_text(leaf, held))
            return self._stager.stage(release, folder, hold=hold or held, arrives=not restore)

        with self._locked(self._concerned(leaf, *(unit.unit.addon for unit in release.units))) as held:
            return self._transactions.carry_out(leaf, held, stage)

    def uninstall(self, leaf: str, *, hold: Hold) -> Installation:
        """Remove the files that ``leaf`` has delivered, keep what is the operator's, and hold the addon.

        Raises:
            NotInstalled: nothing is installed from it; nothing changed.
            InstallError: as for `install`.
        """

        def stage(folder: Path) -> Journal:
            return self._stager.stage_removal(self._installed(leaf), folder, hold=hold)

        with self._locked(self._concerned(leaf)) as held:
            return self._transactions.carry_out(leaf, held, stage)

    def hold(self, repository: str, leaf: str, hold: Hold | None) -> Hold | None:
        """Set or end the hold of a repository; the former one.

        Raises:
            InstallError: it could not be written; the former one holds.
        """
        record = self._amend(repository, leaf, hold=hold)
        return record.hold

    def doubt(self, repository: str, leaf: str, doubt: Doubt | None) -> None:
        """Remember that a lower version was wanted.

        Raises:
            InstallError: it could not be written.
        """
        self._amend(repository, leaf, doubt=doubt)

    def _amend(self, repository: str, leaf: str, **changes: Hold | Doubt | None) -> AddonRecord:
        """Change what the record says beside releases; the former record."""
        with self._locked(self._concerned(leaf)) as held:
            self._transactions.finish_earlier(held)
            record = self.record(leaf) or AddonRecord(repository=repository, leaf=leaf)
            changed = replaced(record, **changes)
            if changed == record:
                return record
            # In the folder of transactions, so that the next start removes what a crash leaves of it.
            temporary = self._transactions.new_folder()
            try:
                self._records.write(changed, temporary=temporary)
            except OSError as error:
                raise InstallError(f"the record of {leaf} cannot be written: {cause(error)}") from error
            return record

    def _installed(self, leaf: str) -> AddonRecord:
        record = self.record(leaf)
        if record is None or record.installed is None:
            others = ", ".join(other.leaf for other in self.records() if other.installed) or "nothing"
            raise NotInstalled(f"nothing is installed from {leaf!r}; installed are: {others}")
        return record

    def _concerned(self, leaf: str, *addons: str) -> frozenset[str]:
        """The locks that a change of ``leaf`` needs: its own, and those of all addons that it has or will have."""
        record = self.record(leaf)
        installed = record.installed.units if record is not None and record.installed is not None else ()
        own = {f"addons/{leaf}", *(str(addon) for addon in addons), *(unit.addon for unit in installed)}
        return frozenset(own | self._transactions.held_by(leaf))

    def _check_folders(self) -> None:
        if not is_plain_folder(self.catalogue):
            raise ConfigError(f"{self.catalogue} is a link: the catalogue must be a folder of K2S_INSTALL_DIR itself")
        for folder in (self._state, *(self._state / name for name in ("transactions", "backups", "installed"))):
            if not is_plain_folder(folder):
                raise ConfigError(f"{folder} is a link or no folder: remove it")
        if self._state.resolve().is_relative_to(self.catalogue.resolve()):
            raise ConfigError(
                f"ADDON_SYNC_STATE_DIR {self._state} lies below {self.catalogue}: choose a folder beside it"
            )
        if self._state.stat().st_dev != self.catalogue.stat().st_dev:
            raise ConfigError(
                f"ADDON_SYNC_STATE_DIR {self._state} is on another volume than {self.catalogue}: folders cannot be "
                "exchanged in one step; choose a folder on the same volume"
            )

    @contextlib.contextmanager
    def _locked(self, names: Iterable[str]) -> Iterator[frozenset[str]]:
        """Hold the lock of each name; always taken in their order, so that nobody waits in a circle."""
        with self._locks_guard:
            locks = [self._locks.setdefault(name, threading.RLock()) for name in sorted(names)]
        with contextlib.ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            yield frozenset(names)


def _leaves(units: Iterable[Unit]) -> Iterator[str]:
    """Where the backups of ``units`` are: a folder for each, and that of the shared manifest."""
    for unit in units:
        yield from (unit.leaf, unit.addon)


def _likely_folders(leaf: str) -> list[str]:
    """Where an addon may be that another tool installed: the leaf is the addon, or the addon and its implementation."""
    parts = leaf.split("-")
    return [leaf, *("-".join(parts[:cut]) + "/" + "-".join(parts[cut:]) for cut in range(1, len(parts)))]
