"""The program run by Windows' own Python in Wine: real wheels, event loop, locks and paths of Windows.

What is not Windows is what lies below: Wine knows neither symbolic links nor access lists, and lets a folder be
renamed in which a file is held open.
"""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.system import Host

ROOT = Path(__file__).parents[2]
WINDOWS = ROOT / ".cache" / "windows"


def python() -> list[str]:
    """What starts it; skips the test where it is not there."""
    wine = shutil.which("wine")
    if wine is None or not (WINDOWS / ".made").is_file():
        pytest.skip("no Python for Windows: ./scripts/test --slow fetches it, and Wine")
    return [wine, str(WINDOWS / "python" / "python.exe")]


def wine_settings() -> dict[str, str]:
    """The folder of its own that Wine works in, and silence about what it lacks."""
    return {"WINEPREFIX": str(WINDOWS / "prefix"), "WINEARCH": "win64", "WINEDEBUG": "-all"}


class WindowsHost(Host):
    """A host with Windows, whose drive Z: is this machine's file system."""

    def spelled(self, path: Path) -> str:
        """With the letter of the drive."""
        return "Z:" + str(path).replace(os.sep, "\\")

    def command(self, *arguments: str, module: str = "receiver") -> list[str]:
        """By Wine."""
        return [*python(), "-m", module, *arguments]

    def environment(self) -> dict[str, str]:
        """With Wine's own."""
        return {**super().environment(), **wine_settings()}
