"""``doctor`` where something stands in its own way: another account, another command, a registry that gives little."""

import asyncio
import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver.cli import checkup, registry_checkup
from receiver.config import load
from receiver.diagnosis.finding import Finding
from receiver.lock import Holder, StateLock
from tests.support import registry_faults
from tests.support.addons import artifact, push_addon
from tests.support.fake_registry import FakeRegistry
from tests.support.system import Host

SECRET = "S3cret-that-nobody-may-see"


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def host(tmp_path: Path, registry: FakeRegistry) -> Host:
    """One that nothing has been installed on yet."""
    docker = tmp_path / "docker"
    docker.mkdir()
    return Host(tmp_path / "host", registry.url, {"ADDON_SYNC_TOKEN": SECRET, "DOCKER_CONFIG": str(docker)})


async def examined(host: Host, **settings: str) -> dict[str, list[Finding]]:
    """The findings by check; none holds the secret."""
    environment = {"ADDON_SYNC_LISTEN": "127.0.0.1:0", **host.environment(), **settings}
    report = await checkup.examine(load(flags={}, environment=environment, file=None), notify=True)
    assert SECRET not in repr(report)
    found: dict[str, list[Finding]] = {}
    for finding in report.findings:
        found.setdefault(finding.check, []).append(finding)
    return found


def standing(found: dict[str, list[Finding]], check: str) -> str:
    (finding,) = found[check]
    return finding.standing.value


def everything(root: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.lstat().st_mode, path.lstat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}


async def test_another_command_at_work_is_let_alone(host: Host) -> None:
    """Nobody is waited for; whoever holds the lock is named."""
    with StateLock(host.state, install_dir=host.install_dir) as lock:
        assert lock.try_acquire(command="sync")
        found = await examined(host)
    assert f"addon-sync sync (process {os.getpid()})" in found["folders.lock"][0].text
    assert "the tasks were not asked" in found["journal.tasks"][0].text
    assert standing(found, "endpoint.serve") == "warning"


async def test_a_receiver_that_starts_is_no_receiver_that_is_missing(host: Host) -> None:
    """It holds the lock before it listens."""
    with StateLock(host.state, install_dir=host.install_dir) as lock:
        assert lock.try_acquire(command="serve")
        found = await examined(host)
    assert "is starting" in found["endpoint.serve"][0].text


async def test_a_receiver_that_does_not_answer_is_told(host: Host) -> None:
    """It holds the lock and hangs, or its port was closed."""
    gone = Holder.mine(command="serve", url="http://127.0.0.1:9", token=SECRET, listen="http://127.0.0.1:9")
    with StateLock(host.state, install_dir=host.install_dir) as lock:
        assert lock.try_acquire(command="serve")
        lock.announce(gone)
        found = await examined(host)
    assert standing(found, "endpoint.notification") == standing(found, "journal.look") == "broken"
    assert "Connection refused" in found["endpoint.notification"][0].text


async def test_a_state_folder_of_another_account_is_not_touched(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: what root makes there, the account of the service could not open."""
    assert host.run("poll").returncode == 0
    (host.state / "engine.lock").unlink()
    before = everything(host.install_dir)
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    found = await examined(host)
    assert everything(host.install_dir) == before
    assert standing(found, "journal.tasks") == standing(found, "folders.state") == "warning"
    assert "run addon-sync doctor as" in str(found["folders.state"][0].remedy)


async def test_a_lock_that_cannot_be_looked_at(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nobody can say whether serve runs, and nothing is guessed."""

    def refused(_: StateLock) -> bool:
        raise PermissionError(13, "Permission denied", "engine.lock")

    host.state.mkdir()
    monkeypatch.setattr("receiver.lock._is_held", refused)
    found = await examined(host)
    assert "engine.lock cannot be looked at: Permission denied" in found["folders.lock"][0].text
    assert not any(check.startswith(("endpoint.", "journal.")) for check in found)
    assert "registry.connection" in found


async def test_a_probe_that_hangs_ends_after_its_seconds(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: a network drive that does not answer. The other rooms are looked at meanwhile."""
    monkeypatch.setattr(checkup, "_SECONDS", 0.3)
    monkeypatch.setattr(checkup, "host_facts", lambda **_: threading.Event().wait(5))
    began = time.monotonic()
    found = await examined(host)
    assert time.monotonic() - began < 4
    assert found["folders.look"][0].text == "no answer in time"
    assert standing(found, "registry.catalogue") == "warning"


async def test_a_registry_without_a_catalogue(host: Host, registry: FakeRegistry, tmp_path: Path) -> None:
    """The configured repositories take its place, and are asked for their tags."""
    await asyncio.to_thread(push_addon, registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
    registry.lie("GET catalogue", registry_faults.status(404))
    bare = await examined(host)
    assert "ADDON_SYNC_REPOSITORIES" in str(bare["registry.catalogue"][0].remedy)
    assert "registry.addons" not in bare
    found = await examined(host, ADDON_SYNC_REPOSITORIES="monitoring,absent")
    assert standing(found, "registry.catalogue") == "ok"
    assert [finding.standing for finding in found["registry.addons"]] == ["ok", "warning"]
    assert found["registry.addons"][0].text == "addons/monitoring v1.0.0"


async def test_addons_that_are_not_told_in_time(
    host: Host, registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are counted."""
    await asyncio.to_thread(push_addon, registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
    registry.lie("GET tags", registry_faults.silent())
    monkeypatch.setattr(registry_checkup, "_ADDONS_SECONDS", 0.2)
    found = await examined(host)
    assert "1 addons were not asked" in found["registry.addons"][0].text


def helper(folder: Path, script: str) -> None:
    program = folder / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


async def test_credentials_of_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by their file; a helper that fails or hangs is named by itself."""
    with FakeRegistry(basic=("robot", SECRET)) as registry:
        docker = tmp_path / "docker"
        docker.mkdir()
        host = Host(tmp_path / "host", registry.url, {"DOCKER_CONFIG": str(docker)})
        authority = registry.url.removeprefix("http://")
        (docker / "config.json").write_text(json.dumps({"credHelpers": {authority: "test"}}))
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        helper(tmp_path, f"""echo '{{"Username": "robot", "Secret": "{SECRET}"}}'""")
        found = await examined(host)
        assert f"takes the credentials from {docker}/config.json" in found["registry.credentials"][0].text
        helper(tmp_path, "exit 3")
        found = await examined(host)
        assert "docker-credential-test has no credentials" in found["registry.credentials"][0].text
        helper(tmp_path, "exec sleep 3")
        monkeypatch.setattr(registry_checkup, "_CREDENTIAL_SECONDS", 0.3)
        found = await examined(host)
        assert "gives no answer" in found["registry.credentials"][0].text
        assert "registry.catalogue" not in found


async def test_a_proxy_and_an_authority_that_are_not_there(host: Host, tmp_path: Path) -> None:
    """Each is told by its setting."""
    away = {"REGISTRY_URL": "oci://registry.invalid", "INSECURE": "false"}
    proxied = await examined(host, **away, ADDON_SYNC_PROXY="http://127.0.0.1:9")
    assert "ADDON_SYNC_PROXY" in str(proxied["registry.connection"][0].remedy)
    unread = await examined(host, **away, ADDON_SYNC_CA_FILE=str(tmp_path / "absent.pem"))
    assert "ADDON_SYNC_CA_FILE cannot be used" in unread["registry.tls"][0].text
