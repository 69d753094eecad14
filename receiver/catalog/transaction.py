"""One installation as a folder: staged trees, the new record, and a journal that makes it a promise.

``transactions/<id>/`` holds ``unit-N`` (a staged tree, after the exchange the old one) and, once everything is staged
and durable, ``journal.json``. A folder without a journal never happened and is removed; one with a journal is finished,
however often it takes. A staged tree is known by its file number, which a rename keeps: nothing of ours has to lie in
the catalogue to recognise it.
"""

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from receiver.catalog.filesystem import (
    Exchange,
    identity,
    make_folder,
    make_rename_durable,
    make_tree_durable,
    remove_tree,
    rename_patiently,
    write_durably,
)
from receiver.catalog.layout import DIGESTS
from receiver.catalog.local import make_backup_folder, settle
from receiver.catalog.record import AddonRecord
from receiver.catalog.records import Records
from receiver.document import Document, InvalidDocument, decode, encode
from receiver.links import is_link, is_plain_folder

_JOURNAL = "journal.json"


class UnitStep(Document, frozen=True):
    """Exchange the folder ``live`` (below ``addons/``) for the tree ``staged`` (below the transaction's folder)."""

    live: str
    staged: str
    old: str
    number: int
    """File number of the staged tree."""
    owned: dict[str, tuple[int, str]]
    """The files of the old tree that are ours."""
    leaf: str
    empty: bool = False
    """The unit is removed: only local files, if any, stay."""


class ManifestStep(Document, frozen=True):
    """Replace ``addon.manifest.yaml`` at ``live``; ``content`` None removes it, ``former`` is what undoes it.

    The former is kept in the backups where it was ``edited``: it is another than the one that we wrote.
    """

    live: str
    content: str | None
    former: str | None
    edited: bool = False


class Journal(Document, frozen=True):
    """The promise. Manifests that only lose entries come first, then units, then manifests with new entries."""

    leaf: str
    digest: str | None
    """What to write into the digest file; None removes it."""
    backup: str
    """Folder of this installation in the backups of each unit: decided once, so that a crash makes no second one."""
    manifests_before: list[ManifestStep]
    units: list[UnitStep]
    manifests_after: list[ManifestStep]
    record: AddonRecord


