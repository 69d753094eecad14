"""The whole way on Windows' own Python, run by Wine: what differs from Linux is no longer only simulated.

Not shown by it: links, access lists and what virus scanners do; see `tests.support.windows`.
"""

import os
import random
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import scripts.package
from receiver import __version__
from tests.e2e.conftest import Site
from tests.e2e.test_export_push_import import LEAVES, catalogue, export, same_catalogue
from tests.support.docker_registry import DockerRegistry, Notify, free_port
from tests.support.system import TOKEN, Host, wait_for
from tests.support.windows import ROOT, WINDOWS, WindowsHost, python, wine_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SCRIPT = "Enable.ps1"


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[Site]:
    """A registry that announces its pushes to a host with Windows."""
    python()
    port = free_port()
    notify = Notify(url=f"http://127.0.0.1:{port}/v1/notifications", token=TOKEN)
    with DockerRegistry(notify=notify) as registry:
        yield Site(registry=registry, host=WindowsHost(tmp_path / "windows", registry.url), port=port)


@pytest.fixture
def source(tmp_path: Path) -> Host:
    """Where addons are packed."""
    host = Host(tmp_path / "source", "http://127.0.0.1:9")
    catalogue(host.install_dir)
    return host


def push(source: Host, registry: DockerRegistry, tag: str, *addons: str) -> None:
    """Pack and push ``addons``, or all, with a script that says ``tag``."""
    (source.addons / "monitoring" / SCRIPT).write_text(f"# {tag}\n", encoding="utf-8")
    for old in (source.root / "out").glob("*"):
        old.unlink()
    done = source.run("push", str(export(source, *addons)), registry.authority, "--tag", tag)
    assert done.returncode == 0, done.stdout + done.stderr


def said(host: Host, *words: str, code: int = 0) -> str:
    done = host.run(*words)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.mark.registry
def test_from_push_to_installed(windows: Site, source: Host) -> None:
    """Pushes are announced and installed; the trees are equal, and every answer works beside serve and without it."""
    host = windows.host
    with windows.serve() as serve:
        push(source, windows.registry, "v1.0.0", "--all")
        wait_for("all", lambda: all(host.digest(leaf) for leaf in LEAVES), seconds=60)
        assert same_catalogue(source.addons, host.addons)
        assert {row["standing"] for row in host.json("status")} == {"current"}
        push(source, windows.registry, "v1.1.0", "monitoring")
        script = host.addons / "monitoring" / SCRIPT
        wait_for("the update", lambda: script.is_file() and script.read_bytes() == b"# v1.1.0\n", seconds=60)
        assert "another addon-sync serve" in said(host, "serve", code=2)
        assert ", 0 broken" in said(host, "doctor")
        assert not [line for line in serve.lines if "ERROR" in line or "Traceback" in line]
    assert "v1.1.0" in said(host, "why", "monitoring")
    assert "no push was missed" in said(host, "missed")


@pytest.mark.registry
def test_what_an_operator_does(windows: Site, source: Host) -> None:
    """Without serve: back and forth between releases, repaired, uninstalled; an own file stays."""
    host = windows.host
    for tag in ("v1.0.0", "v1.1.0"):
        push(source, windows.registry, tag, "--all")
        assert "Failed: 0" in said(host, "sync")
    script, own = host.addons / "monitoring" / SCRIPT, host.addons / "monitoring" / "own.txt"
    own.write_text("mine", encoding="utf-8")
    assert "rolled back to v1.0.0" in said(host, "rollback", "monitoring")
    assert script.read_bytes() == b"# v1.0.0\n"
    said(host, "release", "monitoring")
    said(host, "sync", "monitoring")
    assert script.read_bytes() == b"# v1.1.0\n"
    script.write_bytes(b"edited\r\n")
    said(host, "verify", "monitoring", code=1)
    said(host, "verify", "monitoring", "--repair")
    assert script.read_bytes() == b"# v1.1.0\n"
    said(host, "uninstall", "monitoring")
    assert (script.exists(), own.read_text(encoding="utf-8")) == (False, "mine")


