"""Build what is brought to hosts, below ``dist/``: a wheel, a single-file archive, a folder for Windows, an SBOM.

It is put together from wheels only, in the versions of ``deploy/images/pins.txt``: nothing is compiled, so that what is
for one platform can be made on another.
"""

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from receiver import __version__

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
PINS = ROOT / "deploy" / "images" / "pins.txt"
PLATFORMS = {
    "linux-amd64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"),
    "linux-arm64": ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64"),
    "windows-amd64": ("win_amd64",),
}
"""The platforms of wheels that each of ours takes (PEP 600)."""
_START = "from receiver.cli import main\n\nmain()\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PINS = """\
# Written by ./scripts/package pins: the versions that images, archives and the SBOM are made of.
# A test compares them with pyproject.toml.
"""


class Failed(Exception):
    """It could not be built; the text says why."""


def wheel(into: Path) -> Path:
    """The project as a wheel; the file."""
    _pip("wheel", "--no-deps", "--wheel-dir", str(into), str(ROOT))
    return into / f"addon_sync-{__version__}-py3-none-any.whl"


def site(into: Path, *, platform: str, python: str) -> None:
    """Install the project and what it needs for ``platform`` and ``python`` (such as 3.11) into the folder ``into``."""
    chosen = ["--target", str(into), "--upgrade", "--no-compile", "--only-binary=:all:", "--implementation=cp"]
    chosen += [f"--python-version={python}", *(f"--platform={name}" for name in PLATFORMS[platform])]
    chosen += ["--constraint", str(PINS)]
    with tempfile.TemporaryDirectory(prefix="addon-sync-wheel-") as folder:
        _pip("install", *chosen, str(wheel(Path(folder))))
    while left_out := missing(into, platform=platform, python=python):
        _pip("install", *chosen, "--no-deps", *left_out)
    _forget_this_machine(into)


def _forget_this_machine(folder: Path) -> None:
    """Remove the scripts with the path of this machine's Python, and the note where the wheel came from."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for record in folder.glob("*.dist-info/RECORD"):
        (record.parent / "direct_url.json").unlink(missing_ok=True)
        lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if "/direct_url.json," not in line and not line.startswith("../../bin/")]
        record.write_text("".join(kept), encoding="utf-8", newline="\n")


def missing(folder: Path, *, platform: str, python: str) -> list[str]:
    """What distributions in ``folder`` need on ``platform`` and that is not there.

    pip takes wheels for another platform, but asks of requirements such as ``colorama; platform_system == "Windows"``
    whether they hold on its own.
    """
    system = {"linux": ("posix", "linux", "Linux"), "windows": ("nt", "win32", "Windows")}[platform.partition("-")[0]]
    names = ("os_name", "sys_platform", "platform_system")
    where = {**dict(zip(names, system, strict=True)), "python_version": python, "python_full_version": f"{python}.0"}
    there = {canonicalize_name(found.metadata["Name"]): found for found in distributions(path=[str(folder)])}
    needed = [Requirement(text) for found in there.values() for text in found.requires or ()]
    return sorted(
        {
            str(requirement).partition(";")[0].strip()
            for requirement in needed
            if canonicalize_name(requirement.name) not in there
            and (requirement.marker is None or requirement.marker.evaluate({**where, "extra": ""}))
        }
    )


def archive(into: Path, *, platform: str, python: str) -> Path:
    """A single file for hosts that have Python: ``python addon-sync-….pyz``.

    Packages with compiled parts cannot be imported from a zip file: shiv unpacks them once, below the home folder.
    """
    into.mkdir(parents=True, exist_ok=True)
    file = into / f"addon-sync-{__version__}-{platform}-python{python}.pyz"
    with tempfile.TemporaryDirectory(prefix="addon-sync-archive-") as folder:
        site(Path(folder), platform=platform, python=python)
        _run([sys.executable, "-m", "shiv", "--site-packages", folder, "--entry-point", "receiver.cli.main:main",
              "--python", "/usr/bin/env python3", "--reproducible", "--compressed", "-o", str(file)])  # fmt: skip
    return file