class Transaction:
    """The folder of one installation, and the steps to take with it."""

    def __init__(
        self,
        folder: Path,
        *,
        catalogue: Path,
        backups: Path,
        records: Records,
        exchange: Exchange,
        sweep: Callable[[Path], None] = remove_tree,
    ) -> None:
        self.folder = folder
        self._catalogue = catalogue
        self._backups = backups
        self._records = records
        self._exchange = exchange
        self._sweep = sweep

    @staticmethod
    def new_folder(root: Path) -> Path:
        """A name that no other transaction has."""
        return root / uuid.uuid4().hex

    def read(self) -> Journal | None:
        """The promise, if it was made.

        Raises:
            InvalidDocument: the journal is damaged.
        """
        path = self.folder / _JOURNAL
        if is_link(path):
            raise InvalidDocument(f"{path} is a link: remove {self.folder}")
        try:
            return decode(path.read_bytes(), Journal)
        except (FileNotFoundError, NotADirectoryError):
            # Not a folder: a record that was being written when the process died.
            return None

    @property
    def is_promised(self) -> bool:
        """Whether the installation must be finished; where that cannot be told, it must."""
        try:
            (self.folder / _JOURNAL).lstat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def promise(self, journal: Journal) -> None:
        """Make what is staged durable, then the journal: from here on the installation will happen.

        Raises:
            OSError: nothing was promised.
        """
        make_tree_durable(self.folder)
        write_durably(self.folder / _JOURNAL, encode(journal), temporary=self.folder / f"{_JOURNAL}.tmp")
        make_rename_durable(self.folder.parent)

    def publish(self, journal: Journal) -> None:
        """Exchange everything; where one step fails, undo those that were done and take the promise back.

        Raises:
            OSError: the catalogue is as it was, and the folder is gone; or, where undoing failed too, the promise
                stands and `finish` must be called again later.
        """
        try:
            self._write_manifests(journal.manifests_before)
            for step in journal.units:
                self._exchange_unit(step)
            self._write_manifests(journal.manifests_after)
        except OSError:
            self._undo(journal)
            raise

    def finish(self, journal: Journal) -> list[str]:
        """Bring a promised installation to its end, from wherever it stands; then only `discard` is left to do.

        Returns:
            The operator's files that were replaced and are in the backups now, as ``<unit folder>/<path>``.

        Raises:
            OSError: it is unfinished; the promise stands.
        """
        if not all(self._is_exchanged(step) for step in journal.units):
            self._write_manifests(journal.manifests_before)
            for step in journal.units:
                self._exchange_unit(step)
        self._write_manifests(journal.manifests_after)
        self._make_durable(journal)
        kept = [path for step in journal.units for path in self._settle(step, journal.backup)]
        for manifest in (*journal.manifests_before, *journal.manifests_after):
            kept += self._keep_manifest(manifest, journal.backup)
        self._records.write(journal.record, temporary=self.folder / "record.tmp")
        self._write_digest(journal.leaf, journal.digest)
        return list(dict.fromkeys(kept))

    def discard(self) -> None:
        """Remove the folder: the journal first, so that a half removed folder is one that never promised anything.

        Raises:
            OSError: a part is left; the promise stands if the journal does.
        """
        if (self.folder / _JOURNAL).exists():
            (self.folder / _JOURNAL).unlink()
            make_rename_durable(self.folder)
        if self.folder.exists():
            self._sweep(self.folder)

    def _exchange_unit(self, step: UnitStep) -> None:
        live, staged, old = self._paths(step)
        if self._is_exchanged(step):
            return
        if is_plain_folder(live):
            self._exchange(staged, live, old)
        else:
            # New, or a crash between the two renames of a system without an atomic exchange.
            make_folder(live.parent)
            rename_patiently(staged, live)

    def _is_exchanged(self, step: UnitStep) -> bool:
        live, staged, _ = self._paths(step)
        found = identity(live)
        if found is not None and found[1] == step.number:
            return True
        # An emptied unit's folder is removed at the end of finish; then neither path holds the staged tree.
        mine = identity(staged)
        return mine is None or mine[1] != step.number

    def _undo(self, journal: Journal) -> None:
        for manifest in reversed(journal.manifests_after):
            self._write_manifest(manifest.live, manifest.former)
        for step in reversed(journal.units):
            self._undo_unit(step)
        for manifest in reversed(journal.manifests_before):
            self._write_manifest(manifest.live, manifest.former)
        self.discard()

    def _undo_unit(self, step: UnitStep) -> None:
        live, staged, old = self._paths(step)
        found = identity(live)
        if found is not None and found[1] == step.number:
            if is_plain_folder(staged):
                self._exchange(staged, live, old)
            else:
                rename_patiently(live, staged)
        if is_plain_folder(old) and not is_plain_folder(live):
            rename_patiently(old, live)
        self._remove_if_empty(live.parent)

    def _write_manifests(self, steps: Sequence[ManifestStep]) -> None:
        for step in steps:
            self._write_manifest(step.live, step.content)

    def _write_manifest(self, live: str, content: str | None) -> None:
        path = self._catalogue / live
        if content is None:
            path.unlink(missing_ok=True)
            return
        if path.is_file() and path.read_bytes() == content.encode():
            return
        make_folder(path.parent)
        write_durably(path, content.encode(), temporary=self.folder / "manifest.tmp")

    def _make_durable(self, journal: Journal) -> None:
        parents = {(self._catalogue / step.live).parent for step in journal.units}
        for parent in parents | {self._catalogue}:
            if parent.is_dir():
                make_rename_durable(parent)

    def _keep_manifest(self, step: ManifestStep, backup: str) -> list[str]:
        if not step.edited or step.former is None or step.former == step.content:
            return []
        target = self._backups / Path(step.live).parent / backup / Path(step.live).name
        make_backup_folder(target.parent, self._backups)
        write_durably(target, step.former.encode(), temporary=self.folder / "manifest.tmp")
        return [step.live]

    def _settle(self, step: UnitStep, backup: str) -> list[str]:
        live, staged, old = self._paths(step)
        kept: list[str] = []
        for tree in (staged, old):
            if is_plain_folder(tree):
                place = self._backups / step.leaf / backup
                found = settle(tree, live, owned=step.owned, backup=place)
                kept += [f"{step.live}/{path}" for path in found]
        if step.empty:
            # What is below is the operator's, empty folders too.
            for folder in (live, live.parent):
                self._remove_if_empty(folder)
        return kept

    def _write_digest(self, leaf: str, digest: str | None) -> None:
        path = self._catalogue / DIGESTS / leaf
        if digest is None:
            path.unlink(missing_ok=True)
            return
        make_folder(path.parent)
        write_durably(path, digest.encode(), temporary=self.folder / "digest.tmp")

    def _paths(self, step: UnitStep) -> tuple[Path, Path, Path]:
        return self._catalogue / step.live, self.folder / step.staged, self.folder / step.old

    def _remove_if_empty(self, folder: Path) -> None:
        if folder != self._catalogue and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
