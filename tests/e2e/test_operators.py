"""An operator at work: with the receiver running and without, with the registry down, and what they see afterwards."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Site
from tests.support.addons import artifact, files, push_addon, read_tree
from tests.support.system import Host, wait_for

pytestmark = pytest.mark.registry


def push(site: Site, scratch: Path, version: str) -> str:
    return str(push_addon(site.registry.url, "monitoring", artifact(scratch, addon="monitoring", version=version)))


def enabled(host: Host) -> bytes:
    return read_tree(host.addons / "monitoring")["Enable.ps1"]


def refused(host: Host, *arguments: str) -> str:
    """What a command says that fails with exit code 1."""
    done = host.run(*arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_rollback_with_the_registry_down_and_without_a_receiver(quiet_site: Site, tmp_path: Path) -> None:
    """The bad release of this morning: back, held through polls, and forward again when it is released."""
    host = quiet_site.host
    digests = []
    for version in ("v1.0.0", "v1.1.0"):
        digests.append(push(quiet_site, tmp_path, version))
        assert host.run("sync", "monitoring").returncode == 0
    (host.addons / "monitoring/values.yaml").write_bytes(b"edited")
    away = Host(host.root, "http://127.0.0.1:9")
    done = away.run("rollback", "monitoring")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rolled back to v1.0.0" in done.stdout
    assert "1 replaced files kept in the backups" in done.stdout
    assert enabled(host) == files("v1.0.0")["Enable.ps1"]

    polled = host.run("poll")
    assert (polled.returncode, "Synced: 0, Skipped (unchanged): 1, Failed: 0" in polled.stdout) == (0, True)
    synced = host.run("sync", "monitoring")
    assert synced.returncode == 0
    assert "held since" in synced.stdout
    assert "addon-sync release monitoring" in synced.stdout
    assert host.digest("monitoring") == digests[0]

    (row,) = host.json("status")
    assert (row["standing"], row["hold"]["reason"]) == ("held", "rolled back from v1.1.0 to v1.0.0")
    assert len(row["installed"]["replaced"]) == 1
    (listed,) = host.json("ls")
    assert listed["held"] == "rolled back from v1.1.0 to v1.0.0"
    history = host.json("history", "monitoring")
    assert [release["digest"] for release in history["releases"]] == digests[::-1]
    assert history["installed"]["digest"] == digests[0]

    assert host.run("release", "monitoring").returncode == 0
    assert host.run("poll").returncode == 0
    assert host.digest("monitoring") == digests[1]


def test_operators_work_through_the_receiver_that_runs(site: Site, tmp_path: Path) -> None:
    """Hold, a push that changes nothing, release, and the push comes; uninstall, and it stays away."""
    host = site.host
    with site.serve() as serving:
        first = push(site, tmp_path, "v1.0.0")
        wait_for("v1.0.0", lambda: host.digest("monitoring") == first)
        assert host.run("hold", "monitoring", "--reason", "audit").returncode == 0
        second = push(site, tmp_path, "v1.1.0")
        serving.wait_for_line(r"held since .* \(audit\)")
        assert host.digest("monitoring") == first
        assert host.run("release", "monitoring").returncode == 0
        wait_for("v1.1.0", lambda: host.digest("monitoring") == second)
        assert host.run("rollback", "monitoring", "--to", "v1.0.0").returncode == 0
        assert host.digest("monitoring") == first
        serving.wait_for_line(r"addons/monitoring: rolled back to v1\.0\.0")
        assert f'digest="{first}"' in serving.text("/metrics")
        assert host.run("uninstall", "monitoring").returncode == 0
        assert "addon_sync_installed_release_info{" not in serving.text("/metrics")
        assert read_tree(host.addons) == {}
        assert host.run("poll").returncode == 0
        assert not (host.addons / "monitoring").exists()
        (row,) = host.json("status")
        assert (row["standing"], row["installed"], row["hold"]["reason"]) == ("held", None, "uninstalled")


def test_drift_is_found_and_repaired(quiet_site: Site, tmp_path: Path) -> None:
    """Exit code 1 names each file; the repair needs no registry; afterwards all is well."""
    host = quiet_site.host
    push(quiet_site, tmp_path, "v1.0.0")
    assert host.run("sync").returncode == 0
    assert host.run("verify").returncode == 0
    live = host.addons / "monitoring"
    (live / "Enable.ps1").write_bytes(b"changed by hand")
    (live / "Disable.ps1").unlink()
    text = refused(host, "verify")
    assert "monitoring/Enable.ps1" in text
    assert "monitoring/Disable.ps1" in text
    away = Host(host.root, "http://127.0.0.1:9")
    repaired = away.run("verify", "--repair")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert "2 files differ, 1 addons repaired" in repaired.stdout
    assert enabled(host) == files()["Enable.ps1"]
    assert host.run("verify", "monitoring").returncode == 0
    assert [path.read_bytes() for path in (host.state / "backups").rglob("*") if path.is_file()] == [b"changed by hand"]


def test_a_poll_repairs_changed_files_where_that_is_configured(quiet_site: Site, tmp_path: Path) -> None:
    """As long as it is not, an operator's edit stays."""
    host = quiet_site.host
    push(quiet_site, tmp_path, "v1.0.0")
    assert host.run("poll").returncode == 0
    (host.addons / "monitoring/Enable.ps1").write_bytes(b"changed by hand")
    assert host.run("poll").returncode == 0
    assert enabled(host) == b"changed by hand"
    host.settings["ADDON_SYNC_REPAIR_DRIFT"] = "true"
    polled = host.run("poll")
    assert "Synced: 1" in polled.stdout, polled.stdout
    assert enabled(host) == files()["Enable.ps1"]