def windows(embedded: Path, into: Path) -> Path:
    """What becomes ``bin/addon-sync`` in K2S_INSTALL_DIR, as a zip file, and as the folder that the image copies.

    ``embedded`` is Python's own embeddable package for Windows: no Python has to be installed on the host.

    Raises:
        Failed: it is another kind of file.
    """
    folder = into / "windows"
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(embedded) as package:
        names = package.namelist()
        found = next((match for name in names if (match := re.fullmatch(r"python3(\d+)\._pth", name))), None)
        if found is None or "python.exe" not in names:
            raise Failed(f"{embedded} is not Python's embeddable package for Windows (python-3.…-embed-amd64.zip)")
        package.extractall(folder)
    site(folder / "Lib" / "site-packages", platform="windows-amd64", python=f"3.{found[1]}")
    # Only what stands here is imported from: no variable, no registry, no folder of a user.
    (folder / found[0]).write_text(f"python3{found[1]}.zip\n.\nLib\\site-packages\n", encoding="utf-8", newline="\r\n")
    (folder / "addon-sync.exe").write_bytes(launcher())
    return _zip(folder, into / f"addon-sync-{__version__}-windows-amd64.zip")


def launcher() -> bytes:
    """``addon-sync.exe`` as pip makes it for scripts, but for the Python that lies beside it."""
    # Not pip's own copy, which Debian takes out.
    origin = importlib.util.find_spec("distlib")
    assert origin is not None
    assert origin.origin is not None
    program = (Path(origin.origin).parent / "t64.exe").read_bytes()
    with tempfile.SpooledTemporaryFile() as file:
        with zipfile.ZipFile(file, "w") as main:
            main.writestr(zipfile.ZipInfo("__main__.py", _EPOCH), _START)
        file.seek(0)
        return program + b"#!<launcher_dir>\\python.exe\r\n" + file.read()


def _zip(folder: Path, file: Path) -> Path:
    """The same bytes for the same files."""
    with zipfile.ZipFile(file, "w", compression=zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            packed.writestr(
                zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH), path.read_bytes(), zipfile.ZIP_DEFLATED
            )
    return file


def pins(file: Path) -> Path:
    """The versions that pip chooses now."""
    file.write_text(_PINS, encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="addon-sync-pins-") as folder:
        site(Path(folder), platform="windows-amd64", python="3.11")
        listed = _run([sys.executable, "-m", "pip", "freeze", "--path", folder, "--exclude", "addon-sync"])
    file.write_text(_PINS + listed, encoding="utf-8", newline="\n")
    return file


def sbom(into: Path) -> Path:
    """What is in all of these, as a CycloneDX document."""
    into.mkdir(parents=True, exist_ok=True)
    file = into / f"addon-sync-{__version__}.cdx.json"
    _run([sys.executable, "-m", "cyclonedx_py", "requirements", str(PINS), "--pyproject", str(ROOT / "pyproject.toml"),
          "--mc-type", "application", "--output-reproducible", "--of", "JSON", "-o", str(file)])  # fmt: skip
    return file


def _pip(command: str, *arguments: str) -> None:
    _run([sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", *arguments])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command[:4])} … ended with {done.returncode}:\n{done.stderr.strip()[-2000:]}")
    return done.stdout


def main(arguments: list[str]) -> int:
    """Build one of them and print where it is; 1 where that failed."""
    parser = argparse.ArgumentParser(prog="./scripts/package", description=main.__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("wheel", help="for pip install")
    kinds.add_parser("pins", help="choose the versions that all others are made of anew")
    kinds.add_parser("sbom", help="a CycloneDX document of these versions")
    single = kinds.add_parser("archive", help="one file for hosts that have Python")
    single.add_argument("--platform", choices=PLATFORMS, default="linux-amd64")
    single.add_argument("--python", default=f"3.{sys.version_info.minor}", help="the host's, such as 3.11")
    folder = kinds.add_parser("windows", help="a folder for Windows hosts, and for their image")
    folder.add_argument("embedded", type=Path, help="python-3.…-embed-amd64.zip, from Python's download page")
    asked = parser.parse_args(arguments)
    try:
        print(_build(asked))
    except (Failed, OSError, zipfile.BadZipFile) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _build(asked: argparse.Namespace) -> Path:
    match asked.kind:
        case "wheel":
            return wheel(DIST)
        case "archive":
            return archive(DIST, platform=asked.platform, python=asked.python)
        case "windows":
            return windows(asked.embedded, DIST)
        case "pins":
            return pins(PINS)
        case _:
            return sbom(DIST)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
