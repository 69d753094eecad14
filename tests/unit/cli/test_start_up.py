"""What the start of a command costs: a scheduled job pays it every few minutes."""

import subprocess
import sys
from pathlib import Path

import pytest

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


def loaded(*arguments: str) -> set[str]:
    command = [sys.executable, "-c", SCRIPT, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
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


@pytest.mark.parametrize("command", ["serve", "sync", "poll", "replay", "status", "doctor"])
def test_help_of_a_command_needs_no_server_and_no_client(command: str) -> None:
    """Whoever asks how to use it does not use it yet."""
    assert loaded(command, "--help") & {"aiohttp", "rich", "prometheus_client", "sqlite3"} == set()
