"""``addon-sync doctor`` on hosts that are well and that are not, with the real registry and a real receiver."""

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Site
from tests.integration.test_registry_authentication import HASH
from tests.support.addons import artifact, push_addon
from tests.support.authority import Authority
from tests.support.docker_registry import DockerRegistry, free_port
from tests.support.pulling import PASSWORD
from tests.support.push import push_files
from tests.support.system import TOKEN, Host, wait_for

pytestmark = pytest.mark.registry

SECRETS = (TOKEN, PASSWORD, "S3cret-of-a-sender")


@dataclass(frozen=True)
class Diagnosis:
    """What ``doctor --output json`` says, and how it ended."""

    code: int
    document: Any

    def standing(self, check: str) -> set[str]:
        """Those of a check; there may be several findings of it."""
        return {found["standing"] for found in self.document["findings"] if found["check"] == check}

    def text(self, check: str) -> str:
        """What is said of a check, remedies included."""
        found = [found for found in self.document["findings"] if found["check"] == check]
        return "\n".join(f"{one['text']} -> {one['remedy']}" for one in found)

    @property
    def broken(self) -> set[str]:
        """The checks that found something broken."""
        return {found["check"] for found in self.document["findings"] if found["standing"] == "broken"}


def doctor(host: Host, *arguments: str, **settings: str) -> Diagnosis:
    """Run it; whatever is wrong, no secret is in what it prints."""
    known = {"ADDON_SYNC_TOKEN": TOKEN, **host.settings, **settings}
    looking = Host(host.root, host.registry, known)
    done = looking.run("doctor", "--output", "json", *arguments)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)
    diagnosis = Diagnosis(done.returncode, json.loads(done.stdout))
    assert (done.returncode == 1) == bool(diagnosis.broken)
    assert all(found["remedy"] for found in diagnosis.document["findings"] if found["standing"] != "ok")
    return diagnosis


def everything_below(root: Path) -> set[Path]:
    return set(root.rglob("*"))


@pytest.fixture
def listen(site: Site) -> dict[str, str]:
    """The setting that the receiver of ``site`` is started with."""
    return {"ADDON_SYNC_LISTEN": f"127.0.0.1:{site.port}"}


