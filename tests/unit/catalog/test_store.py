"""Installing, seen from outside: what is in the catalogue afterwards, byte for byte, and what stays the operator's."""

import json
import threading
from pathlib import Path

import pytest

from receiver.catalog import transaction as transactions
from receiver.catalog.limits import ArchiveLimits
from receiver.catalog.store import CatalogStore
from receiver.errors import ConfigError, InstallError
from receiver.oci.digest import Digest
from tests.support.addons import artifact, files, manifest_yaml, read_tree, write_tree
from tests.support.releases import catalog_store, leftovers, one_of_several, release, single, snapshot


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "k"


@pytest.fixture
def store(root: Path) -> CatalogStore:
    return catalog_store(root)


def test_a_single_addon_is_installed_byte_for_byte(root: Path, store: CatalogStore, tmp_path: Path) -> None:
    """Settings, config folder, manifests, chart, scripts and manifest; and nothing else of ours below `addons`."""
    wanted = single(tmp_path)
    done = store.install(wanted)
    assert read_tree(root / "addons") == {
        **{f"monitoring/{path}": content for path, content in files().items()},
        "monitoring/addon.manifest.yaml": manifest_yaml("monitoring", "monitoring"),
        ".addon-sync-digests/monitoring": str(wanted.digest).encode(),
    }
    assert (done.files, done.kept) == (len(files()) + 1, ())
    assert store.is_current("monitoring", wanted.digest)
    assert not leftovers(root)


def test_implementations_of_several_repositories_share_one_manifest(
    root: Path, store: CatalogStore, tmp_path: Path
) -> None:
    """Each in its folder, the manifest at the addon's root only."""
    for name in ("nginx", "traefik"):
        store.install(one_of_several(tmp_path, "ingress", name))
    assert read_tree(root / "addons/ingress") == {
        **{f"{name}/{path}": content for path, content in files().items() for name in ("nginx", "traefik")},
        "addon.manifest.yaml": manifest_yaml("ingress", "nginx", "traefik"),
    }


def test_an_index_installs_all_its_units_and_drops_those_it_loses(
    root: Path, store: CatalogStore, tmp_path: Path
) -> None:
    """Of a dropped unit, our files go; local ones stay."""
    manifest = manifest_yaml("ingress", "nginx", "traefik")
    monitoring = artifact(tmp_path, addon="monitoring")
    nginx, traefik = (
        artifact(tmp_path, addon="ingress", implementation=name, manifest=manifest) for name in ("nginx", "traefik")
    )
    store.install(release([monitoring, nginx, traefik], "bundle"))
    (root / "addons/ingress/traefik/mine.yaml").write_bytes(b"mine")
    store.install(release([nginx, traefik], "bundle"))
    assert not (root / "addons/monitoring").exists()
    store.install(release([monitoring, nginx], "bundle"))
    found = read_tree(root / "addons/ingress")
    assert {path for path in found if path.startswith("traefik/")} == {"traefik/mine.yaml"}
    assert b"name: traefik" not in found["addon.manifest.yaml"]
    assert b"name: nginx" in found["addon.manifest.yaml"]


def test_an_update_removes_what_the_new_release_does_not_have(root: Path, store: CatalogStore, tmp_path: Path) -> None:
    """The script that this replaces keeps them for ever."""
    store.install(single(tmp_path, tree={**files(), "old/only.yaml": b"x"}))
    store.install(single(tmp_path, version="v2.0.0"))
    assert set(read_tree(root / "addons/monitoring")) == {*files(), "addon.manifest.yaml"}
    assert not (root / "addons/monitoring/old").exists()


def test_local_files_survive_and_edits_are_kept(root: Path, store: CatalogStore, tmp_path: Path) -> None:
    """The edit is replaced, kept in the backups and reported."""
    store.install(single(tmp_path))
    live = root / "addons/monitoring"
    write_tree(live, {"mine/notes.txt": b"mine", "values.yaml": b"edited"})
    number = (live / "mine/notes.txt").stat().st_ino
    done = store.install(single(tmp_path, version="v2.0.0"))
    assert done.kept == ("monitoring/values.yaml",)
    assert list(read_tree(store.backups).values()) == [b"edited"]
    assert (live / "values.yaml").read_bytes() == files("v2.0.0")["values.yaml"]
    assert (live / "mine/notes.txt").stat().st_ino == number


def test_an_edited_shared_manifest_is_kept(root: Path, store: CatalogStore, tmp_path: Path) -> None:
    """A merge keeps the entries of others, and the whole file as it was goes to the backups."""
    store.install(one_of_several(tmp_path, "ingress", "nginx"))
    path = root / "addons/ingress/addon.manifest.yaml"
    edited = path.read_bytes().replace(b"the nginx way", b"my way")
    path.write_bytes(edited)
    done = store.install(one_of_several(tmp_path, "ingress", "nginx", version="v2.0.0"))
    assert done.kept == ("ingress/addon.manifest.yaml",)
    assert list(read_tree(store.backups).values()) == [edited]
    assert store.install(one_of_several(tmp_path, "ingress", "nginx")).kept == ()


