"""What is kept and what an operator may do: releases, holds, removal, and what is no longer as it was."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from receiver.catalog.gate import Gate
from receiver.catalog.layout import Unit
from receiver.catalog.limits import ArchiveLimits
from receiver.catalog.record import Hold
from receiver.catalog.release import Drift, Release
from receiver.catalog.store import CatalogStore
from receiver.document import replaced
from receiver.errors import AddonHeld, InstallError, InvalidManifest, NotInstalled, UnsafeArchive
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from tests.support.addons import files, manifest_yaml, read_tree, write_tree
from tests.support.releases import catalog_store, leftovers, one_of_several, single, snapshot

HOLD = Hold(since=1.0, reason="audit")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "k"


@pytest.fixture
def store(root: Path) -> CatalogStore:
    return catalog_store(root)


def version(tmp_path: Path, number: int) -> Release:
    """Release ``number``, with what it takes to keep it."""
    release = single(tmp_path, version=f"v{number}.0.0")
    return replaced(release, artifact=(Descriptor(media_type=media.OCI_MANIFEST, digest=release.digest, size=number),))


def kept(store: CatalogStore) -> list[str]:
    record = store.record("monitoring")
    assert record is not None
    return [release.tag for release in record.kept]


def test_the_last_releases_are_kept(store: CatalogStore, tmp_path: Path) -> None:
    """Three, the installed one included; the same one again does not push another one out."""
    for number in (1, 2, 3, 4, 4):
        store.install(version(tmp_path, number))
    assert kept(store) == ["v4.0.0", "v3.0.0", "v2.0.0"]


def test_what_is_installed_over_itself_arrived_when_it_first_came(root: Path, tmp_path: Path) -> None:
    """A sync of what is there already is no arrival; the same digest after another one is."""
    releases = {number: version(tmp_path, number) for number in (1, 2)}
    now = [100.0]
    store = CatalogStore(
        catalogue=root / "addons", state=root / ".addon-sync", limits=ArchiveLimits(), clock=lambda: now[0]
    )
    store.prepare()
    found = []
    for number in (1, 1, 2, 2, 1):
        now[0] += 100.0
        store.install(releases[number])
        record = store.record("monitoring")
        assert record is not None
        found.append([(release.tag[:2], release.arrived) for release in record.kept])
    assert found == [
        [("v1", 200.0)],
        [("v1", 200.0)],
        [("v2", 400.0), ("v1", 200.0)],
        [("v2", 400.0), ("v1", 200.0)],
        [("v1", 600.0), ("v2", 400.0)],
    ]


def test_a_release_that_is_brought_back_keeps_its_place(store: CatalogStore, tmp_path: Path) -> None:
    """So that the next rollback goes further back, and never the newest is forgotten for the older."""
    releases = {number: version(tmp_path, number) for number in (1, 2, 3)}
    for release in releases.values():
        store.install(release)
    store.install(releases[2], restore=True, hold=HOLD)
    assert kept(store) == ["v3.0.0", "v2.0.0", "v1.0.0"]
    record = store.record("monitoring")
    assert record is not None
    assert record.installed is not None
    assert (record.installed.tag, record.hold) == ("v2.0.0", HOLD)


def test_the_installed_release_is_kept_wherever_it_stands(root: Path, tmp_path: Path) -> None:
    """With a smaller number in the settings, too."""
    releases = {number: version(tmp_path, number) for number in (1, 2, 3)}
    for release in releases.values():
        catalog_store(root).install(release)
    store = CatalogStore(catalogue=root / "addons", state=root / ".addon-sync", limits=ArchiveLimits(), keep=1)
    store.install(releases[1], restore=True)
    assert kept(store) == ["v1.0.0"]


def test_a_held_addon_is_not_installed_over(root: Path, store: CatalogStore, tmp_path: Path) -> None:
    """Not by a sync that had begun before; a repair keeps the hold."""
    first = version(tmp_path, 1)
    store.install(first)
    store.hold("addons/monitoring", "monitoring", HOLD)
    before = snapshot(root / "addons")
    with pytest.raises(
        AddonHeld, match=r"held since 1970-01-01 00:00:01 UTC \(audit\); 'addon-sync release monitoring'"
    ):
        store.install(version(tmp_path, 2))
    assert snapshot(root / "addons") == before
    assert not leftovers(root)
    store.install(first, restore=True)
    record = store.record("monitoring")
    assert record is not None
    assert record.hold == HOLD


def test_a_hold_survives_a_restart_and_ends_when_it_is_ended(root: Path, store: CatalogStore, tmp_path: Path) -> None:
    """Setting it twice changes nothing; the former one is told."""
    assert store.hold("addons/monitoring", "monitoring", HOLD) is None
    assert catalog_store(root).hold("addons/monitoring", "monitoring", HOLD) == HOLD
    assert catalog_store(root).hold("addons/monitoring", "monitoring", None) == HOLD
    store.install(version(tmp_path, 1))


def test_a_removal_takes_what_is_ours_and_leaves_what_is_not(root: Path, store: CatalogStore, tmp_path: Path) -> None:
    """Local files stay in place, edited ones go to the backups, the digest file goes, and it is held."""
    store.install(version(tmp_path, 1))
    live = root / "addons/monitoring"
    write_tree(live, {"mine/notes.txt": b"mine", "values.yaml": b"edited"})
    (live / "mine/empty").mkdir()
    done = store.uninstall("monitoring", hold=HOLD)
    assert done.kept == ("monitoring/values.yaml",)
    assert read_tree(root / "addons") == {"monitoring/mine/notes.txt": b"mine"}
    assert (live / "mine/empty").is_dir()
    assert list(read_tree(store.backups).values()) == [b"edited"]
    record = store.record("monitoring")
    assert record is not None
    assert (record.installed, record.hold, kept(store)) == (None, HOLD, ["v1.0.0"])
    assert record.removed == record.kept[0].digest
    assert store.is_present(record)
    assert not leftovers(root)


def test_a_removed_addon_leaves_no_folder(root: Path, store: CatalogStore, tmp_path: Path) -> None:
    """Where nothing local was in it; and what was never installed cannot be removed."""
    store.install(version(tmp_path, 1))
    store.uninstall("monitoring", hold=HOLD)
    assert not (root / "addons/monitoring").exists()
    for leaf in ("monitoring", "other"):
        with pytest.raises(NotInstalled, match=f"nothing is installed from '{leaf}'"):
            store.uninstall(leaf, hold=HOLD)


def test_removing_one_implementation_leaves_the_others(root: Path, store: CatalogStore, tmp_path: Path) -> None:
    """The shared manifest loses its entry, and goes with the last one."""
    for name in ("nginx", "traefik"):
        store.install(one_of_several(tmp_path, "ingress", name))
    store.uninstall("ingress-nginx", hold=HOLD)
    assert (root / "addons/ingress/addon.manifest.yaml").read_bytes() == manifest_yaml("ingress", "traefik")
    assert not (root / "addons/ingress/nginx").exists()
    store.uninstall("ingress-traefik", hold=HOLD)
    assert not (root / "addons/ingress").exists()


def test_what_is_removed_can_come_back_in_another_layout(store: CatalogStore, tmp_path: Path) -> None:
    """As the error of the layout gate advises."""
    store.install(one_of_several(tmp_path, "ingress", "nginx", leaf="ingress"))
    with pytest.raises(InvalidManifest, match="uninstall that first"):
        store.install(single(tmp_path, "ingress"))
    store.uninstall("ingress", hold=HOLD)
    store.hold("addons/ingress", "ingress", None)
    store.install(single(tmp_path, "ingress"))


def test_what_was_installed_has_not_drifted(store: CatalogStore, tmp_path: Path) -> None:
    """Local files are nobody's business."""
    store.install(single(tmp_path))
    store.install(one_of_several(tmp_path, "ingress", "nginx"))
    (store.catalogue / "monitoring/local.txt").write_text("mine")
    assert store.verify("monitoring") == store.verify("ingress-nginx") == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has access lists in the place of modes")
def test_every_kind_of_drift_is_told(store: CatalogStore, tmp_path: Path) -> None:
    """Gone, changed at the same size and time, a link, a folder, another mode of a file and of a folder."""
    store.install(single(tmp_path))
    live = store.catalogue / "monitoring"
    (live / "values.yaml").unlink()
    status = (live / "Disable.ps1").stat()
    (live / "Disable.ps1").write_bytes((live / "Disable.ps1").read_bytes()[:-1] + b"X")
    os.utime(live / "Disable.ps1", ns=(status.st_atime_ns, status.st_mtime_ns))
    (live / "config/settings.ini").unlink()
    (live / "config/settings.ini").symlink_to("elsewhere")
    (live / "Enable.ps1").chmod(0o777)
    (live / "manifests/crds").chmod(0o700)
    (store.catalogue / ".addon-sync-digests/monitoring").write_text("sha256:other")
    assert {(drift.path, drift.problem) for drift in store.verify("monitoring")} == {
        ("monitoring/values.yaml", "missing"),
        ("monitoring/Disable.ps1", "changed"),
        ("monitoring/config/settings.ini", "changed"),
        ("monitoring/Enable.ps1", "mode"),
        ("monitoring/manifests/crds", "mode"),
        (".addon-sync-digests/monitoring", "changed"),
    }


