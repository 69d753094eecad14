"""The registry of ``deploy/compose`` announces pushes: its configuration by environment, taken by the real one."""

from pathlib import Path

import pytest
import yaml

from tests.support.addons import artifact, push_addon
from tests.support.docker_registry import DockerRegistry, free_port
from tests.support.kustomize import DEPLOY
from tests.support.system import TOKEN, Host, wait_for

pytestmark = pytest.mark.registry


def test_the_registry_takes_its_endpoints_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only address and token are put in, as compose does it; a push arrives."""
    port = free_port()
    compose = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text(encoding="utf-8"))
    for name, text in compose["services"]["registry"]["environment"].items():
        token, _, rest = text.partition("${ADDON_SYNC_TOKEN:?")
        filled = token + TOKEN + rest.partition("}")[2] if rest else text
        monkeypatch.setenv(name, filled.replace("http://addon-sync:8080", f"http://127.0.0.1:{port}"))
    with DockerRegistry() as registry:
        host = Host(tmp_path / "host", registry.url)
        with host.serve(port=port):
            digest = push_addon(registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
            wait_for("monitoring is installed", lambda: host.digest("monitoring") == str(digest))