def test_unused_blobs_go_and_other_tools_find_the_kept_releases(quiet_site: Site, tmp_path: Path) -> None:
    """Three releases stay with their blobs, in an image layout; those of older ones are removed."""
    host = quiet_site.host
    host.settings["ADDON_SYNC_KEEP_RELEASES"] = "2"
    for number in range(4):
        push(quiet_site, tmp_path, f"v1.{number}.0")
        assert host.run("sync", "monitoring").returncode == 0
    root = host.state / "blobs"
    index = json.loads((root / "index.json").read_bytes())
    names = [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in index["manifests"]]
    assert names == ["addons/monitoring:v1.3.0", "addons/monitoring:v1.2.0"]
    needed = set()
    for entry in index["manifests"]:
        needed.add(entry["digest"])
        manifest = json.loads((root / "blobs/sha256" / entry["digest"].removeprefix("sha256:")).read_bytes())
        needed |= {layer["digest"] for layer in manifest["layers"]}
    assert {f"sha256:{path.name}" for path in (root / "blobs/sha256").iterdir()} == needed
    text = refused(host, "rollback", "monitoring", "--to", "v1.0.0")
    assert "no kept release is 'v1.0.0'" in text


def test_what_cannot_be_done_is_said_in_one_line(quiet_site: Site) -> None:
    """Names that nobody installed, names that cannot be, and words that mean nothing."""
    host = quiet_site.host
    for arguments in (["history", "monitoring"], ["rollback", "monitoring"], ["uninstall", "monitoring"]):
        assert "installed" in refused(host, *arguments)
    for arguments in (["hold", "../evil"], ["rollback"], ["verify", "A"]):
        assert host.run(*arguments).returncode == 2


def test_a_second_receiver_on_the_same_catalogue_waits_or_says_who_holds_it(site: Site, tmp_path: Path) -> None:
    """With another state folder the state's lock is free; the catalogue's is not."""
    with site.serve() as serving:
        other = Host(site.host.root, site.host.registry, {"ADDON_SYNC_STATE_DIR": str(site.host.install_dir / "other")})
        second = other.serve()
        second.launch()
        try:
            line = second.wait_for_line("this one takes over when that ends, and gives up after 20 s")
            assert f"another addon-sync serve (process {serving.pid}" in line
            assert f"works on {site.host.install_dir}: " in line
            assert str(site.host.state) in line
            assert serving.stop() == 0
            second.wait_until_listening()
        finally:
            second.kill()
