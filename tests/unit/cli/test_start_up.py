"""What the start of a command costs: a scheduled job pays it every few minutes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.addons import files, manifest_yaml, write_tree

ROOT = Path(__file__).parents[3]
HEAVY = ("aiohttp", "rich", "prometheus_client", "sqlite3", "isal", "tenacity", "aiofiles")
SCRIPT = """
import sys
from receiver.cli import main
sys.argv = ["addon-sync", *sys.argv[1:]]
try:
    main()
finally:
    print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def loaded(*arguments: str, check: bool = True) -> set[str]:
    command = [sys.executable, "-c", SCRIPT, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=check)
    return set(ended.stderr.rpartition("loaded:")[2].split())


def test_help_loads_no_settings_and_no_server() -> None:
    """Not even YAML or the words of an addon."""
    assert loaded("--help") & {*HEAVY, "asyncio", "yaml", "msgspec", "semver", "filelock"} == set()


@pytest.mark.parametrize("output", ["text", "json"])
def test_ls_loads_what_reads_the_catalogue_only(tmp_path: Path, output: str) -> None:
    """No client, no server, no queue, and no tables for terminals where there is none."""
    found = loaded("ls", "--k2s-install-dir", str(tmp_path), "--output", output)
    assert found & {*HEAVY, "filelock"} == set()
    assert "yaml" in found


@pytest.mark.parametrize("command", ["serve", "sync", "poll", "replay", "status", "export", "push", "import"])
def test_help_of_a_command_needs_no_server_and_no_client(command: str) -> None:
    """Whoever asks how to use it does not use it yet."""
    assert loaded(command, "--help") & {"aiohttp", "rich", "prometheus_client", "sqlite3"} == set()


def test_export_loads_what_packs_only(tmp_path: Path) -> None:
    """No client, no server, no queue, no event loop."""
    write_tree(tmp_path / "addons/hello", {**files(), "addon.manifest.yaml": manifest_yaml("hello", "hello")})
    found = loaded("export", "--k2s-install-dir", str(tmp_path), "-d", str(tmp_path), "--omit-images")
    assert found & {*HEAVY, "filelock", "asyncio"} == set()


def test_push_loads_the_client_and_no_catalogue(tmp_path: Path) -> None:
    """Also where it gets as far as the registry, which is not there."""
    write_tree(tmp_path / "addons/hello", {**files(), "addon.manifest.yaml": manifest_yaml("hello", "hello")})
    loaded("export", "--k2s-install-dir", str(tmp_path), "-d", str(tmp_path), "--omit-images", "--k2s-version", "1")
    archive = tmp_path / "K2s-1-addons-all.oci.tar"
    found = loaded("push", str(archive), "127.0.0.1:9", "--insecure", "true", check=False)
    assert found & {"sqlite3", "yaml", "rich", "prometheus_client", "isal"} == set()
    assert "aiohttp" in found


def test_a_sync_does_not_load_what_packs() -> None:
    """Neither tarfile nor the reader of archives: a scheduled job has no use for them."""
    command = [sys.executable, "-c", "import sys, receiver.app; print(*sys.modules)"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True).stdout.split()
    assert {name for name in found if name == "tarfile" or name.startswith("receiver.packaging.")} <= {
        "receiver.packaging.ports"
    }
