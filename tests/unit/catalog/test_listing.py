"""What is in the catalogue, whoever put it there."""

import errno
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("damaged", [False, True])
def test_an_unreadable_addon_is_still_known_by_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, damaged: bool
) -> None:
    """Without the right to read its manifest it would look like one that nobody delivered."""
    root = tmp_path / "k"
    store = catalog_store(root)
    store.install(single(tmp_path))
    store.install(one_of_several(tmp_path, "ingress", "nginx"))
    if damaged:
        for path in (root / "addons").rglob("addon.manifest.yaml"):
            path.write_bytes(b"{")
    else:
        read = Path.read_bytes

        def refuse(path: Path) -> bytes:
            if path.name == "addon.manifest.yaml":
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return read(path)

        monkeypatch.setattr(Path, "read_bytes", refuse)
    records = Records(root / ".addon-sync/installed")
    ingress, monitoring = listing(root / "addons", records)
    assert (monitoring.repository, monitoring.tag, monitoring.implementation) == (
        "addons/monitoring",
        "v1.0.0",
        "monitoring",
    )
    assert (ingress.repository, ingress.folder) == ("addons/ingress-nginx", "ingress/nginx")
    if not damaged:
        manifest = root / "addons" / "monitoring" / "addon.manifest.yaml"
        assert monitoring.problem == f"{manifest} cannot be read: Permission denied; run this as an account that may"


def test_an_absent_catalogue_is_empty(tmp_path: Path) -> None:
    """``ls`` before the first sync."""
    assert listing(tmp_path / "addons", Records(tmp_path / "installed")) == []
