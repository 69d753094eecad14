"""The page about files names all that is there, and nothing that is not."""

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.support.addons import artifact, push_addon
from tests.support.system import Host, wait_for

pytestmark = pytest.mark.registry
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "files.md"


def documented(path: str) -> Iterator[str]:
    """The names in the first column of the tables that have this heading, as patterns."""
    inside = False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        inside = line.startswith("|") and (inside or line.startswith(f"| {path} |"))
        if inside:
            yield from (re.sub(r"<[^>]+>|…", "*", name) for name in re.findall(r"`([^`]+)`", line.split("|")[1]))


def entries(folder: Path) -> set[str]:
    """All that is in ``folder``, by paths in it; folders end with a slash."""
    found = folder.rglob("*")
    return {f"{path.relative_to(folder).as_posix()}{'/' if path.is_dir() else ''}" for path in found}


def unnamed(found: set[str], patterns: list[str]) -> set[str]:
    """What no pattern covers: itself, a folder above it, or something in it."""
    return {name for name in found if not any(_covers(pattern, name) for pattern in patterns)}


def _covers(pattern: str, name: str) -> bool:
    # As far as both go: a folder above what is named is covered, and so is all that is in it.
    return all(map(fnmatch, name.strip("/").split("/"), pattern.strip("/").split("/")))


@pytest.fixture
def seen(host: Host, site_url: str, tmp_path: Path) -> tuple[set[str], set[str]]:
    """What lay in the state folder, and in the folder of K2s, at any of the moments at which we looked."""
    state: set[str] = set()
    install: set[str] = set()

    def look() -> None:
        state.update(entries(host.state))
        install.update(entries(host.install_dir))

    with host.serve() as serving:
        push_addon(site_url, "monitoring", artifact(tmp_path, addon="monitoring"))
        push_addon(site_url, "ingress-nginx", artifact(tmp_path, addon="ingress", implementation="nginx"))
        assert host.run("poll").returncode == 0
        (host.addons / "monitoring" / "Enable.ps1").write_text("edited")
        look()
        push_addon(site_url, "monitoring", artifact(tmp_path, addon="monitoring", version="v1.1.0"))
        assert host.run("sync").returncode == 0
        wait_for("the backup", lambda: any((host.state / "backups").rglob("Enable.ps1")))
        look()
        assert serving.stop() == 0
        look()
    return state, install


@pytest.fixture
def host(tmp_path: Path, site_url: str) -> Host:
    return Host(tmp_path / "host", site_url)


def test_all_files_are_named_and_all_that_are_named_are_there(seen: tuple[set[str], set[str]]) -> None:
    """While serve runs and after it, with an addon of each layout, an update and an edited file."""
    state, install = seen
    in_state, in_addons = list(documented("in the state folder")), list(documented("in the catalogue"))
    beside = list(documented("beside the catalogue"))
    assert unnamed(state, in_state) == set()
    addons = {name.removeprefix("addons/") for name in install if name.startswith("addons/")} - {""}
    assert unnamed(addons, in_addons) == set()
    assert unnamed(install, beside) == set()
    for found, patterns in ((state, in_state), (addons, in_addons), (install, beside)):
        missing = [pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in found)]
        assert missing == []
