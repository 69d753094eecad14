"""A receiver that speaks TLS: the real registry reaches it, and so do the commands of its host."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.addons import artifact, push_addon
from tests.support.authority import Authority
from tests.support.docker_registry import DockerRegistry, Notify, free_port
from tests.support.system import TOKEN, Host, wait_for

pytestmark = pytest.mark.registry


def test_a_push_arrives_over_tls_and_commands_work_through_the_receiver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry trusts our authority; commands need no certificate; what is rotated badly is told and survived."""
    authority = Authority(tmp_path)
    pair = authority.sign("receiver")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.cert))  # where Go looks for authorities
    port = free_port()
    notify = Notify(url=f"https://127.0.0.1:{port}/v1/notifications", token=TOKEN)
    with DockerRegistry(notify=notify) as registry:
        host = Host(tmp_path / "host", registry.url)
        with host.serve(port, ADDON_SYNC_TLS_CERT=str(pair.cert), ADDON_SYNC_TLS_KEY=str(pair.key)) as serving:
            assert serving.url == f"https://127.0.0.1:{port}"
            first = push_addon(registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
            wait_for("it is installed", lambda: host.digest("monitoring") == str(first))

            note = json.loads((host.state / "engine.json").read_text())
            assert note["pid"] == serving.pid
            assert note["url"].startswith("http://127.0.0.1:")
            assert host.run("poll").returncode == 0
            assert [row["standing"] for row in host.json("status")] == ["current"]

            shutil.copy(tmp_path / "receiver.csr", pair.cert)
            serving.wait_for_line(rf"\[ERROR\] ADDON_SYNC_TLS_CERT '{pair.cert}' .* stays in use", seconds=60)
            assert host.run("poll").returncode == 0
            assert serving.stop() == 0


@pytest.mark.parametrize("missing", ["CERT", "KEY", "CLIENT_CA"])
def test_a_file_that_is_not_there_ends_the_start_with_its_name(tmp_path: Path, missing: str) -> None:
    """Never plain HTTP instead of TLS, never everybody instead of some."""
    pair = Authority(tmp_path).sign("receiver")
    files = {"CERT": pair.cert, "KEY": pair.key, "CLIENT_CA": tmp_path / "authority-authority.pem"}
    files[missing] = tmp_path / "absent.pem"
    settings = {f"ADDON_SYNC_TLS_{name}": str(path) for name, path in files.items()}
    done = Host(tmp_path / "host", "http://127.0.0.1:1", settings).run("serve")
    assert done.returncode == 2
    assert f"ADDON_SYNC_TLS_{missing} '{files[missing]}' cannot be read: {os.strerror(2)}" in done.stdout
