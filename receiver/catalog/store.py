"""The catalogue as a whole: install a release, recover after a crash, say what is installed.

Everything here blocks and is called in threads. Installations of different addons may run at once; those that share an
addon (and with it ``addon.manifest.yaml``) wait for each other. Another process must not work on the same state folder:
`receiver.app` holds the lock that sees to it.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from receiver.catalog import filesystem
from receiver.catalog.archive import ArchiveLimits
from receiver.catalog.filesystem import Exchange, is_plain_folder
from receiver.catalog.layout import DIGESTS, MANIFEST, Unit
from receiver.catalog.records import InstalledRelease, OwnedUnit, Records
from receiver.catalog.release import Installation, Release
from receiver.catalog.stager import Stager
from receiver.catalog.transaction import Journal, Transaction
from receiver.document import InvalidDocument
from receiver.errors import ConfigError, InstallError
from receiver.oci.digest import Digest

_log = logging.getLogger(__name__)


class CatalogStore:
    """The folder ``addons`` and, in the state folder, what it takes to change it safely."""

    def __init__(
        self,
        *,
        catalogue: Path,
        state: Path,
        limits: ArchiveLimits,
        exchange: Exchange = filesystem.exchange,
        sweep: Callable[[Path], None] = filesystem.remove_tree,
    ) -> None:
        self.catalogue = catalogue
        self.backups = state / "backups"
        self._state = state
        self._exchange = exchange
        self._sweep = sweep
        self._transactions = state / "transactions"
        self._records = Records(state / "installed")
        self._stager = Stager(catalogue=catalogue, records=self._records, limits=limits)
        self._unfinished: dict[Path, tuple[frozenset[str], Journal]] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._locks_guard = threading.Lock()

    def prepare(self) -> None:
        """Create what is missing, check that exchanging can work, and finish or drop what a crash interrupted.

        Raises:
            ConfigError: the folders are not fit for it; nothing was changed in the catalogue.
            InstallError: an interrupted installation cannot be finished; it will be tried again at the next start.
        """
        try:
            self.catalogue.mkdir(exist_ok=True)
            for folder in (self._transactions, self.backups):
                folder.mkdir(parents=True, exist_ok=True)
            self._records.prepare()
        except OSError as error:
            raise ConfigError(f"cannot create {error.filename}: {error.strerror}") from error
        self._check_folders()
        self.recover()

    def recover(self) -> int:
        """Finish what was promised and drop what was not; how many were finished. Safe to repeat.

        Raises:
            InstallError: see `prepare`.
        """
        finished = 0
        for folder in sorted(self._transactions.iterdir()):
            transaction = self._transaction(folder)
            try:
                journal = transaction.read()
                if journal is None:
                    transaction.discard()
                    continue
                kept = transaction.finish(journal)
                transaction.discard()
            except (OSError, InvalidDocument) as error:
                raise InstallError(f"the interrupted installation in {folder} cannot be finished: {error}") from error
            finished += 1
            _log.info("%s: finished the installation that was interrupted", journal.leaf)
            self._report_kept(journal.leaf, kept)
        return finished

    def installed(self, leaf: str) -> InstalledRelease | None:
        """What was installed from the repository ``leaf``.

        Raises:
            InstallError: the record is damaged.
        """
        return self._records.read(leaf)

    def releases(self) -> Iterator[InstalledRelease]:
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
        try:
            content = (self.catalogue / DIGESTS / leaf).read_text(encoding="utf-8-sig", errors="replace")
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
        record = self.installed(leaf)
        if record is None:
            # Another tool installed it: adopt its files with the next change, or when its folder is missing.
            return any((self.catalogue / folder).is_dir() for folder in _likely_folders(leaf))
        return record.digest == str(digest) and self.is_present(record)

    def is_present(self, record: InstalledRelease) -> bool:
        """Whether every folder and manifest of the release is there."""
        return all(self._is_present(unit) for unit in record.units)

    def install(self, release: Release) -> Installation:
        """Put ``release`` in place of what its repository delivered before: all of it or nothing.

        Raises:
            UnsafeArchive, InvalidManifest, InvalidNameError: the release must not be installed; nothing changed.
            InstallError: the file system refused; nothing changed, or all of it did and only the rest of the work is
                left, which the next installation of this addon, or `recover`, does first.
        """
        leaf = release.repository.leaf
        addons = frozenset({str(unit.unit.addon) for unit in release.units} | self._addons_of(leaf))
        with self._locked(addons):
            self._finish_earlier(addons)
            transaction = self._transaction(Transaction.new_folder(self._transactions))
            journal: Journal | None = None
            try:
                transaction.folder.mkdir(mode=0o700)
                journal = self._stager.stage(release, transaction.folder)
                transaction.promise(journal)
            except BaseException as error:
                self._drop(transaction, addons, journal)
                if isinstance(error, OSError):
                    raise _refused(leaf, error) from error
                raise
            return self._publish(transaction, addons, journal)

    def _publish(self, transaction: Transaction, addons: frozenset[str], journal: Journal) -> Installation:
        self._unfinished[transaction.folder] = (addons, journal)
        try:
            transaction.publish(journal)
        except OSError as error:
            if transaction.is_promised:
                raise InstallError(f"{journal.leaf} is neither installed nor undone yet: {_cause(error)}") from error
            del self._unfinished[transaction.folder]
            raise _refused(journal.leaf, error) from error
        visible = time.time()
        try:
            kept = transaction.finish(journal)
        except OSError as error:
            raise InstallError(f"{journal.leaf} is installed up to its last steps: {_cause(error)}") from error
        self._drop(transaction, addons, journal)
        self._report_kept(journal.leaf, kept)
        files = sum(len(unit.files) for unit in journal.record.units)
        return Installation(files=files, kept=tuple(kept), visible=visible)

    def _drop(self, transaction: Transaction, addons: frozenset[str], journal: Journal | None) -> None:
        """Tidy up. What cannot be removed waits for the next start or, while it is a promise, for `_finish`."""
        try:
            transaction.discard()
        except OSError as error:
            _log.warning("%s is left for the next start: %s", transaction.folder, _cause(error))
        if journal is not None and transaction.is_promised:
            self._unfinished[transaction.folder] = (addons, journal)
        else:
            self._unfinished.pop(transaction.folder, None)

    def _finish_earlier(self, addons: frozenset[str]) -> None:
        """A release is staged against what its forerunner leaves, so that one comes to its end first."""
        for folder, (held, journal) in list(self._unfinished.items()):
            if held & addons:
                self._finish(self._transaction(folder), journal)

    def _finish(self, transaction: Transaction, journal: Journal) -> None:
        try:
            if transaction.is_promised:
                self._report_kept(journal.leaf, transaction.finish(journal))
                transaction.discard()
        except OSError as error:
            raise InstallError(f"the former installation of {journal.leaf}: {_cause(error)}") from error
        self._unfinished.pop(transaction.folder, None)

    def _addons_of(self, leaf: str) -> set[str]:
        record = self.installed(leaf)
        unfinished = [held for held, journal in list(self._unfinished.values()) if journal.leaf == leaf]
        return {unit.addon for unit in record.units}.union(*unfinished) if record else set().union(*unfinished)

    def _is_present(self, unit: OwnedUnit) -> bool:
        placed = Unit.parse(unit.addon, unit.implementation)
        return is_plain_folder(self.catalogue / placed.folder) and (self.catalogue / placed.addon / MANIFEST).is_file()

    def _report_kept(self, leaf: str, kept: Sequence[str]) -> None:
        if kept:
            _log.warning(
                "%s: %d edited or local files were replaced; the former ones are in %s: %s",
                leaf,
                len(kept),
                self.backups,
                ", ".join(kept[:10]) + (" …" if len(kept) > 10 else ""),
            )

    def _transaction(self, folder: Path) -> Transaction:
        return Transaction(
            folder,
            catalogue=self.catalogue,
            backups=self.backups,
            records=self._records,
            exchange=self._exchange,
            sweep=self._sweep,
        )

    def _check_folders(self) -> None:
        if not is_plain_folder(self.catalogue):
            raise ConfigError(f"{self.catalogue} is a link: the catalogue must be a folder of K2S_INSTALL_DIR itself")
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
    def _locked(self, addons: Iterable[str]) -> Iterator[None]:
        """Hold the lock of each addon; always taken in the order of their names, so that nobody waits in a circle."""
        with self._locks_guard:
            locks = [self._locks.setdefault(addon, threading.RLock()) for addon in sorted(addons)]
        with contextlib.ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            yield


def _likely_folders(leaf: str) -> list[str]:
    """Where an addon may be that another tool installed: the leaf is the addon, or the addon and its implementation."""
    parts = leaf.split("-")
    return [leaf, *("-".join(parts[:cut]) + "/" + "-".join(parts[cut:]) for cut in range(1, len(parts)))]


def _refused(leaf: str, error: OSError) -> InstallError:
    return InstallError(f"{leaf} cannot be installed: {_cause(error)}; the previous release is in place")


def _cause(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}"
