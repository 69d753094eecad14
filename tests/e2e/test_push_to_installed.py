"""From a push to a real registry to a release in the catalogue, through the program as users run it."""

import json
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Site
from tests.support import addons
from tests.support.addons import artifact, files, manifest_yaml, push_addon, read_tree
from tests.support.notifications import envelope, event
from tests.support.system import Host, wait_for

pytestmark = pytest.mark.registry


def installed(host: Host, leaf: str, digest: object) -> None:
    wait_for(f"{leaf} at {digest}", lambda: host.digest(leaf) == str(digest))


def test_a_push_is_installed_byte_for_byte(site: Site, tmp_path: Path) -> None:
    """What lies in the catalogue is what was packed, and nothing else."""
    with site.serve():
        digest = push_addon(site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
        installed(site.host, "monitoring", digest)
    expected = {**files(), "addon.manifest.yaml": manifest_yaml("monitoring", "monitoring")}
    assert read_tree(site.host.addons / "monitoring") == expected
    assert sorted(path.name for path in site.host.addons.iterdir()) == [".addon-sync-digests", "monitoring"]


def test_an_update_replaces_the_release_and_removes_what_it_no_longer_has(site: Site, tmp_path: Path) -> None:
    """Files of the old version go, those of the new one come, local ones stay."""
    with site.serve():
        old = artifact(tmp_path, addon="monitoring", tree=files(extra={"Old.ps1": b"old"}))
        installed(site.host, "monitoring", push_addon(site.registry.url, "monitoring", old))
        (site.host.addons / "monitoring" / "local.txt").write_text("mine")
        new = artifact(tmp_path, addon="monitoring", version="v1.1.0")
        installed(site.host, "monitoring", push_addon(site.registry.url, "monitoring", new))
    tree = read_tree(site.host.addons / "monitoring")
    assert "Old.ps1" not in tree
    assert tree["Enable.ps1"] == files("v1.1.0")["Enable.ps1"]
    assert tree["local.txt"] == b"mine"


def test_a_second_tag_counts_by_its_version_not_by_its_time(site: Site, tmp_path: Path) -> None:
    """An older version that is pushed later is not installed; the tag latest is, whatever it points at."""
    with site.serve() as serving:
        new = push_addon(site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring", version="v1.10.0"))
        installed(site.host, "monitoring", new)
        old = artifact(tmp_path, addon="monitoring", version="v1.9.0")
        push_addon(site.registry.url, "monitoring", old)
        assert site.host.run("sync", "--check-digest", "monitoring").returncode == 0
        assert site.host.digest("monitoring") == str(new)
        push_addon(site.registry.url, "monitoring", old, "latest")
        serving.wait_for_line("v1.9.0, which is lower than the installed v1.10.0")
        assert site.host.run("sync", "--allow-downgrade", "monitoring").returncode == 0
        installed(site.host, "monitoring", old.digest)
        assert serving.stop() == 0


def test_implementations_pushed_separately_share_one_manifest(site: Site, tmp_path: Path) -> None:
    """Two repositories, one addon: both folders, both entries, comments of both."""
    with site.serve():
        for name in ("nginx", "traefik"):
            packed = artifact(tmp_path, addon="ingress", implementation=name)
            installed(site.host, f"ingress-{name}", push_addon(site.registry.url, f"ingress-{name}", packed))
    root = site.host.addons / "ingress"
    assert sorted(path.name for path in root.iterdir()) == ["addon.manifest.yaml", "nginx", "traefik"]
    assert read_tree(root / "nginx") == files()
    merged = (root / "addon.manifest.yaml").read_text()
    assert merged.startswith("# SPDX")
    assert all(f"- name: {name}" in merged and f"# about {name}" in merged for name in ("nginx", "traefik"))
    listed = site.host.json("ls")
    assert [(row["addon"], row["implementation"]) for row in listed] == [("ingress", "nginx"), ("ingress", "traefik")]


def test_an_index_delivers_all_that_it_holds(site: Site, tmp_path: Path) -> None:
    """Several implementations and several addons in one artifact."""
    packed = addons.index(
        [
            artifact(tmp_path, addon="bundle"),
            artifact(tmp_path, addon="ingress", implementation="nginx"),
            artifact(tmp_path, addon="ingress", implementation="traefik"),
        ],
        tag="v2.0.0",
    )
    with site.serve():
        installed(site.host, "bundle", push_addon(site.registry.url, "bundle", packed))
    assert read_tree(site.host.addons / "ingress" / "traefik") == files()
    assert (site.host.addons / "bundle" / "Enable.ps1").is_file()


def test_an_acknowledged_event_survives_the_death_of_the_receiver(site: Site, tmp_path: Path) -> None:
    """Killed between the answer and the sync, it syncs after its next start, with no new event and no poll."""
    serving = site.serve()
    with serving:
        first = push_addon(site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
        installed(site.host, "monitoring", first)
        new = push_addon(site.registry.url, "spare", artifact(tmp_path, addon="spare"))
        installed(site.host, "spare", new)
        site.registry.stop()
        assert serving.post(envelope(event(id="e1", target=_target("addons/monitoring"))))[0] == 202
        serving.wait_for_line(r"addons/monitoring: .*will be tried again")
        serving.kill()
    site.registry.start()
    # Nothing announces this one: the registry's endpoint is not there, and the receiver does not poll.
    digest = push_addon(site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring", version="v1.1.0"))
    with site.serve():
        installed(site.host, "monitoring", digest)


def test_pushes_that_were_missed_are_found_by_the_poll(quiet_site: Site, tmp_path: Path) -> None:
    """Nothing announced them: the poll at start and the next poll do, and each is told and counted."""
    site = quiet_site
    first = push_addon(site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
    with site.serve(ADDON_SYNC_POLL_INTERVAL="200ms") as serving:
        installed(site.host, "monitoring", first)
        second = push_addon(site.registry.url, "logging", artifact(tmp_path, addon="logging"))
        installed(site.host, "logging", second)
        serving.wait_for_line(r"\[WARN\].*addons/logging: v1.0.0 was found by a poll.*are notifications switched on")
        assert 'addon_sync_missed_events_total{reason="unannounced"} 2.0' in serving.text("/metrics")


def test_a_restarted_registry_makes_it_look_at_everything(site: Site, tmp_path: Path) -> None:
    """A new instanceID: events of the old process may have been lost with it."""
    with site.serve() as serving:
        installed(
            site.host,
            "monitoring",
            push_addon(site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring")),
        )
        source = {"addr": "vm:5000", "instanceID": "00000000-0000-4000-8000-000000000001"}
        digest = site.host.digest("monitoring")
        (site.host.addons / "monitoring" / "addon.manifest.yaml").unlink()
        body = envelope(event(id="e9", target=_target("addons/other"), source=source))
        assert serving.post(body) == (202, {"accepted": 1, "ignored": 0, "quarantined": 0})
        wait_for("the manifest", (site.host.addons / "monitoring" / "addon.manifest.yaml").is_file)
        assert site.host.digest("monitoring") == digest


def test_a_recorded_envelope_is_replayed_from_a_file(quiet_site: Site, tmp_path: Path) -> None:
    """With and without a running receiver; the exit code says whether all could be read."""
    site = quiet_site
    push_addon(site.registry.url, "metrics", artifact(tmp_path, addon="metrics"))
    recorded = Path(__file__).parents[1] / "fixtures" / "notifications" / "distribution-2.8.2-push-manifest-tag.json"
    done = site.host.run("replay", str(recorded))
    assert done.returncode == 0, done.stdout
    assert "Synced: 1, Skipped (unchanged): 0, Failed: 0" in done.stdout
    lines = tmp_path / "events.jsonl"
    envelopes = [envelope(event(id=str(number), target=_target("addons/metrics"))).decode() for number in range(3)]
    lines.write_text("\n".join([*envelopes, "not json", ""]))
    with site.serve():
        done = site.host.run("replay", "-", stdin=lines.read_text())
    assert done.returncode == 1
    assert "line 4" in done.stdout
    assert "Synced: 0, Skipped (unchanged): 1, Failed: 0" in done.stdout


def test_the_journal_is_replayed_by_time_and_by_addon(site: Site, tmp_path: Path) -> None:
    """What was accepted is kept, and leads to a look again."""
    with site.serve() as serving:
        installed(
            site.host,
            "monitoring",
            push_addon(site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring")),
        )
        assert serving.post(b"not json") == (202, {"accepted": 0, "ignored": 0, "quarantined": 1})
        assert "Skipped (unchanged): 1" in site.host.run("replay", "--since", "1h").stdout
        kept = site.host.run("replay", "--quarantined")
        assert kept.returncode == 1
        assert "delivery" in kept.stdout
    assert "Skipped (unchanged): 1" in site.host.run("replay", "--addon", "monitoring").stdout


def test_a_stale_digest_file_does_not_hide_a_missing_folder(quiet_site: Site, tmp_path: Path) -> None:
    """The folder is gone, the digest file is not: it is synced again."""
    site = quiet_site
    digest = push_addon(site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
    assert site.host.run("poll").returncode == 0
    for path in sorted((site.host.addons / "monitoring").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (site.host.addons / "monitoring").rmdir()
    assert site.host.digest("monitoring") == str(digest)
    assert "Synced: 1" in site.host.run("poll").stdout
    assert read_tree(site.host.addons / "monitoring")["Enable.ps1"] == files()["Enable.ps1"]


def test_a_notification_of_zot_leads_to_the_same(quiet_site: Site, tmp_path: Path) -> None:
    """CloudEvents in binary mode: type in the headers, data in the body."""
    site = quiet_site
    with site.serve() as serving:
        digest = push_addon(site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
        data = {"name": "addons/monitoring", "reference": "v1.0.0", "digest": str(digest), "mediaType": "x"}
        headers = {
            "Ce-Id": "z1",
            "Ce-Specversion": "1.0",
            "Ce-Source": "zotregistry.dev",
            "Ce-Type": "zotregistry.image.updated",
        }
        assert serving.post(json.dumps(data).encode(), headers=headers)[1]["accepted"] == 1
        installed(site.host, "monitoring", digest)


def test_sigterm_under_load_ends_within_ten_seconds_and_loses_nothing(site: Site, tmp_path: Path) -> None:
    """Stopped while syncs run and events arrive; the next start finishes what was accepted."""
    packed = [artifact(tmp_path, addon=f"load-{number}") for number in range(8)]
    with site.serve() as serving:
        for number, one in enumerate(packed):
            push_addon(site.registry.url, f"load-{number}", one)
        started = time.monotonic()
        assert serving.stop() == 0
        assert time.monotonic() - started < 10
    with site.serve(ADDON_SYNC_POLL_INTERVAL="0"):
        for number, one in enumerate(packed):
            installed(site.host, f"load-{number}", one.digest)


def _target(repository: str) -> dict[str, object]:
    return {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": "sha256:" + "a" * 64,
        "repository": repository,
        "tag": "v1.0.0",
    }
