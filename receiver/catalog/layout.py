"""Where everything of an addon goes in the catalogue. Pure. The table is that of ``docs/reference/artifacts.md``."""

from collections.abc import Mapping

from receiver.addon import AddonName
from receiver.document import Value
from receiver.errors import InvalidNameError
from receiver.oci import media

MANIFEST = "addon.manifest.yaml"
SCHEMA = "addon.manifest.schema.json"
DIGESTS = ".addon-sync-digests"


class LayerRule(Value, frozen=True, kw_only=True):
    """How a layer is unpacked: below ``folder`` of the implementation; ``captured`` files go elsewhere."""

    label: str
    folder: str = ""
    captured: frozenset[str] = frozenset()


WANTED: Mapping[str, LayerRule] = {
    media.CONFIG_FILES: LayerRule(label="config files", captured=frozenset({MANIFEST})),
    media.MANIFESTS: LayerRule(label="manifests", folder="manifests"),
    media.HELM_CHARTS: LayerRule(label="Helm charts", folder="manifests/chart"),
    media.SCRIPTS: LayerRule(label="scripts"),
}
"""Layers 0-3, by media type."""

NOT_TRANSFERRED: Mapping[str, str] = {
    media.IMAGES_LINUX: "Linux images",
    media.IMAGES_WINDOWS: "Windows images",
    media.PACKAGES: "packages",
}
"""Layers 4-6: images are pulled when the addon is enabled."""


class Unit(Value, frozen=True, order=True):
    """What is exchanged as a whole: the folder of one implementation."""

    addon: AddonName
    implementation: AddonName

    @classmethod
    def parse(cls, addon: str, implementation: str) -> "Unit":
        """Judge the names that an artifact's annotations give.

        Raises:
            InvalidNameError: one of them must not become a folder.
        """
        unit = cls(AddonName.parse(addon), AddonName.parse(implementation))
        if unit.implementation in {"manifests", "config"}:
            raise InvalidNameError(f"{implementation!r} is a folder of every addon and cannot be an implementation")
        return unit

    @property
    def single(self) -> bool:
        """The addon has this one implementation, and they share the folder."""
        return self.addon == self.implementation

    @property
    def folder(self) -> str:
        """The folder, relative to ``addons/``."""
        return self.addon if self.single else f"{self.addon}/{self.implementation}"

    @property
    def leaf(self) -> str:
        """The last part of the repository that delivers just this unit."""
        return self.addon if self.single else f"{self.addon}-{self.implementation}"

    def __str__(self) -> str:
        return self.addon if self.single else f"{self.addon} {self.implementation}"