def test_a_host_that_is_well(site: Site, tmp_path: Path, listen: dict[str, str]) -> None:
    """Every room has been looked at; the event took the real way and led to a look that changed nothing."""
    with site.serve() as serving:
        pushed = push_addon(site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
        wait_for("it is installed", lambda: site.host.digest("monitoring") == str(pushed))
        before = everything_below(site.host.addons)
        found = doctor(site.host, **listen)
        assert (found.code, found.broken) == (0, set())
        for check in (
            "folders.catalogue", "folders.state", "folders.lock", "registry.connection", "registry.credentials",
            "registry.catalogue", "endpoint.listen", "endpoint.ready", "endpoint.notification", "journal.tasks",
        ):  # fmt: skip
            assert found.standing(check) == {"ok"}, check
        assert "addons/monitoring and made it durable" in found.text("endpoint.notification")
        assert f"serve (process {serving.pid})" in found.text("folders.lock")
        assert found.document["addons"][0]["repository"] == "addons/monitoring"
        assert found.document["addons"][0]["tag"] == "v1.0.0"
        wait_for(
            "the look has ended",
            lambda: 'addon_sync_syncs_total{outcome="unchanged",trigger="event"}' in serving.text("/metrics"),
        )
        assert everything_below(site.host.addons) == before


def test_each_setting_tells_where_it_comes_from(site: Site, tmp_path: Path) -> None:
    """Flag, variable, file, default; secrets only whether they are there."""
    secret, file = tmp_path / "ghcr", tmp_path / "addon-sync.yaml"
    secret.write_text(SECRETS[2])
    secret.chmod(0o600)
    file.write_text(f"poll_interval: 10m\nsenders: {{ghcr_file: {secret}, harbor: {SECRETS[2]}}}\n")
    found = doctor(site.host, "--config", str(file), "--concurrency", "7")
    rows = {row["name"]: (row["value"], row["source"], row["where"]) for row in found.document["settings"]}
    assert rows["ADDON_SYNC_CONCURRENCY"] == ("7", "flag", "--concurrency")
    assert rows["ADDON_SYNC_TOKEN"] == ("configured", "environment", "ADDON_SYNC_TOKEN")
    assert rows["ADDON_SYNC_POLL_INTERVAL"] == ("10m", "file", f"poll_interval in {file}")
    assert rows["ADDON_SYNC_MAX_FILES"] == ("50000", "default", "")
    assert rows["ADDON_SYNC_REGISTRY_PASSWORD"] == ("not configured", "default", "")
    assert rows["ADDON_SYNC_STATE_DIR"] == (str(site.host.state), "default", "")
    assert rows["senders.ghcr"] == (f"configured, in {secret}", "file", f"senders.ghcr_file in {file}")
    assert rows["senders.harbor"] == ("configured", "file", f"senders.harbor in {file}")


def test_another_token_than_that_of_serve(site: Site, listen: dict[str, str]) -> None:
    """Whoever reads it learns which setting to compare."""
    with site.serve():
        found = doctor(site.host, **listen, ADDON_SYNC_TOKEN="another-token")
        assert doctor(site.host, **listen).standing("journal.refused") == set()
    assert found.broken == {"endpoint.notification"}
    assert "refuses the credential from ADDON_SYNC_TOKEN" in found.text("endpoint.notification")


def test_another_token_than_that_of_the_registry(site: Site, tmp_path: Path, listen: dict[str, str]) -> None:
    """It shows in the log at once, and here; what doctor sends is neither an announcement nor a refusal to tell."""
    other = {"ADDON_SYNC_TOKEN": "another-token"}
    with site.serve(**other) as serving:
        push_addon(site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
        line = serving.wait_for_line("sent a notification with a wrong credential")
        assert "[WARN] 127.0.0.1 sent" in line
        assert "compare ADDON_SYNC_TOKEN" in line
        assert site.host.run("poll").returncode == 0
        before = site.host.json("missed")
        found = doctor(site.host, **listen, **other)
        assert found.standing("journal.refused") == {"warning"}
        assert "deliveries were refused in the last 24 hours" in found.text("journal.refused")
        assert "nothing was let in" in found.text("journal.entries")
        assert found.standing("endpoint.notification") == {"ok"}
        assert [push["repository"] for push in before] == ["addons/monitoring"]
        assert site.host.json("missed") == before
        (status,) = site.host.json("status", "monitoring")
        assert status["last_event"] is None
        assert "nothing was let in" in doctor(site.host, **listen, **other).text("journal.entries")


def test_where_nothing_is_installed_the_event_concerns_nobody(site: Site, listen: dict[str, str]) -> None:
    """And without it nothing is sent at all; a receiver at another port than these settings say is seen."""
    with site.serve() as serving:
        found = doctor(site.host, **listen)
        assert "concerns no addon" in found.text("endpoint.notification")
        counted = serving.text("/metrics").count('reason="other repository"} 1.0')
        quiet = doctor(site.host, "--no-notify")
        assert quiet.standing("endpoint.notification") == set()
        assert quiet.standing("endpoint.listen") == {"warning"}
        assert quiet.standing("endpoint.settings") == set()
        other = doctor(site.host, "--no-notify", "--repository-prefix", "p/addons/", **listen)
        assert other.standing("endpoint.settings") == {"warning"}
        assert "PREFIX is addons/ there, and p/addons/ here" in other.text("endpoint.settings")
        assert f"127.0.0.1:{site.port}" in quiet.text("endpoint.listen")
        assert (counted, serving.text("/metrics").count('reason="other repository"} 1.0')) == (1, 1)


def test_a_held_addon_is_no_example(site: Site, tmp_path: Path, listen: dict[str, str]) -> None:
    """Its hold would be told in the log, and no look would follow."""
    with site.serve():
        pushed = push_addon(site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
        wait_for("it is installed", lambda: site.host.digest("monitoring") == str(pushed))
        assert site.host.run("hold", "monitoring").returncode == 0
        assert "concerns no addon" in doctor(site.host, **listen).text("endpoint.notification")


def test_a_credential_of_the_sender_in_the_place_of_a_token(site: Site, tmp_path: Path) -> None:
    """Where others can reach the receiver, which then is asked at an address of this host."""
    file = tmp_path / "addon-sync.yaml"
    everywhere = {"ADDON_SYNC_LISTEN": f"0.0.0.0:{site.port}", "ADDON_SYNC_TOKEN": ""}
    for sender, words in (("distribution", "concerns no addon"), ("ghcr", "shows no credential of a sender")):
        file.write_text(f"senders: {{{sender}: {SECRETS[2]}}}\n")
        serving = site.serve(**everywhere)
        serving.arguments = ("--config", str(file))
        with serving:
            found = doctor(site.host, "--config", str(file), **everywhere)
            assert words in found.text("endpoint.notification")
            assert f"http://127.0.0.1:{site.port}/v1" in found.text("endpoint.notification")
            assert found.broken == set()
            assert found.standing("settings.tls") == {"warning"}
            assert serving.stop() == 0


def test_a_receiver_with_tls(site: Site, tmp_path: Path, listen: dict[str, str]) -> None:
    """Its certificate is the one in the file, whoever signed it; the token goes to no other."""
    first, second = Authority(tmp_path), Authority(tmp_path, "another")
    pair, other = first.sign("receiver"), second.sign("receiver")
    tls = {"ADDON_SYNC_TLS_CERT": str(pair.cert), "ADDON_SYNC_TLS_KEY": str(pair.key)}
    with site.serve(**tls):
        found = doctor(site.host, **listen, **tls)
        assert found.standing("endpoint.notification") == found.standing("endpoint.tls") == {"ok"}
        assert "127.0.0.1, localhost" in found.text("endpoint.tls")
        wrong = {"ADDON_SYNC_TLS_CERT": str(other.cert), "ADDON_SYNC_TLS_KEY": str(other.key)}
        assert "shows another certificate" in doctor(site.host, **listen, **wrong).text("endpoint.notification")
        assert "ADDON_SYNC_TLS_CERT is not among" in doctor(site.host, **listen).text("endpoint.notification")
    with site.serve(**tls, ADDON_SYNC_TLS_CLIENT_CA=str(first.cert)):
        found = doctor(site.host, **listen, **tls, ADDON_SYNC_TLS_CLIENT_CA=str(first.cert))
        assert "shows no certificate" in found.text("endpoint.notification")
        assert found.broken == set()
    broken = doctor(site.host, **{**tls, "ADDON_SYNC_TLS_KEY": str(other.key)})
    assert "is not the key of the certificate" in broken.text("endpoint.tls")


def test_the_receiver_does_not_run(quiet_site: Site) -> None:
    """Its port is free, or somebody else's."""
    port = free_port()
    found = doctor(quiet_site.host, ADDON_SYNC_LISTEN=f"127.0.0.1:{port}")
    assert found.standing("endpoint.serve") == {"warning"}
    assert everything_below(quiet_site.host.install_dir) == set()
    with socket.create_server(("127.0.0.1", port)):
        found = doctor(quiet_site.host, ADDON_SYNC_LISTEN=f"127.0.0.1:{port}")
    assert found.broken == {"endpoint.serve"}
    assert "Address already in use" in found.text("endpoint.serve")


def test_the_registry_is_down(quiet_site: Site) -> None:
    """What would need it is left out; the other rooms are looked at all the same."""
    quiet_site.registry.stop()
    found = doctor(quiet_site.host)
    assert found.broken == {"registry.connection"}
    assert "Connection refused" in found.text("registry.connection")
    assert found.standing("folders.state") == found.standing("journal.tasks") == {"ok"}
    assert found.document["addons"] == []
    unnamed = doctor(Host(quiet_site.host.root, "http://registry.invalid:5000"))
    assert unnamed.broken == {"registry.name"}


def test_a_registry_with_tls_and_an_account(quiet_site: Site, tmp_path: Path) -> None:
    """The wrong authority, the wrong password, none at all, and then all is right."""
    registry, host = quiet_site.registry, quiet_site.host
    push_files(registry.url, "addons/monitoring", "v1.0.0", b"x")
    authority, another = Authority(tmp_path), Authority(tmp_path, "another")
    pair = authority.sign("registry")
    (tmp_path / "htpasswd").write_text(f"robot:{HASH}\n")
    registry.stop()
    registry.tls = {"certificate": str(pair.cert), "key": str(pair.key)}
    registry.auth = {"htpasswd": {"realm": "r", "path": str(tmp_path / "htpasswd")}}
    registry.start()
    host.settings |= {"INSECURE": "false", "DOCKER_CONFIG": str(tmp_path)}

    wrong = doctor(host, ADDON_SYNC_CA_FILE=str(another.cert))
    assert wrong.broken == {"registry.tls"}
    assert "set ADDON_SYNC_CA_FILE to the authority" in wrong.text("registry.tls")

    host.settings["ADDON_SYNC_CA_FILE"] = str(authority.cert)
    nobody = doctor(host)
    assert nobody.broken == {"registry.credentials"}
    assert "asked without credentials" in nobody.text("registry.credentials")

    robot = {"ADDON_SYNC_REGISTRY_USERNAME": "robot", "ADDON_SYNC_REGISTRY_PASSWORD": "another-password"}
    refused = doctor(host, **robot)
    assert refused.broken == {"registry.credentials"}
    assert "with the credentials from ADDON_SYNC_REGISTRY_USERNAME" in refused.text("registry.credentials")
    assert "another-password" not in json.dumps(refused.document)

    found = doctor(host, **{**robot, "ADDON_SYNC_REGISTRY_PASSWORD": PASSWORD})
    assert found.broken == set()
    assert "takes the credentials from ADDON_SYNC_REGISTRY_USERNAME" in found.text("registry.credentials")
    assert "127.0.0.1, localhost" in found.text("registry.tls")
    assert [one["tag"] for one in found.document["addons"]] == ["v1.0.0"]

    plain = doctor(host, INSECURE="true")
    assert plain.broken == {"registry.answer"}


def test_plain_http_where_tls_was_expected(quiet_site: Site) -> None:
    """The remedy names the setting."""
    found = doctor(quiet_site.host, INSECURE="false")
    assert found.broken == {"registry.tls"}
    assert "INSECURE=true" in found.text("registry.tls")


@pytest.fixture
def unwritable(quiet_site: Site) -> Iterator[Path]:
    """A folder that the account of the tests cannot write into; root can nowhere else be refused."""
    if os.geteuid() == 0:
        yield Path("/proc/sys")
        return
    state = quiet_site.host.state
    state.mkdir(0o500)
    yield state
    state.chmod(0o700)


def test_a_state_folder_that_cannot_be_written_to(quiet_site: Site, unwritable: Path) -> None:
    """It is told, and so is whose it is."""
    found = doctor(quiet_site.host, ADDON_SYNC_STATE_DIR=str(unwritable))
    assert "folders.state" in found.broken
    assert f"{unwritable} cannot be written to" in found.text("folders.state")


def test_links_and_modes_in_the_state_folder(quiet_site: Site) -> None:
    """Nothing would start with the one; the other lets everybody read deliveries."""
    state = quiet_site.host.state
    state.mkdir()
    state.chmod(0o755)
    (state / "blobs").symlink_to("/tmp")
    (state / "engine.17.tmp").touch()
    found = doctor(quiet_site.host)
    assert found.broken == {"folders.links"}
    assert found.standing("folders.private") == found.standing("folders.leftovers") == {"warning"}
    assert f"chmod 700 {state}" in found.text("folders.private")


def test_parked_tasks_and_a_damaged_queue(quiet_site: Site) -> None:
    """Read here while nobody serves, and the lock is free again afterwards."""
    host = quiet_site.host
    push_files(quiet_site.registry.url, "addons/monitoring", "v1.0.0", b"no addon")
    assert host.run("sync").returncode == 1
    before = everything_below(host.install_dir)
    found = doctor(host)
    assert found.standing("journal.file") == {"ok"}
    assert "addons/monitoring is parked" in found.text("journal.parked")
    assert everything_below(host.install_dir) == before

    queue = host.state / "queue.sqlite"
    with sqlite3.connect(queue) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'delivery'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with queue.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * 64)
    damaged = doctor(host)
    assert "journal.file" in damaged.broken
    assert "move the file away" in damaged.text("journal.file")


def test_what_it_prints_for_distribution_makes_the_real_registry_tell(tmp_path: Path) -> None:
    """Word for word, but for the token, which it never prints."""
    port = free_port()
    settings = {"ADDON_SYNC_LISTEN": f"127.0.0.1:{port}", "ADDON_SYNC_TOKEN": TOKEN}
    with DockerRegistry() as registry:
        host = Host(tmp_path / "host", registry.url, settings)
        printed = host.run("doctor", "--sender", "distribution")
        assert printed.returncode == 0
        assert TOKEN not in printed.stdout + printed.stderr
        assert "nanoseconds" in printed.stderr
        registry.stop()
        registry.notifications = yaml.safe_load(printed.stdout.replace("TOKEN", TOKEN))["notifications"]
        registry.start()
        with host.serve(port):
            pushed = push_addon(registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
            wait_for("the event arrives", lambda: host.digest("monitoring") == str(pushed))


def test_people_read_a_list_and_a_summary(quiet_site: Site) -> None:
    """The last line is what counts; defaults are listed where they are asked for."""
    host = quiet_site.host
    text = host.run("doctor")
    assert text.returncode == 0
    lines = text.stdout.splitlines()
    assert lines[0].split() == ["SETTING", "VALUE", "FROM"]
    assert any(line.startswith("WARNING  endpoint.serve ") for line in lines)
    assert lines[-1].endswith(", 0 broken")
    assert "ADDON_SYNC_MAX_FILES" not in text.stdout
    assert "ADDON_SYNC_MAX_FILES" in host.run("doctor", "--all").stdout
