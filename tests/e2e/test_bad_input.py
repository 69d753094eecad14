"""What should not be installed is not, says why, and harms nothing else."""

import json
from pathlib import Path

import pytest

from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.packaging.artifact import Layer
from tests.e2e.conftest import Site
from tests.support.addons import artifact, files, push_addon, read_tree
from tests.support.docker_registry import free_port
from tests.support.notifications import envelope, event
from tests.support.push import descriptor_of, manifest_of, push_artifact, push_files
from tests.support.system import Host
from tests.support.tarwriter import archive, entry, gzipped

pytestmark = pytest.mark.registry


@pytest.fixture
def before(quiet_site: Site, tmp_path: Path) -> Site:
    """A site with ``monitoring`` v1.0.0 installed."""
    push_addon(quiet_site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
    assert quiet_site.host.run("poll").returncode == 0
    return quiet_site


def _fails(site: Site, cause: str, tmp_path: Path) -> None:
    """The sync of ``monitoring`` fails with ``cause``, what was installed stays, another addon goes on."""
    tree, digest = read_tree(site.host.addons), site.host.digest("monitoring")
    push_addon(site.registry.url, "other", artifact(tmp_path, addon="other"))
    done = site.host.run("sync", "--check-digest")
    assert done.returncode == 1, done.stdout
    assert cause in done.stdout
    assert "[AddonSync][ERROR]" in done.stdout
    assert "Synced: 1, Skipped (unchanged): 0, Failed: 1" in done.stdout
    assert site.host.digest("monitoring") == digest
    after = read_tree(site.host.addons)
    assert {path: content for path, content in after.items() if "other" not in path} == tree
    assert not list((site.host.state / "transactions").iterdir())


def test_a_wrong_layer_type_fails(before: Site, tmp_path: Path) -> None:
    """Pushed as one opaque file: the known negative case."""
    push_files(before.registry.url, "addons/monitoring", "v1.1.0", b"opaque", media_type="application/octet-stream")
    _fails(before, "holds no addon", tmp_path)


def test_an_artifact_without_any_layer_of_ours_fails(before: Site, tmp_path: Path) -> None:
    """Named like an addon, but with octets only."""
    layer = descriptor_of(b"opaque", "application/octet-stream")
    config = descriptor_of(b"{}", media.OCI_EMPTY)
    notes = {"vnd.k2s.addon.name": "monitoring", "vnd.k2s.addon.implementation": "monitoring"}
    manifest = manifest_of([layer], config=config, annotations=notes)
    push_artifact(before.registry.url, "addons/monitoring", "v1.1.0", blobs=[b"{}", b"opaque"], manifest=manifest)
    _fails(before, "oras push", tmp_path)


def test_a_corrupt_blob_fails(before: Site, tmp_path: Path) -> None:
    """The registry's disk turned bytes over: right size, wrong content."""
    new = artifact(tmp_path, addon="monitoring", version="v1.1.0")
    push_addon(before.registry.url, "monitoring", new)
    scripts = json.loads(new.manifest)["layers"][-1]["digest"]
    stored = before.registry.stored_blob(Digest.parse(scripts))
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    _fails(before, scripts, tmp_path)
    assert not list((before.host.state / "blobs" / "ingest").iterdir())


def test_an_unsafe_archive_fails(before: Site, tmp_path: Path) -> None:
    """A layer that climbs out of its folder."""
    layer = gzipped(archive(entry("../../evil.ps1", b"evil")))
    config = descriptor_of(b"{}", media.OCI_EMPTY)
    notes = {"vnd.k2s.addon.name": "monitoring", "vnd.k2s.addon.implementation": "monitoring"}
    manifest = manifest_of([descriptor_of(layer, media.SCRIPTS)], config=config, annotations=notes)
    push_artifact(before.registry.url, "addons/monitoring", "v1.1.0", blobs=[b"{}", layer], manifest=manifest)
    _fails(before, "evil.ps1", tmp_path)
    assert not list(tmp_path.rglob("evil*"))


def test_another_addons_name_in_the_artifact_fails(before: Site, tmp_path: Path) -> None:
    """What is pushed to ``addons/monitoring`` cannot install ``security``."""
    push_addon(before.registry.url, "monitoring", artifact(tmp_path, addon="security", version="v1.1.0"))
    _fails(before, "push it to a repository named 'security'", tmp_path)
    assert not (before.host.addons / "security").exists()


def test_a_parked_failure_waits_for_a_new_push_or_a_person(before: Site, tmp_path: Path) -> None:
    """A poll does not try it again, status tells why, replay does, and a good push cures it."""
    host = before.host
    push_addon(before.registry.url, "monitoring", artifact(tmp_path, addon="security", version="v1.1.0"))
    assert host.run("poll").returncode == 1
    row = next(row for row in host.json("status") if row["repository"] == "addons/monitoring")
    assert row["standing"] == "parked"
    assert "named 'security'" in row["error"]
    again = host.run("poll")
    assert again.returncode == 1
    assert "Digest changed" not in again.stdout
    assert "Digest changed" in host.run("replay", "--failed").stdout
    push_addon(before.registry.url, "monitoring", artifact(tmp_path, addon="monitoring", version="v1.2.0"))
    assert host.run("poll").returncode == 0
    assert host.json("status", "monitoring")[0]["standing"] == "current"


def test_an_unreachable_registry_is_reported(tmp_path: Path) -> None:
    """Tried again for a moment, then exit code 1 with the registry's name; nothing is created in the catalogue."""
    port = free_port()
    host = Host(tmp_path, f"http://127.0.0.1:{port}")
    for command in (["sync"], ["sync", "monitoring"], ["poll"]):
        done = host.run(*command)
        assert done.returncode == 1
        assert f"127.0.0.1:{port}" in done.stdout
        assert "Failed: 1" in done.stdout


def test_an_addon_that_is_not_there_is_a_failure_when_asked_for(quiet_site: Site) -> None:
    """A misspelt name must not look like success."""
    done = quiet_site.host.run("sync", "monitorin")
    assert done.returncode == 1
    assert "addons/monitorin" in done.stdout


def test_a_wrong_setting_ends_with_its_name(tmp_path: Path) -> None:
    """Exit code 2, before anything is touched."""
    host = Host(tmp_path, "http://127.0.0.1:1", {"ADDON_SYNC_CONCURRENCY": "many"})
    done = host.run("sync")
    assert done.returncode == 2
    assert "ADDON_SYNC_CONCURRENCY" in done.stdout + done.stderr
    assert not host.state.exists()


def test_the_endpoint_refuses_and_keeps_as_the_contract_says(quiet_site: Site) -> None:
    """401, 413, and 202 for what cannot be parsed; a token on the command line is not needed to see the health."""
    good = envelope(event())
    with quiet_site.serve() as serving:
        assert serving.post(good, token=None)[0] == 401
        assert serving.post(good, token="wrong")[0] == 401
        assert serving.post(b" " * (1024 * 1024 + 1))[0] == 413
        assert serving.post(b'{"events": [') == (202, {"accepted": 0, "ignored": 0, "quarantined": 1})
        assert serving.get("/healthz")[0] == serving.get("/readyz")[0] == 200
        serving.wait_for_line(r"\[WARN\].*cannot be read")


def test_serve_refuses_others_without_a_token(tmp_path: Path) -> None:
    """Listening for everybody with no credential is a mistake, and named."""
    host = Host(tmp_path, "http://127.0.0.1:1", {"ADDON_SYNC_LISTEN": "0.0.0.0:0"})
    done = host.run("serve")
    assert done.returncode == 2
    assert "ADDON_SYNC_TOKEN" in done.stdout


def test_only_what_is_needed_is_fetched(quiet_site: Site, tmp_path: Path) -> None:
    """Image layers are never requested; a layer that is there already is not requested again."""
    images = tmp_path / "images.tar"
    images.write_bytes(b"image" * 1000)
    layer = Layer(path=images, media_type=media.IMAGES_LINUX)
    first = artifact(tmp_path, addon="monitoring", extra_layers=[layer])
    digest = push_addon(quiet_site.registry.url, "monitoring", first)
    done = quiet_site.host.json("sync")
    wanted = [
        entry["size"] for entry in json.loads(first.manifest)["layers"] if entry["mediaType"] != media.IMAGES_LINUX
    ]
    assert done["addons"][0]["fetched"] == sum(wanted)
    stored = {path.name for path in (quiet_site.host.state / "blobs" / "blobs" / "sha256").iterdir()}
    assert Digest.of(images.read_bytes()).hex not in stored
    assert digest.hex in stored
    tree = {**files(), "Enable.ps1": b"changed"}
    push_addon(
        quiet_site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring", version="v1.1.0", tree=tree)
    )
    assert 0 < quiet_site.host.json("sync")["addons"][0]["fetched"] < sum(wanted)
