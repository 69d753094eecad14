"""The two commands of a newcomer: what they do when something is missing, fails, or was done already."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from receiver.catalog.manifest import AddonManifest
from receiver.oci import media
from receiver.oci.manifest import Manifest, parse_manifest
from receiver.oci.reference import RegistryAddress
from receiver.packaging.artifact import build
from receiver.registry.auth import Credentials
from scripts import children, quickstart, registries, sample_addon
from scripts.children import Child, Failed
from scripts.registries import Endpoint, Running

ROOT = Path(__file__).parents[2]
EXECUTABLES = ["scripts/quickstart", "scripts/test", ".ci/run"]
ENDPOINT = Endpoint(url="http://127.0.0.1:4711/v1/notifications", token="secret")
NOTIFYING = Running(title="x", address=RegistryAddress.parse("http://127.0.0.1:5", insecure=True))
posix = pytest.mark.skipif(os.name == "nt", reason="shell scripts for Linux")
NEEDED = (
    "bash", "cat", "chmod", "dirname", "env", "flock", "mkdir", "mktemp", "mv", "rm", "sha256sum", "tee", "timeout",
    "touch",
)  # fmt: skip
"""What a script needs to run at all."""
PYTHONS = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"]


# ---- the shell part ----


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the shell scripts read."""
    folder = tmp_path / "checkout"
    for name in [*EXECUTABLES, "scripts/environment.sh", "pyproject.toml"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


class Machine:
    """A machine with the programs that a test gives it, before the real ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.program("id", "echo 1000")
        self.program("sudo", "exit 1")
        for name in PYTHONS:
            self.program(name, "exit 1")

    def program(self, name: str, body: str, *, folder: Path | None = None) -> None:
        path = (folder or self.folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def run(self, checkout: Path, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", str(checkout / script), *arguments]
        path = f"{self.folder}:/usr/bin:/bin"
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60, env={"PATH": path, **environment}
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "bin")


@posix
@pytest.mark.parametrize("name", EXECUTABLES)
def test_what_is_called_by_name_has_its_run_bit(name: str) -> None:
    """A clone that has lost it answers 'Permission denied' to the first command of the README."""
    assert (ROOT / name).stat().st_mode & stat.S_IXUSR
    assert (ROOT / name).read_bytes().startswith(b"#!/usr/bin/env bash\n")


@posix
def test_without_a_python_that_is_new_enough_it_says_how_to_get_one(machine: Machine, checkout: Path) -> None:
    """One answer for each distribution that people have."""
    result = machine.run(checkout, "scripts/quickstart", "--once")
    assert result.returncode == 2
    assert "Python 3.11 or later is missing" in result.stderr
    assert "apt-get install python3 python3-venv" in result.stderr


@posix
def test_without_venv_it_names_the_package(machine: Machine, checkout: Path) -> None:
    """Debian's Python comes without; the package has the name of the interpreter."""
    machine.program("python3.12", 'case "$2" in *version_info*) exit 0;; esac; exit 1')
    result = machine.run(checkout, "scripts/quickstart", "--once")
    assert result.returncode == 2
    assert "sudo apt-get install python3.12-venv" in result.stderr


@posix
def test_an_unknown_argument_starts_nothing(machine: Machine, checkout: Path) -> None:
    """It is refused before anything is made."""
    result = machine.run(checkout, "scripts/quickstart", "--onec")
    assert result.returncode == 2
    assert "usage" in result.stderr
    assert not (checkout / ".venv").exists()


@contextmanager
def made(machine: Machine, checkout: Path) -> Iterator[Path]:
    """An environment whose Python writes down what it is asked; its log."""
    log = checkout / "python.log"
    body = f'[ "$1" = --version ] && echo Python 3.11.2 || echo "$*" >>{log}; [ "$1" = - ] && cat >/dev/null; exit 0'
    machine.program("python", body, folder=checkout / ".venv" / "bin")
    (checkout / ".venv" / ".made").touch()
    for name in ("docker-registry", "promtool", "prometheus", "chromium", "npm"):
        machine.program(name, "exit 0")
    yield log


@posix
def test_a_second_run_installs_nothing(machine: Machine, checkout: Path) -> None:
    """It starts within seconds; a changed pyproject.toml is installed again. What is installed is compiled, too."""
    with made(machine, checkout) as log:
        machine.run(checkout, "scripts/quickstart", "--once")
        assert log.read_text(encoding="utf-8").count("pip install") == 1
        machine.run(checkout, "scripts/quickstart", "--once")
        assert log.read_text(encoding="utf-8").count("pip install") == 1
        with (checkout / "pyproject.toml").open("a", encoding="utf-8") as file:
            file.write("# changed\n")
        machine.run(checkout, "scripts/quickstart", "--once")
        assert log.read_text(encoding="utf-8").count("pip install") == 2
        assert log.read_text(encoding="utf-8").count("-m compileall -q receiver") == 2
        assert log.read_text(encoding="utf-8").count("-m scripts.quickstart --once") == 3


@posix
def test_an_installation_that_failed_is_tried_again(machine: Machine, checkout: Path) -> None:
    """Also where pyproject.toml is again what it was before: half of the other may be installed."""
    with made(machine, checkout):
        assert "installing the project" in machine.run(checkout, "scripts/quickstart", "--once").stdout
        project, interpreter = checkout / "pyproject.toml", checkout / ".venv" / "bin" / "python"
        declared, working = project.read_bytes(), interpreter.read_bytes()
        project.write_bytes(declared + b"# changed\n")
        machine.program("python", '[ "$2" != pip ]', folder=interpreter.parent)
        result = machine.run(checkout, "scripts/quickstart", "--once")
        assert result.returncode == 2
        assert "pip could not install" in result.stderr
        project.write_bytes(declared)
        interpreter.write_bytes(working)
        assert "installing the project" in machine.run(checkout, "scripts/quickstart", "--once").stdout


@posix
def test_an_environment_whose_interpreter_is_gone_is_made_anew(machine: Machine, checkout: Path) -> None:
    """An upgrade of the system takes the interpreter away that .venv points at."""
    with made(machine, checkout):
        (checkout / ".venv" / "bin" / "python").unlink()
        (checkout / ".venv" / "bin" / "python").symlink_to("/nowhere/python3.11")
        result = machine.run(checkout, "scripts/quickstart", "--once")
    assert "Python 3.11 or later is missing" in result.stderr


@posix
@pytest.mark.parametrize(
    ("ruff", "pytest_status", "expected", "last"),
    [(0, 0, 0, "1 passed"), (0, 1, 1, "1 passed"), (1, 0, 1, "ruff format"), (1, 5, 5, "ruff format")],
)
def test_the_exit_code_tells_of_any_failure(
    machine: Machine, checkout: Path, ruff: int, pytest_status: int, expected: int, last: str
) -> None:
    """And the last line is pytest's own, unless something before it failed."""
    tools = checkout / ".venv" / "bin"
    with made(machine, checkout):
        machine.program("ruff", f"exit {ruff}", folder=tools)
        machine.program("mypy", "exit 0", folder=tools)
        machine.program("shellcheck", "exit 0")
        machine.program(
            "pytest", f'echo "$*" >{checkout}/pytest.log; echo "1 passed"; exit {pytest_status}', folder=tools
        )
        result = machine.run(checkout, ".ci/run", "--slow", "-k", "x")
    assert result.returncode == expected
    assert last in result.stdout.splitlines()[-1]
    assert (checkout / "pytest.log").read_text(encoding="utf-8").strip() == "-n 2 --slow -k x"


@posix
def test_missing_components_are_named_and_do_not_stop_the_tests(machine: Machine, checkout: Path) -> None:
    """Without root, and without a package mirror: fewer components, and a word on each."""
    with made(machine, checkout):
        for name in ("docker-registry", "promtool", "prometheus", "chromium", "npm"):
            (machine.folder / name).unlink()
        machine.program("apt-get", "exit 100")
        for name in ("ruff", "mypy", "shellcheck", "pytest"):
            machine.program(name, "exit 0", folder=checkout / ".venv" / "bin")
        # Only what a script needs to run at all: this machine may have the components.
        for name in NEEDED:
            found = shutil.which(name)
            if found:
                (machine.folder / name).symlink_to(found)
        environment = {"PATH": str(machine.folder), "TMPDIR": str(checkout)}
        result = machine.run(checkout, "scripts/test", **environment)
    assert result.returncode == 0, result.stderr
    assert "sudo apt-get install skopeo umoci libarchive-tools systemd chromium" in result.stdout
    assert "axe-core could not be fetched" in result.stdout
    assert "definitions of custom resources could not be fetched" in result.stdout


@posix
def test_a_python_for_windows_that_was_not_fetched_is_not_taken_for_one(machine: Machine, checkout: Path) -> None:
    """The next run fetches it again, and its tests are skipped until then."""
    with made(machine, checkout):
        machine.program("wine", "exit 0")
        machine.program("pip", "echo 'no such hash' >&2; exit 1", folder=checkout / ".venv" / "bin")
        command = f". {checkout}/scripts/environment.sh; get_windows && echo there"
        (checkout / "asked").write_text(command, encoding="utf-8")
        result = machine.run(checkout, "asked")
    assert "there" not in result.stdout.split()
    assert "no such hash" in result.stdout
    assert not (checkout / ".cache" / "windows" / ".made").exists()


@posix
def test_a_component_is_unpacked_once_and_found_by_the_tests(machine: Machine, checkout: Path) -> None:
    """Installing Prometheus would start a service; its package is only opened, and stays for the next run."""
    with made(machine, checkout):
        for name in ("promtool", "prometheus"):
            (machine.folder / name).unlink()
        machine.program("apt-get", f'echo "$*" >>{checkout}/apt.log; touch prometheus_2_amd64.deb')
        fill = 'for name in promtool prometheus; do echo >"$3/usr/bin/$name"; chmod +x "$3/usr/bin/$name"; done'
        machine.program("dpkg-deb", f'mkdir -p "$3/usr/bin"; {fill}')
        for name in ("skopeo", "bsdtar", "shellcheck"):
            machine.program(name, "exit 0")
        for name in ("ruff", "mypy"):
            machine.program(name, "exit 0", folder=checkout / ".venv" / "bin")
        machine.program("pytest", "command -v promtool", folder=checkout / ".venv" / "bin")
        # The real one of this machine, if it has one, must not be found.
        for name in NEEDED:
            if found := shutil.which(name):
                (machine.folder / name).symlink_to(found)
        results = [machine.run(checkout, "scripts/test", PATH=str(machine.folder)) for _ in range(2)]
    expected = str(checkout / ".cache" / "prometheus" / "usr" / "bin" / "promtool")
    assert [result.stdout.splitlines()[-1] for result in results] == [expected] * 2, results
    assert (checkout / "apt.log").read_text(encoding="utf-8").count("download prometheus") == 1
    assert [path.name for path in (checkout / ".cache").iterdir() if path.name.startswith("unpack")] == []


# ---- the rules for every test ----

_TESTS = """
import pytest

def test_plain() -> None: ...

@pytest.mark.slow
def test_slow() -> None: ...
"""
_SKIPPED = """
import pytest

def test_misses_something() -> None:
    pytest.skip("no such component")
"""


def run_pytest(folder: Path, source: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "conftest.py")
    (folder / "test_it.py").write_text(source, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow\n", encoding="utf-8")
    inherited = {key: text for key, text in os.environ.items() if not key.startswith(("CI", "PYTEST", "ADDON_SYNC"))}
    # Plugins cost seconds to load, and no rule of ours depends on them.
    given = {**inherited, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-ra", *arguments, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=given, cwd=folder)


def test_slow_tests_run_when_asked_for(tmp_path: Path) -> None:
    """Otherwise they are deselected, which is no skip."""
    assert "1 passed, 1 deselected" in run_pytest(tmp_path, _TESTS).stdout
    assert "2 passed" in run_pytest(tmp_path, _TESTS, "--slow").stdout


def test_a_skip_is_a_failure_in_ci_only(tmp_path: Path) -> None:
    """A machine for tests that misses a component must not look green."""
    assert run_pytest(tmp_path, _SKIPPED).returncode == 0
    result = run_pytest(tmp_path, _SKIPPED, CI="true")
    assert result.returncode == 1
    assert "no such component" in result.stdout
    assert "skipped tests count as failures" in result.stdout
    assert run_pytest(tmp_path, _TESTS, CI="true").returncode == 0


def test_a_skip_in_a_worker_counts_too(tmp_path: Path) -> None:
    """Tests run in several processes, and only the first of them decides the exit code."""
    assert run_pytest(tmp_path, _SKIPPED, "-p", "xdist", "-n", "1", CI="true").returncode == 1


def test_the_seed_is_told_and_can_be_given(tmp_path: Path) -> None:
    """A failure by chance can be repeated."""
    source = "def test_seed(seeded) -> None:\n    print('drew', seeded.random())\n"
    first, second = (run_pytest(tmp_path, source, "-s", ADDON_SYNC_TEST_SEED="7").stdout for _ in range(2))
    assert "seed: 7" in first
    drawn = [line for line in first.splitlines() if "drew" in line]
    assert drawn
    assert drawn == [line for line in second.splitlines() if "drew" in line]


# ---- the quickstart's parts ----


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "child.log"


def python(code: str, log: Path) -> Child:
    child = Child("the child", [sys.executable, "-c", code], log=log, environment=dict(os.environ))
    child.start()
    return child


def test_a_child_that_ends_is_reported_with_what_it_said_last(log: Path) -> None:
    """Its log lies in a folder that will be gone."""
    child = python("print('config is wrong'); raise SystemExit(3)", log)
    with pytest.raises(Failed, match="exit code 3") as caught:
        child.until(lambda: False, seconds=30, what="readiness")
    assert "config is wrong" in caught.value.log


def test_waiting_has_an_end(log: Path) -> None:
    """What never happens is told as such, and the child can still be ended."""
    child = python("import time; time.sleep(60)", log)
    try:
        with pytest.raises(Failed, match="an answer did not happen"):
            child.until(lambda: False, seconds=0.05, what="an answer")
    finally:
        child.stop()
    assert not child.running


@posix
def test_a_child_that_ignores_the_request_is_ended_by_force(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was started stays."""
    monkeypatch.setattr(children, "_GRACE", 0.1)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    child = python(code, log)
    child.until(lambda: "up" in child.tail(), seconds=30, what="the child's start")
    child.stop()
    assert child.exit_code == -signal.SIGKILL


@posix
def test_a_signal_while_a_child_starts_finds_it_started(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the process would be there, and nobody would know of it."""
    popen = subprocess.Popen

    def interrupted(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        signal.raise_signal(signal.SIGINT)
        return popen(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    child = Child("the child", ["sleep", "60"], log=log, environment=dict(os.environ))
    with pytest.raises(KeyboardInterrupt):
        child.start()
    assert child.running
    child.stop()
    assert not child.running


def test_a_child_that_never_started_needs_no_end(log: Path) -> None:
    """Clearing up is arranged before anything is started."""
    Child("the child", ["x"], log=log, environment={}).stop()


def test_lines_are_shown_once_and_whole(log: Path) -> None:
    """Half a line waits for its end."""
    child = python("import sys, time; print('one'); print('two', end='', flush=True); time.sleep(60)", log)
    try:
        child.until(lambda: "two" in child.tail(), seconds=30, what="two lines")
        assert list(child.new_lines()) == ["one"]
        assert list(child.new_lines()) == []
    finally:
        child.stop()


def test_the_snippet_for_a_registry_of_ones_own_is_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Durations carry a unit (a bare number is nanoseconds), and blobs are not announced."""
    endpoint = yaml.safe_load(registries.snippet(ENDPOINT))["notifications"]["endpoints"][0]
    assert endpoint["url"] == ENDPOINT.url
    assert endpoint["headers"] == {"Authorization": ["Bearer secret"]}
    assert (endpoint["timeout"], endpoint["backoff"]) == ("2s", "1s")
    assert endpoint["ignore"] == {"mediatypes": ["application/octet-stream"], "actions": ["pull", "mount"]}


@pytest.mark.parametrize(
    ("installed", "engine", "expected"),
    [
        (["docker-registry", "docker"], 0, ["packaged", "docker", "small"]),
        (["docker"], 0, ["docker", "small"]),
        (["docker"], 1, ["small"]),
        ([], 0, ["small"]),
    ],
)
def test_the_best_registry_is_tried_first(
    monkeypatch: pytest.MonkeyPatch, installed: list[str], engine: int, expected: list[str]
) -> None:
    """The distribution's, Docker's where an engine answers, and at last the one of the tests."""
    monkeypatch.setattr(shutil, "which", lambda name: name if name in installed else None)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], engine))
    assert [kind.__name__ for _, kind in registries.available()] == expected


def test_a_registry_that_does_not_start_makes_room_for_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And it is said why."""

    def broken(*_: object) -> AbstractContextManager[Running]:
        raise Failed("no such image", log="pull access denied")

    @contextmanager
    def works(*_: object) -> Iterator[Running]:
        yield NOTIFYING

    monkeypatch.delenv("REGISTRY_URL", raising=False)
    monkeypatch.setattr(registries, "available", lambda: [("the first", broken), ("the second", works)])
    with ExitStack() as stack:
        assert quickstart._registry(stack, 1, ENDPOINT, tmp_path) is NOTIFYING
    said = capsys.readouterr().out
    assert "the first does not start here" in said
    assert "pull access denied" in said


def test_settings_of_the_operator_do_not_change_the_story(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is needed to reach their registry stays, where it is theirs that is used."""
    monkeypatch.setenv("REGISTRY_URL", "https://registry.example.com")
    monkeypatch.setenv("ADDON_SYNC_STATE_DIR", "/somewhere")
    monkeypatch.setenv("ADDON_SYNC_TOKEN", "theirs")
    monkeypatch.setenv("ADDON_SYNC_REGISTRY_USERNAME", "reader")
    environment = quickstart._environment({"K2S_INSTALL_DIR": "/x"})
    assert "ADDON_SYNC_STATE_DIR" not in environment
    assert "ADDON_SYNC_TOKEN" not in environment
    assert environment["ADDON_SYNC_REGISTRY_USERNAME"] == "reader"
    assert environment["K2S_INSTALL_DIR"] == "/x"
    monkeypatch.delenv("REGISTRY_URL")
    assert "ADDON_SYNC_REGISTRY_USERNAME" not in quickstart._environment({})


def test_a_registry_that_others_use_is_polled_and_its_addons_are_left_alone(tmp_path: Path) -> None:
    """Other hosts watch ``addons/`` there: the sample must not reach them."""
    address = RegistryAddress.parse("https://registry.example.com", insecure=False)
    registry = Running(title="yours", address=address, notifies=False)
    settings = quickstart._settings(tmp_path, registry, ENDPOINT, port=1, prefix=quickstart._FOREIGN_PREFIX)
    assert settings["ADDON_SYNC_POLL_INTERVAL"] == "2s"
    assert settings["ADDON_SYNC_REPOSITORIES"] == "addon-sync-quickstart/hello"
    assert settings["INSECURE"] == "false"


def test_the_credential_goes_to_the_registry_that_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not to the one that the quickstart started."""
    monkeypatch.setenv("ADDON_SYNC_REGISTRY_USERNAME", "writer")
    monkeypatch.setenv("ADDON_SYNC_REGISTRY_PASSWORD", "secret")
    monkeypatch.delenv("REGISTRY_URL", raising=False)
    assert quickstart._credentials() is None
    monkeypatch.setenv("REGISTRY_URL", "https://registry.example.com")
    assert quickstart._credentials() == Credentials(username="writer", password="secret")


def test_a_second_signal_does_not_disturb_the_clearing_up() -> None:
    """Impatience must not leave a process or a folder behind."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        quickstart._finish_undisturbed()
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == [signal.SIG_IGN] * 2
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


# ---- the sample ----


def test_the_sample_has_something_for_every_layer(tmp_path: Path) -> None:
    """It shows what an addon may hold, and a receiver unpacks all of it."""
    artifact = build(
        sample_addon.FOLDER,
        name=sample_addon.NAME,
        implementation=sample_addon.NAME,
        version="v1.0.0",
        created=datetime(2026, 11, 22, tzinfo=UTC),
        scratch=tmp_path,
    )
    manifest = parse_manifest(artifact.manifest, artifact.media_type)
    assert isinstance(manifest, Manifest)
    layers = [layer.media_type for layer in manifest.layers]
    assert layers == [media.CONFIG_FILES, media.MANIFESTS, media.HELM_CHARTS, media.SCRIPTS]


def test_the_sample_is_one_that_the_catalogue_takes() -> None:
    """By the receiver's own rules; and each script that its manifest names is there."""
    content = (sample_addon.FOLDER / "addon.manifest.yaml").read_bytes()
    assert AddonManifest.parse(content, where="the sample").addon == sample_addon.NAME
    for implementation in yaml.safe_load(content)["spec"]["implementations"]:
        for command in implementation["commands"].values():
            assert (sample_addon.FOLDER / command["script"]["subPath"]).is_file()