@pytest.mark.registry
def test_a_killed_receiver_ends_with_the_release_that_was_pushed_last(
    windows: Site, source: Host, seeded: random.Random
) -> None:
    """At any moment of an installation: two renames, and an instant between them that the next start mends."""
    host = windows.host
    script = host.addons / "monitoring" / SCRIPT
    for number in range(12):
        with windows.serve() as serve:
            push(source, windows.registry, f"v1.{number}.0", "monitoring")
            time.sleep(seeded.uniform(0, 1.5))  # that moment is the point
            serve.kill()
    with windows.serve():
        wait_for("the last", lambda: script.is_file() and script.read_bytes() == b"# v1.11.0\n", seconds=60)
        wait_for("an empty desk", lambda: not list((host.state / "transactions").glob("*")), seconds=60)
    assert "0 files differ" in said(host, "verify")


@pytest.mark.registry
def test_the_folder_that_is_brought_to_hosts_is_all_that_is_needed(
    windows: Site, source: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`./scripts/package windows`, where the Jobs of addons look for it, below a folder with a blank in its name."""
    embedded = tmp_path / "python-embed.zip"
    with zipfile.ZipFile(embedded, "w") as package:
        for file in (WINDOWS / "python").iterdir():
            if file.is_file():
                package.write(file, file.name)
    folder = scripts.package.windows(embedded, tmp_path / "dist").with_name("windows")
    host = WindowsHost(tmp_path / "a host", windows.registry.url)
    program = host.install_dir / "bin" / "addon-sync" / "addon-sync.exe"
    shutil.copytree(folder, program.parent)
    monkeypatch.setattr(WindowsHost, "command", lambda _, *words: [python()[0], str(program), *words])
    assert said(host, "--version").strip() == f"addon-sync, version {__version__}"
    push(source, windows.registry, "v1.0.0", "--all")
    assert "Synced: 4" in said(host, "sync")
    assert same_catalogue(source.addons, host.addons)
    assert "Skipped (unchanged): 4" in said(host, "poll")
    said(host, "sync", "nobody", code=1)
    said(host, "sync", "--no-such-flag", code=2)


_LINKS = "Wine makes no symbolic links"
_MODES = "of POSIX: modes, descriptors of folders, syncfs"
_SCHEMA = "jsonschema-rs needs bcryptprimitives.ProcessPrng, of Windows 8 and of Wine 9"
_LENGTHS = "temporary folders are long enough to reach Windows' limit of a path themselves"
_ALIKE = "the file system does not tell upper case from lower case"
GROUPS: dict[str, tuple[Sequence[str], dict[str, str]]] = {
    "hazards": (
        ["tests/fault/hazards"],
        {"A17 and limit": _LENGTHS, "G22 and whole": _LENGTHS, "G15 and both": _ALIKE},
    ),
    "catalogue": (
        ["tests/unit/catalog"],
        {
            "test_schema": _SCHEMA,
            "schema_is_asked": _SCHEMA,
            "schema_refuses": _SCHEMA,
            "link": _LINKS,
            "what_appeared_after_staging": _LINKS,
            "created_and_never_opened": _LINKS,
            "folder_that_is_gone_is_one_line": _LINKS,
            "elsewhere_a_refusal_is_final": _MODES,
            "second_rename_that_fails": _MODES,
            "syncfs": _MODES,
            "file_is_replaced_whole": _MODES,
            "replaced_file_is_readable": _MODES,
            "modes_are_ours": _MODES,
            "files_are_written_as_they_are": _MODES,
        },
    ),
    "queue and sync": (
        ["tests/unit/tasks", "tests/unit/sync", "tests/contract/test_task_queue.py", "tests/contract/test_journal.py"],
        {},
    ),
    "registry": (["tests/unit/registry", "tests/unit/oci", "tests/unit/webhook"], {"decoding_is_total": "slow"}),
    "server": (["tests/unit/server", "tests/unit/test_lock.py"], {}),
}
"""Folders of tests, and what of them cannot hold there, as an expression of pytest, and why."""


@pytest.mark.parametrize("group", GROUPS)
def test_the_tests_hold_there_too(group: str) -> None:
    """The same tests, run there."""
    folders, without = GROUPS[group]
    keep = " and ".join(f"not ({expression})" for expression in without)
    options = ["-q", "-p", "no:cacheprovider", "-o", "timeout=120", "--tb=short", *(["-k", keep] if keep else [])]
    done = subprocess.run(
        [*python(), "-m", "pytest", *options, *folders],
        cwd=ROOT,
        env={**os.environ, **wine_settings(), "CI": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout
