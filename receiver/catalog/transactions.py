"""The folder of transactions: begin one, bring it to its end, and pick up what a crash or a fault left half done."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from receiver.catalog.filesystem import Exchange
from receiver.catalog.names import tellable
from receiver.catalog.records import Records
from receiver.catalog.release import Installation
from receiver.catalog.transaction import Journal, Transaction
from receiver.document import InvalidDocument, Value
from receiver.errors import InstallError
from receiver.links import is_link

_log = logging.getLogger(__name__)

Stage = Callable[[Path], Journal]
"""Fills the folder of a transaction and says what to do with it."""


class _Unfinished(Value, frozen=True):
    """A promise whose last steps are left; ``held`` are the locks that it needs."""

    held: frozenset[str]
    journal: Journal


class Transactions:
    """Everything in the folder ``root``; the caller holds the locks that a change needs."""

    def __init__(
        self,
        root: Path,
        *,
        catalogue: Path,
        backups: Path,
        records: Records,
        exchange: Exchange,
        sweep: Callable[[Path], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._root = root
        self._catalogue = catalogue
        self._backups = backups
        self._records = records
        self._exchange = exchange
        self._sweep = sweep
        self._clock = clock
        self._unfinished: dict[Path, _Unfinished] = {}

    def new_folder(self) -> Path:
        """A place that no other transaction has, and that the next start removes."""
        return Transaction.new_folder(self._root)

    def recover(self) -> int:
        """Finish what was promised and drop what was not; how many were finished. Safe to repeat.

        Raises:
            InstallError: one cannot be finished; it will be tried again at the next start.
        """
        finished = 0
        for folder in sorted(self._root.iterdir()):
            if is_link(folder):
                raise InstallError(f"{folder} is a link, and no installation of ours: remove it")
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

    def carry_out(self, leaf: str, held: frozenset[str], stage: Stage) -> Installation:
        """Stage, promise, publish, finish, tidy up. ``held`` are the names of the locks that are held for it.

        Raises:
            ReceiverError: what ``stage`` raises; nothing changed.
            InstallError: the file system refused; nothing changed, or what is left is done before the next change.
        """
        self.finish_earlier(held)
        transaction = self._transaction(self.new_folder())
        journal: Journal | None = None
        try:
            transaction.folder.mkdir(mode=0o700)
            journal = stage(transaction.folder)
            transaction.promise(journal)
        except BaseException as error:
            self._drop(transaction, held, journal)
            if isinstance(error, OSError):
                raise _refused(leaf, error) from error
            raise
        return self._publish(transaction, held, journal)

    def _publish(self, transaction: Transaction, held: frozenset[str], journal: Journal) -> Installation:
        self._unfinished[transaction.folder] = _Unfinished(held, journal)
        try:
            transaction.publish(journal)
        except OSError as error:
            if transaction.is_promised:
                raise InstallError(f"{journal.leaf} is neither installed nor undone yet: {cause(error)}") from error
            del self._unfinished[transaction.folder]
            raise _refused(journal.leaf, error) from error
        visible = self._clock()
        try:
            kept = transaction.finish(journal)
        except OSError as error:
            raise InstallError(f"{journal.leaf} is installed up to its last steps: {cause(error)}") from error
        self._drop(transaction, held, journal)
        self._report_kept(journal.leaf, kept)
        installed = journal.record.installed
        files = sum(len(unit.files) for unit in installed.units) if installed is not None else 0
        return Installation(files=files, kept=tuple(map(tellable, kept)), visible=visible)

    def _drop(self, transaction: Transaction, held: frozenset[str], journal: Journal | None) -> None:
        """Tidy up. What cannot be removed waits for the next start or, while it is a promise, for `_finish`."""
        try:
            transaction.discard()
        except OSError as error:
            _log.warning("%s is left for the next start: %s", transaction.folder, cause(error))
        if journal is not None and transaction.is_promised:
            self._unfinished[transaction.folder] = _Unfinished(held, journal)
        else:
            self._unfinished.pop(transaction.folder, None)

    def finish_earlier(self, held: frozenset[str]) -> None:
        """A release is staged against what its forerunner leaves, so that one comes to its end first."""
        for folder, unfinished in list(self._unfinished.items()):
            if unfinished.held & held:
                self._finish(self._transaction(folder), unfinished.journal)

    def _finish(self, transaction: Transaction, journal: Journal) -> None:
        try:
            if transaction.is_promised:
                self._report_kept(journal.leaf, transaction.finish(journal))
                transaction.discard()
        except OSError as error:
            raise InstallError(f"the former installation of {journal.leaf}: {cause(error)}") from error
        self._unfinished.pop(transaction.folder, None)

    def held_by(self, leaf: str) -> frozenset[str]:
        """The locks that what is unfinished of ``leaf`` needs."""
        return frozenset().union(
            *(other.held for other in list(self._unfinished.values()) if other.journal.leaf == leaf)
        )

    def _report_kept(self, leaf: str, kept: Sequence[str]) -> None:
        if kept:
            _log.warning(
                "%s: %d edited or local files were replaced; the former ones are in %s: %s",
                leaf,
                len(kept),
                self._backups,
                ", ".join(kept[:10]) + (" …" if len(kept) > 10 else ""),
            )

    def _transaction(self, folder: Path) -> Transaction:
        return Transaction(
            folder,
            catalogue=self._catalogue,
            backups=self._backups,
            records=self._records,
            exchange=self._exchange,
            sweep=self._sweep,
        )


def _refused(leaf: str, error: OSError) -> InstallError:
    return InstallError(f"{leaf} cannot be installed: {cause(error)}; the previous release is in place")


def cause(error: OSError) -> str:
    """The error in words, with the file that it is about."""
    where = f" ({tellable(str(error.filename))})" if error.filename else ""
    return f"{error.strerror or error}{where}"
