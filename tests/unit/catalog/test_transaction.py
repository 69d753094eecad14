"""The steps of an installation: undone where one fails, finished where they were promised."""

import errno
from pathlib import Path

import pytest

from receiver.catalog import transaction as module
from receiver.catalog.filesystem import Exchange
from receiver.catalog.store import CatalogStore
from receiver.errors import InstallError
from receiver.packaging.artifact import Artifact
from tests.support.addons import artifact, manifest_yaml
from tests.support.releases import EXCHANGES, catalog_store, leftovers, release, single, snapshot

_EXCHANGES = pytest.mark.parametrize("exchange", EXCHANGES.values(), ids=EXCHANGES)


def _refusing(name: str, monkeypatch: pytest.MonkeyPatch, exchange: Exchange) -> Exchange:
    """An exchange that fails for the unit ``name``."""

    def refuse(staged: Path, live: Path, old: Path) -> None:
        if live.name == name:
            raise PermissionError(errno.EACCES, "The process cannot access the file", str(live))
        exchange(staged, live, old)

    return refuse


@_EXCHANGES
def test_a_unit_that_cannot_be_exchanged_undoes_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: Exchange
) -> None:
    """A script of one implementation runs on Windows: both stay at the old release, manifests too (hazards F3)."""
    root = tmp_path / "k"
    names = ("nginx", "traefik")

    def index(version: str, extra: str) -> list[Artifact]:
        manifest = manifest_yaml("ingress", *names, extra, note=version)
        return [
            artifact(tmp_path, addon="ingress", implementation=name, version=version, manifest=manifest)
            for name in (extra, *names)
        ]

    catalog_store(root, exchange=exchange).install(release(index("v1.0.0", "old"), "ingress"))
    before = snapshot(root / "addons")
    store = catalog_store(root, exchange=_refusing("traefik", monkeypatch, exchange))
    with pytest.raises(InstallError, match="the previous release is in place"):
        store.install(release(index("v2.0.0", "new"), "ingress"))
    assert snapshot(root / "addons") == before
    assert not leftovers(root)


def test_a_live_folder_that_was_moved_away_is_never_discarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two renames fails, and so does its undoing: the old tree is in the folder that is tidied away."""
    root = tmp_path / "k"
    catalog_store(root).install(single(tmp_path))
    before = snapshot(root / "addons")

    def half(staged: Path, live: Path, old: Path) -> None:
        live.rename(old)
        raise PermissionError(errno.EACCES, "The process cannot access the file", str(live))

    with pytest.raises(InstallError, match="the previous release is in place"):
        catalog_store(root, exchange=half).install(single(tmp_path, version="v2.0.0"))
    assert snapshot(root / "addons") == before


def test_a_file_whose_name_is_no_utf_8_is_told_with_escapes(tmp_path: Path) -> None:
    """Its error is stored in the queue and the journal, and sent as JSON: none of them takes such a name as it is."""
    catalog_store(tmp_path / "k").install(single(tmp_path))

    def refuse(staged: Path, live: Path, old: Path) -> None:
        raise PermissionError(errno.EACCES, "The process cannot access the file", f"{live}/gr\udcfcn.txt")

    with pytest.raises(InstallError, match="the previous release is in place") as refused:
        catalog_store(tmp_path / "k", exchange=refuse).install(single(tmp_path, version="v2.0.0"))
    assert r"gr\udcfcn.txt" in refused.value.args[0]


def test_a_first_installation_that_fails_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the addon's empty root."""
    store: CatalogStore = catalog_store(tmp_path / "k")
    packed = artifact(tmp_path, addon="ingress", implementation="nginx")

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "rename_patiently", refuse)
        with pytest.raises(InstallError, match="No space"):
            store.install(release(packed, "ingress-nginx"))
    assert snapshot(store.catalogue) == {}


def test_the_digest_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads it finds the release that it names; exactly the digest, no newline."""
    store = catalog_store(tmp_path / "k")
    wanted = single(tmp_path)
    write = module.Transaction._write_digest

    def checked(self: module.Transaction, leaf: str, digest: str | None) -> None:
        assert (store.catalogue / "monitoring/addon.manifest.yaml").exists()
        assert store.record("monitoring") is not None
        write(self, leaf, digest)

    monkeypatch.setattr(module.Transaction, "_write_digest", checked)
    store.install(wanted)
    assert (store.catalogue / ".addon-sync-digests/monitoring").read_bytes() == str(wanted.digest).encode()
