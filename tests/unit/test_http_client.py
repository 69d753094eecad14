"""aiohttp comes without certificates that nobody asked for, and nothing else loses any."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

RECEIVER = Path(__file__).parents[2] / "receiver"
SCRIPT = """
import ssl, sys
found = []
real = ssl.SSLContext.load_default_certs
ssl.SSLContext.load_default_certs = lambda *a, **k: found.append(a)
import {module}
assert "aiohttp.connector" in sys.modules
print(len(found))
"""


@pytest.mark.parametrize(("module", "times"), [("aiohttp", 1), ("receiver.app", 0)])
def test_no_certificates_are_read_before_they_are_needed(module: str, times: int) -> None:
    """Where aiohttp stops to do so by itself, the first case says that the module can go."""
    command = [sys.executable, "-c", SCRIPT.format(module=module)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=RECEIVER.parent, timeout=60, check=True)
    assert int(ended.stdout) == times


def test_a_context_made_afterwards_has_certificates() -> None:
    """The methods of the standard library are back."""
    script = "import ssl; c = ssl.SSLContext; was = dict(vars(c)); import receiver.app; print(was == dict(vars(c)))"
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=RECEIVER.parent, timeout=60, check=True)
    assert ended.stdout.strip() == "True"


def test_the_client_is_imported_in_one_place() -> None:
    """Another place might be the first, and would pay."""
    direct = re.compile(r"^\s*import aiohttp$", re.MULTILINE)
    found = {path.name for path in RECEIVER.rglob("*.py") if direct.search(path.read_text(encoding="utf-8"))}
    assert found == {"http_client.py"}
