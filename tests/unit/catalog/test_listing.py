"""What is in the catalogue, whoever put it there."""

from pathlib import Path

from receiver.catalog.listing import listing
from receiver.catalog.records import Records
from tests.support.addons import manifest_yaml, write_tree
from tests.support.releases import catalog_store, one_of_several, single


def test_installed_and_foreign_addons_are_listed(tmp_path: Path) -> None:
    """Ours with repository, tag and digest, those of other tools without, unreadable ones with their problem."""
    root = tmp_path / "k"
    store = catalog_store(root)
    wanted = single(tmp_path)
    store.install(wanted)
    store.install(one_of_several(tmp_path, "ingress", "nginx"))
    write_tree(
        root / "addons",
        {
            "foreign/addon.manifest.yaml": manifest_yaml("foreign", "foreign"),
            "broken/addon.manifest.yaml": b"{",
            "common/tool.ps1": b"",
            ".hidden/addon.manifest.yaml": b"{",
        },
    )
    found = {entry.addon: entry for entry in listing(root / "addons", Records(root / ".addon-sync/installed"))}
    assert list(found) == ["broken", "foreign", "ingress", "monitoring"]
    ours = found["monitoring"]
    assert (ours.repository, ours.tag, ours.digest) == ("addons/monitoring", "v1.0.0", str(wanted.digest))
    assert (ours.implementation, ours.folder, ours.description) == ("monitoring", "monitoring", "for tests")
    assert (found["ingress"].implementation, found["ingress"].folder) == ("nginx", "ingress/nginx")
    assert (found["foreign"].repository, found["foreign"].problem) == (None, None)
    assert "not plain YAML" in str(found["broken"].problem)


def test_an_absent_catalogue_is_empty(tmp_path: Path) -> None:
    """``ls`` before the first sync."""
    assert listing(tmp_path / "addons", Records(tmp_path / "installed")) == []
