"""Turning it off: what stays on a host and what goes, as docs/how-to/remove.md tells it."""

import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import Site
from tests.support.addons import artifact, push_addon, read_tree

pytestmark = pytest.mark.registry


def delivered(site: Site, tmp_path: Path, *addons: str) -> None:
    for addon in addons:
        push_addon(site.registry.url, addon, artifact(tmp_path, addon=addon))
    assert site.host.run("sync", *addons).returncode == 0


def below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.iterdir())


def test_without_addon_sync_the_catalogue_is_as_it_was(quiet_site: Site, tmp_path: Path) -> None:
    """No namespace, no Job, no state folder: every addon is still there, byte for byte, with its digest."""
    host = quiet_site.host
    delivered(quiet_site, tmp_path, "monitoring", "security")
    before = read_tree(host.addons)
    shutil.rmtree(host.state)
    assert read_tree(host.addons) == before
    assert below(host.install_dir) == [".addon-sync.lock", "addons"]
    assert below(host.addons) == [".addon-sync-digests", "monitoring", "security"]
    assert below(host.addons / ".addon-sync-digests") == ["monitoring", "security"]


def test_an_uninstalled_addon_leaves_what_is_yours(quiet_site: Site, tmp_path: Path) -> None:
    """Its files and its digest go, local files and the other addons stay; no poll brings it back."""
    host = quiet_site.host
    delivered(quiet_site, tmp_path, "monitoring", "security")
    (host.addons / "monitoring" / "mine.txt").write_text("mine")
    others = read_tree(host.addons / "security")
    assert host.run("uninstall", "monitoring").returncode == 0
    assert read_tree(host.addons / "monitoring") == {"mine.txt": b"mine"}
    assert below(host.addons / ".addon-sync-digests") == ["security"]
    assert read_tree(host.addons / "security") == others
    assert host.run("poll").returncode == 0
    assert not (host.addons / "monitoring" / "addon.manifest.yaml").exists()


def test_all_can_be_uninstalled_before_the_program_goes(quiet_site: Site, tmp_path: Path) -> None:
    """Nothing that was delivered is left; only the folder of digests, which is empty."""
    host = quiet_site.host
    delivered(quiet_site, tmp_path, "monitoring", "security")
    for addon in ("monitoring", "security"):
        assert host.run("uninstall", addon).returncode == 0
    shutil.rmtree(host.state)
    assert read_tree(host.addons) == {}


def test_it_can_come_back(quiet_site: Site, tmp_path: Path) -> None:
    """With the state gone, the addons count as the host's own: the next sync adopts them, deleting nothing of yours."""
    host = quiet_site.host
    delivered(quiet_site, tmp_path, "monitoring")
    shutil.rmtree(host.state)
    (host.addons / "monitoring" / "mine.txt").write_text("mine")
    assert host.run("sync", "monitoring").returncode == 0
    assert (host.addons / "monitoring" / "mine.txt").read_text() == "mine"
    assert host.run("verify", "monitoring").returncode == 0
