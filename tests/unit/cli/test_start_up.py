"""What the start of a command costs: a scheduled job pays it every few minutes."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
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


@pytest.mark.parametrize("command", ["serve", "sync", "poll", "replay", "status", "doctor", "export", "push", "import"])
def test_help_of_a_command_needs_no_server_and_no_client(command: str) -> None:
    """Whoever asks how to use it does not use it yet."""
    assert loaded(command, "--help") & {"aiohttp", "rich", "prometheus_client", "sqlite3"} == set()


def processor_time(command: list[str], environment: Mapping[str, str]) -> float:
    """User and system time of one process, in seconds: unlike the clock, it hardly grows on a machine that is busy."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # it is awaited; Popen need not
    return used.ru_utime + used.ru_stime


@pytest.mark.skipif(os.name == "nt", reason="wait4 is of POSIX")
def test_a_sync_costs_little_more_than_python_itself(tmp_path: Path, shown: Callable[[object], None]) -> None:
    """The best of five: all that a Job needs to begin, up to a registry that refuses the connection.

    At most 0.4 s of a processor more than an empty program; where that is slow or shared, one and a half times what its
    HTTP client takes to be imported. The two are about the same, because a sync spares the client the certificates of
    the system, and Python most of its looks for cycles.
    """
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("ADDON_SYNC_")},
        "REGISTRY_URL": "oci://127.0.0.1:1",
        "INSECURE": "true",
        "K2S_INSTALL_DIR": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    sync = [sys.executable, "-m", "receiver", "sync", "monitoring"]
    client, empty = ([sys.executable, "-c", text] for text in ("import aiohttp", "pass"))
    runs = [[processor_time(command, environment) for command in (sync, client, empty)] for _ in range(5)]
    ours, imported, bare = map(min, zip(*runs, strict=True))
    shown(f"{ours - bare:.2f} s more than an empty program; its HTTP client alone {imported - bare:.2f} s")
    assert (tmp_path / ".addon-sync").is_dir(), "it has not begun"
    assert ours - bare <= max(0.4, 1.5 * (imported - bare))


def test_the_values_of_a_sync_are_no_dataclasses(tmp_path: Path) -> None:
    """Each would cost half a millisecond at every start; `receiver.document.Value` costs a twentieth of that."""
    ask = (
        "import dataclasses, sys\n"
        "from receiver.cli import main\n"
        "sys.argv = ['addon-sync', *sys.argv[1:]]\n"
        "try:\n    main()\n"
        "finally:\n"
        "    ours = [vars(module) for name, module in list(sys.modules.items()) if name.startswith('receiver.')]\n"
        "    kinds = {kind for names in ours for kind in names.values() if isinstance(kind, type)}\n"
        "    found = sorted(f'{kind.__module__}.{kind.__name__}' for kind in kinds if dataclasses.is_dataclass(kind))\n"
        "    print('dataclasses:', *(name for name in found if name.startswith('receiver.')), file=sys.stderr)\n"
    )
    arguments = ["sync", "hello", "--registry-url", "oci://127.0.0.1:1", "--insecure", "true"]
    command = [sys.executable, "-c", ask, *arguments, "--k2s-install-dir", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert "no connection" in ended.stdout
    assert ended.stderr.rpartition("dataclasses:")[2].split() == []


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
