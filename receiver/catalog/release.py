"""A release as it is asked for, and what became of it. Types only: the door between planning and the catalogue."""

from pathlib import Path
from typing import Literal

from receiver.addon import AddonRepository
from receiver.catalog.layout import LayerRule, Unit
from receiver.document import Value
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest


class Layer(Value, frozen=True):
    """A verified blob of ``size`` bytes at ``path`` and the rule by which it is unpacked."""

    rule: LayerRule
    path: Path
    size: int


class ReleaseUnit(Value, frozen=True):
    """One implementation of a release, its layers in the manifest's order."""

    unit: Unit
    layers: tuple[Layer, ...]


class Release(Value, frozen=True):
    """Everything that ``repository`` wants to have in the catalogue, under one digest."""

    repository: AddonRepository
    tag: str
    version: str | None
    digest: Digest
    units: tuple[ReleaseUnit, ...]
    artifact: tuple[Descriptor, ...] = ()
    """What it takes to install it again: manifests and indexes, its own first, and the layers of ``units``."""


Problem = Literal["missing", "changed", "mode"]


class Drift(Value, frozen=True):
    """A file or folder in the catalogue that is not as it was installed; ``path`` below ``addons/``."""

    path: str
    problem: Problem


class Installation(Value, frozen=True):
    """What an installation did; ``visible`` is when the new release could be seen (seconds since the epoch)."""

    files: int

    kept: tuple[str, ...]
    """Files of the operator that the release replaced; they are in ``backups``."""
    visible: float
