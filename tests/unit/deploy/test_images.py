"""Container files, compose, the systemd unit: what they name is there, and every version is pinned."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from receiver import __version__
from receiver.cli.main import COMMANDS
from receiver.config import load
from tests.support.kustomize import DEPLOY, ROOT

WINDOWS = (DEPLOY / "images/Containerfile.windows").read_text(encoding="utf-8")
LINUX = (DEPLOY / "images/Containerfile.linux").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text(encoding="utf-8"))


def test_every_dependency_is_pinned_to_a_version_that_the_project_takes() -> None:
    """Where this fails: ./scripts/package pins."""
    lines = (DEPLOY / "images/pins.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pinned.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in map(Requirement, project["dependencies"]):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement


def test_the_windows_image_only_copies() -> None:
    """So that it builds on any machine: nothing of it is run while it is built."""
    words = [line.split()[0] for line in WINDOWS.splitlines() if line and line[0] not in "# "]
    assert words == ["FROM", "COPY", "ENTRYPOINT", "CMD"]
    base = "mcr.microsoft.com/oss/kubernetes/windows-host-process-containers-base-image:v1.0.0"
    assert f"FROM {base}\n" in WINDOWS


@pytest.mark.parametrize("text", [WINDOWS, LINUX])
def test_images_begin_with_a_version_and_end_with_serve(text: str) -> None:
    """``latest`` is no version; what an image is tagged with is the version of the program."""
    for base in re.findall(r"(?:FROM|PYTHON=)\s*([^\s$]+:[^\s]+)", text):
        assert re.search(r":v?\d+\.\d+\.\d+", base), base
    assert text.rstrip().endswith('CMD ["serve"]')
    assert f":{__version__} " in text
    assert "serve" in COMMANDS


@pytest.mark.parametrize("text", [WINDOWS, LINUX])
def test_what_images_copy_is_there_and_reaches_the_builder(text: str) -> None:
    """Of the repository, or made by ./scripts/package; and not kept back by .dockerignore."""
    sent = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert source.rstrip("/") in sent
            assert source == "dist/windows/" or (ROOT / source).exists()


@pytest.mark.slow
def test_what_reaches_the_builder_of_the_linux_image_is_enough(tmp_path: Path) -> None:
    """Its files alone make the wheel that its pip would install; no container is built here."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "receiver", source / "receiver", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=110)
    with zipfile.ZipFile(tmp_path / f"addon_sync-{__version__}-py3-none-any.whl") as wheel:
        packed = {name for name in wheel.namelist() if name.startswith("receiver/")}
    written = [path for path in (source / "receiver").rglob("*") if path.is_file()]
    assert packed == {path.relative_to(source).as_posix() for path in written}


def test_compose_gives_the_receiver_its_settings(tmp_path: Path) -> None:
    """What stands there is taken; both are reached from this machine only, and no token is written down."""
    receiver = COMPOSE["services"]["addon-sync"]
    environment = {**receiver["environment"], "K2S_INSTALL_DIR": str(tmp_path)}
    assert environment["ADDON_SYNC_TOKEN"].startswith("${ADDON_SYNC_TOKEN:?")
    settings = load(flags={}, environment=environment, file=None)
    assert settings.registry.url == "http://registry:5000"
    assert (settings.listen.host, settings.listen.port) == ("0.0.0.0", 8080)
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert receiver["image"] == f"addon-sync:{__version__}"
    assert (DEPLOY / "compose" / receiver["build"]["context"] / receiver["build"]["dockerfile"]).is_file()
    assert {volume.partition(":")[0] for one in COMPOSE["services"].values() for volume in one["volumes"]} == set(
        COMPOSE["volumes"]
    )
    assert re.search(r":\d+\.\d+\.\d+$", COMPOSE["services"]["registry"]["image"])


def test_compose_tells_the_registry_what_the_guide_tells() -> None:
    """The endpoint as in the snippet; only address and token are those of compose."""
    [endpoint] = yaml.safe_load(COMPOSE["services"]["registry"]["environment"]["REGISTRY_NOTIFICATIONS_ENDPOINTS"])
    snippet = yaml.safe_load((DEPLOY / "registries/distribution.yml").read_text(encoding="utf-8"))
    [expected] = snippet["notifications"]["endpoints"]
    assert endpoint["url"] == expected["url"].replace("ADDRESS", "addon-sync")
    assert endpoint["headers"]["Authorization"][0].startswith("Bearer ${ADDON_SYNC_TOKEN:?")
    assert {key: endpoint[key] for key in endpoint.keys() - {"url", "headers"}} == {
        key: expected[key] for key in expected.keys() - {"url", "headers"}
    }


UNIT = (DEPLOY / "linux/addon-sync.service").read_text(encoding="utf-8")


def test_the_unit_waits_for_the_program_and_gives_it_its_time() -> None:
    """READY=1 is sent when it listens; it stops within ten seconds."""
    settings = dict(line.split("=", 1) for line in UNIT.splitlines() if "=" in line and not line.startswith("#"))
    assert settings["Type"] == "notify"
    assert int(settings["TimeoutStopSec"]) > 10
    assert int(settings["WatchdogSec"]) >= 30
    assert settings["ExecStart"].split()[1:3] == ["serve", "--config"]
    assert settings["ProtectSystem"] == "strict"  # … and the one folder that it writes to:
    example = yaml.safe_load((DEPLOY / "settings.example.yaml").read_text(encoding="utf-8"))
    assert settings["ReadWritePaths"] == example["k2s_install_dir"]
    assert settings["CapabilityBoundingSet"] == ""
    # /proc/stat, from which the process metrics take their start, is not there with ProcSubset=pid.
    assert "ProcSubset" not in settings


def test_systemd_finds_no_mistake_in_the_unit(tmp_path: Path) -> None:
    """``systemd-analyze verify``, with a program in the place of ours."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze (Debian package systemd) is not installed")
    unit = tmp_path / "addon-sync.service"
    unit.write_text(UNIT.replace("/opt/addon-sync/bin/addon-sync", "/bin/true"), encoding="utf-8")
    done = subprocess.run([program, "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
