"""What is brought to hosts: put together from wheels, complete for its platform, and working by itself."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from receiver import __version__
from scripts import package
from scripts.package import Failed

ROOT = Path(__file__).parents[2]


def distribution(folder: Path, name: str, *requires: str) -> None:
    """An installed distribution, as far as its metadata."""
    place = folder / f"{name}-1.0.dist-info"
    place.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {one}" for one in requires)]
    (place / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_what_only_another_platform_needs_is_found(tmp_path: Path) -> None:
    """pip asks markers of its own platform: click's colorama was left out of a folder for Windows so."""
    distribution(tmp_path, "a", 'colorama>=0.4; platform_system == "Windows"', 'uvloop; sys_platform != "win32"')
    distribution(tmp_path, "b", 'old; python_version < "3.12"', 'extra; extra == "all"', "A")
    assert package.missing(tmp_path, platform="windows-amd64", python="3.11") == ["colorama>=0.4", "old"]
    assert package.missing(tmp_path, platform="linux-amd64", python="3.13") == ["uvloop"]


def test_the_launcher_starts_the_python_beside_it() -> None:
    """pip's own launcher, a line that names the interpreter, and a program that the interpreter can run."""
    program = package.launcher()
    assert program.startswith(b"MZ")
    assert "<launcher_dir>".encode("utf-16-le") in program, "this launcher knows no interpreter beside itself"
    assert b"#!<launcher_dir>\\python.exe\r\nPK" in program
    with zipfile.ZipFile(io.BytesIO(program)) as main:
        source = main.read("__main__.py").decode()
    done = subprocess.run([sys.executable, "-c", source, "--version"], capture_output=True, text=True, check=False)
    assert done.stdout == f"addon-sync, version {__version__}\n"


def test_another_file_is_no_python_for_windows(tmp_path: Path) -> None:
    """The installer, or Python for another system."""
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("python3", b"")
    with pytest.raises(Failed, match="embeddable package"):
        package.windows(tmp_path / "other.zip", tmp_path / "dist")


def test_every_dependency_has_wheels_for_windows() -> None:
    """Chosen anew by pip, and kept: a run downloads only what has changed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    kept = ROOT / ".cache" / "wheels-windows"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", str(kept)]
    command += ["--only-binary=:all:", "--platform", "win_amd64", "--python-version", "3.11", *project["dependencies"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    names = {re.split(r"[-.]", file.name.lower())[0].replace("_", "-") for file in kept.glob("*.whl")}
    assert {re.split(r"[<>=!~]", text.lower())[0] for text in project["dependencies"]} <= names


@pytest.mark.slow
def test_the_archive_runs_on_a_host_that_has_nothing_but_python(tmp_path: Path) -> None:
    """Unpacked to the home folder once; a second build is the same file."""
    python = f"3.{sys.version_info.minor}"
    file = package.archive(tmp_path / "dist", platform="linux-amd64", python=python)
    assert file.read_bytes() == package.archive(tmp_path / "again", platform="linux-amd64", python=python).read_bytes()
    home = tmp_path / "home"
    home.mkdir()
    clean = {"HOME": str(home), "PATH": os.defpath}
    program = str(Path(sys.base_prefix) / "bin" / "python3")

    def run(*arguments: str) -> str:
        command = [program, "-I", str(file), *arguments]
        return subprocess.run(command, env=clean, cwd=home, capture_output=True, text=True, check=True).stdout

    assert run("--version") == f"addon-sync, version {__version__}\n"
    assert run("sync", "--help").startswith("Usage: addon-sync sync")
    (home / "addons").mkdir()
    assert json.loads(run("ls", "--k2s-install-dir", str(home), "--output", "json")) == []
    assert len([path for path in (home / ".shiv").iterdir() if path.is_dir()]) == 1


@pytest.mark.slow
def test_the_folder_for_windows_is_complete(tmp_path: Path) -> None:
    """Python, the program, packages compiled for Windows; it imports from itself only, and tells nothing of here."""
    with zipfile.ZipFile(tmp_path / "python-3.11.9-embed-amd64.zip", "w") as embedded:
        embedded.writestr("python.exe", b"MZ")
        embedded.writestr("python311.zip", b"")
        embedded.writestr("python311._pth", "python311.zip\r\n.\r\n#import site\r\n")
    file = package.windows(tmp_path / "python-3.11.9-embed-amd64.zip", tmp_path / "dist")
    with zipfile.ZipFile(file) as packed:
        names = packed.namelist()
        assert {"python.exe", "addon-sync.exe", "Lib/site-packages/receiver/tasks/schema.sql"} <= set(names)
        assert packed.read("python311._pth") == b"python311.zip\r\n.\r\nLib\\site-packages\r\n"
        compiled = [name for name in names if name.endswith((".pyd", ".so"))]
        assert compiled
        assert all(name.endswith(".pyd") for name in compiled)
        assert not any(str(ROOT).encode() in packed.read(name) for name in names if "dist-info" in name)
    installed = tmp_path / "dist" / "windows" / "Lib" / "site-packages"
    assert package.missing(installed, platform="windows-amd64", python="3.11") == []


@pytest.mark.slow
def test_the_sbom_names_every_pinned_version(tmp_path: Path) -> None:
    """A CycloneDX document of the program and what it is made of."""
    document = json.loads(package.sbom(tmp_path).read_text(encoding="utf-8"))
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "addon-sync"
    found = {f"{one['name']}=={one['version']}" for one in document["components"]}
    pins = package.PINS.read_text(encoding="utf-8").splitlines()
    assert found == {line for line in pins if not line.startswith("#")}


def test_an_error_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not by a traceback."""
    assert package.main(["windows", str(tmp_path / "gone.zip")]) == 1
    assert "gone.zip" in capsys.readouterr().err
    shutil.copy(__file__, tmp_path / "no.zip")
    assert package.main(["windows", str(tmp_path / "no.zip")]) == 1
