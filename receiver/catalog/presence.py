"""Whether what is installed is there at all: what every look asks, and more (`drift`) only some do."""

from pathlib import Path

from receiver.catalog.layout import MANIFEST, Unit
from receiver.catalog.record import InstalledRelease
from receiver.links import is_plain_folder


def is_present(installed: InstalledRelease, catalogue: Path) -> bool:
    """Whether every folder and manifest of a release is there; their content is not read."""
    units = [Unit.parse(unit.addon, unit.implementation) for unit in installed.units]
    return all(
        is_plain_folder(catalogue / unit.folder) and (catalogue / unit.addon / MANIFEST).is_file() for unit in units
    )