@pytest.mark.parametrize("content", [None, b"not: a manifest", manifest_yaml("ingress", "traefik")])
def test_a_shared_manifest_that_does_not_list_its_implementation_has_drifted(
    store: CatalogStore, tmp_path: Path, content: bytes | None
) -> None:
    """Gone, damaged, or replaced by hand: the catalogue's reader does not find the addon any more."""
    store.install(one_of_several(tmp_path, "ingress", "nginx"))
    manifest = store.catalogue / "ingress/addon.manifest.yaml"
    manifest.unlink() if content is None else manifest.write_bytes(content)
    problem = "missing" if content is None else "changed"
    assert [(drift.path, drift.problem) for drift in store.verify("ingress-nginx")] == [
        ("ingress/addon.manifest.yaml", problem)
    ]


def test_a_folder_that_is_gone_is_one_line(store: CatalogStore, tmp_path: Path) -> None:
    """And a folder that became a file or a link is changed."""
    store.install(single(tmp_path))
    (store.catalogue / "monitoring").rename(tmp_path / "moved")
    assert store.verify("monitoring") == [Drift(path="monitoring", problem="missing")]
    (store.catalogue / "monitoring").symlink_to(tmp_path / "moved", target_is_directory=True)
    assert store.verify("monitoring") == [Drift(path="monitoring", problem="changed")]


def test_what_an_installation_replaced_is_found_again(store: CatalogStore, tmp_path: Path) -> None:
    """For the status: the files of the operator that the installed release put into the backups."""
    store.install(version(tmp_path, 1))
    (store.catalogue / "monitoring/values.yaml").write_bytes(b"edited")
    store.install(version(tmp_path, 2))
    record = store.record("monitoring")
    assert record is not None
    (replaced,) = store.replaced(record)
    assert Path(replaced).read_bytes() == b"edited"
    store.install(version(tmp_path, 3))
    record = store.record("monitoring")
    assert record is not None
    assert store.replaced(record) == []


def test_a_path_that_windows_could_not_open_is_refused(store: CatalogStore, tmp_path: Path) -> None:
    """Within the limit of a path by itself, but not in the folder of this implementation (hazards G22)."""
    addon, implementation = "a" * 63, "b" * 40
    path = f"{'c' * 80}/{'d' * 60}.yaml"
    with pytest.raises(UnsafeArchive, match="Windows takes 259"):
        store.install(one_of_several(tmp_path, addon, implementation, tree={**files(), path: b"x"}, leaf=addon))
    store.install(single(tmp_path, "monitoring", tree={**files(), path: b"x"}))


def test_a_manifest_that_the_schema_refuses_is_no_release(root: Path, store: CatalogStore, tmp_path: Path) -> None:
    """And one in the catalogue that it refuses keeps implementations out until a person repairs it."""
    store.install(one_of_several(tmp_path, "ingress", "nginx"))
    schema = {"properties": {"spec": {"properties": {"implementations": {"items": {"required": ["licence"]}}}}}}
    (root / "addons/addon.manifest.schema.json").write_text(json.dumps(schema))
    with pytest.raises(InvalidManifest, match="licence"):
        store.install(single(tmp_path))
    fits = manifest_yaml("ingress", "traefik").replace(b"- name: traefik", b"- name: traefik\n      licence: MIT")
    with pytest.raises(InstallError, match=r"ingress/addon\.manifest\.yaml keeps the release out: .*repair it"):
        store.install(one_of_several(tmp_path, "ingress", "traefik", manifest=fits))


@pytest.mark.parametrize("tampering", ["added", "removed", "longer", "linked", "folder linked", "folder"])
def test_a_staged_tree_that_is_not_what_was_unpacked_is_not_published(
    root: Path, store: CatalogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tampering: str
) -> None:
    """Somebody who may write to the state folder changes it before it is exchanged (hazards F7)."""
    store.install(single(tmp_path))
    before = snapshot(root / "addons")

    def tamper(gate: Gate, unit: Unit, paths: Mapping[str, object], folders: object) -> None:
        (staged,) = (root / ".addon-sync/transactions").glob("*/unit-0")
        file, folder = staged / "Enable.ps1", staged / "config"
        if tampering == "added":
            (staged / "evil.ps1").write_bytes(b"x")
        elif tampering == "longer":
            file.write_bytes(file.read_bytes() + b"x")
        elif tampering == "folder linked":
            folder.rename(tmp_path / "config")
            folder.symlink_to(tmp_path / "config", target_is_directory=True)
        elif tampering == "folder":
            (staged / "empty").mkdir()
        else:
            file.rename(tmp_path / "Enable.ps1")
            if tampering == "linked":
                file.symlink_to(tmp_path / "Enable.ps1")

    monkeypatch.setattr(Gate, "check_lengths", tamper)
    with pytest.raises(InstallError, match=r"is not what was unpacked|is not whole"):
        store.install(single(tmp_path, version="v2.0.0"))
    assert snapshot(root / "addons") == before
    assert not leftovers(root)
