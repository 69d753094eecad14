"""The tutorial is true: its blocks are typed into terminals in order, and what it shows is what is shown."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.docker_registry import free_port, require_program
from tests.support.tutorial import Step, follow, same, steps

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the tutorial is for Linux")
_PORTS = ("5055", "8055")
"""What the tutorial listens at; another test might do so at the same time, so each run has ports of its own."""


@pytest.fixture
def reader(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a reader who has installed the program, and has nothing of it at home."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, command in (("python3", ""), ("addon-sync", " -m receiver")):
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{command} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    foreign = ("ADDON_SYNC_", "REGISTRY_URL", "INSECURE", "K2S_")
    kept = {key: text for key, text in os.environ.items() if not key.startswith(foreign)}
    home = tmp_path / "home"
    home.mkdir()
    ours = {"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return {**kept, **ours, "PYTHONUNBUFFERED": "1", "COLUMNS": "200", "LC_ALL": "C", "NO_PROXY": "127.0.0.1"}


@pytest.mark.registry
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_tutorial_does_what_it_says(page: Path, reader: Mapping[str, str]) -> None:
    """From nothing to an installed addon, broken and repaired, on a real registry; and nothing is left at home."""
    require_program()
    text = page.read_text(encoding="utf-8")
    ports = {port: str(free_port()) for port in _PORTS}
    assert all(port in text for port in ports)
    text = re.sub("|".join(ports), lambda match: ports[match[0]], text)
    follow(list(steps(text)), reader, ROOT)
    assert list(Path(reader["HOME"]).iterdir()) == []


def test_the_guide_across_an_air_gap_does_what_it_says(reader: Mapping[str, str], tmp_path: Path) -> None:
    """With the sample addon on the one side, and a host without any setting for a registry on the other."""
    maker, host = tmp_path / "maker", tmp_path / "k2s"
    shutil.copytree(ROOT / "scripts" / "sample", maker)
    (maker / "VERSION").write_text("1.4.0\n", encoding="utf-8")
    (host / "addons").mkdir(parents=True)
    text = (ROOT / "docs" / "how-to" / "air-gap.md").read_text(encoding="utf-8").replace("/opt/k2s", str(host))
    follow(list(steps(text)), {**reader, "K2S_INSTALL_DIR": str(maker)}, tmp_path)


def test_there_is_a_tutorial() -> None:
    """A folder that was renamed would leave nothing to be tried."""
    assert [page.stem for page in PAGES] == ["ten-minutes"]


def block(mark: str, text: str) -> str:
    return f"<!-- {mark} -->\n```sh\n{text}\n```\n"


def test_blocks_are_taken_in_order() -> None:
    """With their terminals and exit codes; what is not run is left out."""
    page = block("run", "true") + block("not run: no network", "x") + block("run in: other", "sleep 1")
    page += block("run, exit code 3", "exit 3") + "<!-- interrupt: other -->\n\nText.\n"
    assert list(steps(page)) == [
        Step(verb="run", text="true\n"),
        Step(verb="run", terminal="other", text="sleep 1\n"),
        Step(verb="run", code=3, text="exit 3\n"),
        Step(verb="interrupt", terminal="other"),
    ]


@pytest.mark.parametrize(
    "page", ["```sh\ntrue\n```\n", block("run, with care", "true"), block("run", "true") + "```sh\ntrue\n```\n"]
)
def test_a_block_that_says_not_what_it_is_for_is_seen(page: str) -> None:
    """It would never be tried."""
    with pytest.raises(AssertionError):
        list(steps(page))


@pytest.mark.parametrize(
    ("page", "what"),
    [
        (block("run", "false"), "ended with 1"),
        (block("run", "echo more"), "printed\nmore"),
        (block("run", "true") + block("shows", "something"), "printed"),
        (block("run", "echo one; echo two") + block("shows", "one"), "printed"),
        (block("run, exit code 1", "true"), "ended with 0"),
    ],
)
def test_a_page_that_is_wrong_is_seen(page: str, what: str, reader: Mapping[str, str], tmp_path: Path) -> None:
    """A runner that finds nothing would be green too."""
    with pytest.raises(AssertionError, match=what):
        follow(list(steps(page)), reader, tmp_path)


def test_terminals_keep_what_was_typed(reader: Mapping[str, str], tmp_path: Path) -> None:
    """Variables and folders stay from block to block; Ctrl-C ends what runs, and the terminal goes on."""
    program = f"{shlex.quote(sys.executable)} -c 'import signal; signal.signal(2, lambda *_: exit(0)); "
    program += 'print("up", flush=True); signal.pause()\''
    page = block("run", "mkdir a; cd a; x=1") + block("run", "basename $PWD; echo $x") + block("shows", "a\n1")
    page += block("run in: other", program) + block("shows in: other", "up") + "<!-- interrupt: other -->\n"
    page += block("run in: other", "echo again") + block("shows in: other", "again")
    follow(list(steps(page)), reader, tmp_path)


@pytest.mark.parametrize(
    ("expected", "printed", "alike"),
    [
        ("as sha256:5d76d9f75735", "as sha256:0123456789ab", True),
        ("2026-11-22 12:00:00 [AddonSync] 2 s ago", "2027-01-01 00:00:01 [AddonSync] 13 s ago", True),
        ("A  STATE\nx  current", "A       STATE\nx       current", True),
        ("… needs …", "it needs this", True),
        ("14 files", "15 files", False),
        ("v1.0.0", "v1.0.1", False),
        ("one", "one\ntwo", False),
        ("a.c", "abc", False),
    ],
)
def test_values_may_differ_and_words_may_not(expected: str, printed: str, alike: bool) -> None:
    """Digests, times and sizes are the reader's own; a count, a version and a word are not."""
    assert same(expected, printed) is alike