def test_an_adopted_tree_loses_nothing(root: Path, store: CatalogStore, tmp_path: Path) -> None:
    """What was there before the first sync is the operator's; what the release replaces is kept."""
    write_tree(root / "addons/monitoring", {"theirs.yaml": b"theirs", "values.yaml": b"former"})
    done = store.install(single(tmp_path))
    assert (root / "addons/monitoring/theirs.yaml").read_bytes() == b"theirs"
    assert done.kept == ("monitoring/values.yaml",)
    assert list(read_tree(store.backups).values()) == [b"former"]


def test_nothing_of_ours_is_below_addons_while_it_is_staged(
    root: Path, store: CatalogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the last instant before the exchange, the catalogue is as it was; late local files are still carried over."""
    store.install(single(tmp_path))
    before = snapshot(root / "addons")
    publish = transactions.Transaction.publish

    def watched(self: transactions.Transaction, journal: transactions.Journal) -> None:
        assert snapshot(root / "addons") == before
        (root / "addons/monitoring/late.yaml").write_bytes(b"late")
        publish(self, journal)

    monkeypatch.setattr(transactions.Transaction, "publish", watched)
    store.install(single(tmp_path, version="v2.0.0"))
    assert (root / "addons/monitoring/late.yaml").read_bytes() == b"late"


def test_two_implementations_installed_at_once_are_both_listed(root: Path, store: CatalogStore, tmp_path: Path) -> None:
    """They share a manifest, so one waits for the other."""
    wanted = [one_of_several(tmp_path, "ingress", name) for name in ("nginx", "traefik")]
    gate = threading.Barrier(2)
    failed: list[BaseException] = []

    def install(index: int) -> None:
        try:
            gate.wait(10)
            store.install(wanted[index])
        except BaseException as error:  # noqa: BLE001 - it is told below, in the thread of the test
            failed.append(error)

    threads = [threading.Thread(target=install, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failed
    manifest = (root / "addons/ingress/addon.manifest.yaml").read_bytes()
    assert (manifest.count(b"- name: nginx"), manifest.count(b"- name: traefik")) == (1, 1)


def test_what_is_current_needs_digest_record_and_folder(root: Path, store: CatalogStore, tmp_path: Path) -> None:
    """A stale digest file is not trusted; one of another tool is while its folder is there."""
    wanted = single(tmp_path)
    assert not store.is_current("monitoring", wanted.digest)
    store.install(wanted)
    assert not store.is_current("monitoring", Digest.of(b"another"))
    (root / "addons/monitoring").rename(root / "elsewhere")
    assert not store.is_current("monitoring", wanted.digest)
    digest = root / "addons/.addon-sync-digests/ingress-nginx"
    digest.write_text(f"{wanted.digest}\n")
    assert not store.is_current("ingress-nginx", wanted.digest)
    (root / "addons/ingress/nginx").mkdir(parents=True)
    assert store.is_current("ingress-nginx", wanted.digest)


def test_an_installation_that_could_not_be_finished_is_finished_by_the_next(
    root: Path, store: CatalogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a later start would bring the older one back over the newer."""

    def refuse(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(transactions.Transaction, "_write_digest", refuse)
        with pytest.raises(InstallError, match="up to its last steps"):
            store.install(single(tmp_path))
    newer = single(tmp_path, version="v2.0.0")
    store.install(newer)
    after = snapshot(root / "addons")
    assert not leftovers(root)
    assert catalog_store(root).is_current("monitoring", newer.digest)
    assert snapshot(root / "addons") == after


def test_a_damaged_journal_stops_the_start(root: Path, store: CatalogStore) -> None:
    """It may be a promise: nobody but a person can tell."""
    folder = root / ".addon-sync/transactions/1"
    folder.mkdir()
    (folder / "journal.json").write_bytes(b"{")
    with pytest.raises(InstallError, match="cannot be finished"):
        store.prepare()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_catalogue_that_is_no_folder_is_refused(root: Path, tmp_path: Path, kind: str) -> None:
    """Before anything is written through it (hazards F6)."""
    root.mkdir()
    (tmp_path / "elsewhere").mkdir()
    if kind == "link":
        (root / "addons").symlink_to(tmp_path / "elsewhere")
    else:
        (root / "addons").touch()
    with pytest.raises(ConfigError, match="addons"):
        catalog_store(root)


def test_state_below_the_catalogue_is_refused(root: Path) -> None:
    """Its manifests would be taken for addons."""
    root.mkdir()
    store = CatalogStore(catalogue=root / "addons", state=root / "addons/.state", limits=ArchiveLimits())
    with pytest.raises(ConfigError, match="lies below"):
        store.prepare()


def test_the_record_names_every_file(root: Path, store: CatalogStore, tmp_path: Path) -> None:
    """Size and SHA-256, so that an edit is noticed whatever its time is."""
    store.install(single(tmp_path))
    record = json.loads((root / ".addon-sync/installed/monitoring.json").read_bytes())
    content = files()["Enable.ps1"]
    assert record["installed"]["units"][0]["files"]["Enable.ps1"] == [len(content), Digest.of(content).hex]
    assert [found.leaf for found in store.records()] == ["monitoring"]
