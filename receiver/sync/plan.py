"""Which layers of an artifact go where, decided without I/O. Pure. Rules: ``docs/reference/artifacts.md``."""

from collections.abc import Mapping, Sequence

from receiver.catalog.layout import NOT_TRANSFERRED, WANTED, LayerRule, Unit
from receiver.document import Value
from receiver.errors import UnsupportedContent
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.manifest import Index, Manifest

NAME = "vnd.k2s.addon.name"
IMPLEMENTATION = "vnd.k2s.addon.implementation"
VERSION = "org.opencontainers.image.version"
_MAX_VERSION = 128
"""Characters; as long as a tag may be. It is shown, logged and recorded."""


class PlannedLayer(Value, frozen=True):
    """A layer to fetch and the rule by which it is unpacked."""

    descriptor: Descriptor
    rule: LayerRule


class PlannedUnit(Value, frozen=True):
    """One implementation that the artifact delivers."""

    unit: Unit
    version: str | None
    layers: tuple[PlannedLayer, ...]


class Plan(Value, frozen=True):
    """Everything that an artifact delivers, and what in it was left out."""

    units: tuple[PlannedUnit, ...]
    skipped: tuple[str, ...]
    """Layers that are not transferred, for the log."""
    warnings: tuple[str, ...]

    def blobs(self) -> Sequence[Descriptor]:
        """Each blob that is needed, once."""
        return list(
            {layer.descriptor.digest: layer.descriptor for unit in self.units for layer in unit.layers}.values()
        )

    @property
    def version(self) -> str | None:
        """The version of the first unit that names one."""
        return next((unit.version for unit in self.units if unit.version), None)


def entries(index: Index) -> Sequence[Descriptor]:
    """The manifests and indexes that an index lists; anything else in it is not for us."""
    return [entry for entry in index.manifests if entry.media_type in media.MANIFEST_TYPES | media.INDEX_TYPES]


def plan(artifacts: Sequence[tuple[Mapping[str, str], Manifest]], *, max_layer_size: int) -> Plan:
    """Plan the installation of ``artifacts``: each manifest with the annotations of its index entry (or none).

    Raises:
        UnsupportedContent: no addon in it, no layer 0-3 in an addon, one addon twice, a foreign or too large layer.
        InvalidNameError: a name that must not become a folder.
    """
    units: list[PlannedUnit] = []
    skipped: list[str] = []
    warnings: list[str] = []
    for entry_annotations, manifest in artifacts:
        # Where a copy between registries blanked an annotation of the entry, the manifest's counts.
        said = {key: value for key, value in entry_annotations.items() if value}
        annotations = {**manifest.annotations, **said}
        name = annotations.get(NAME)
        if not name:
            warnings.append(f"{manifest.digest} has no annotation {NAME} and is skipped")
            continue
        unit = Unit.parse(name, annotations.get(IMPLEMENTATION) or name)
        if any(planned.unit == unit for planned in units):
            raise UnsupportedContent(f"the artifact delivers {unit} twice")
        _check_type(unit, manifest)
        layers = _layers(unit, manifest, skipped, warnings, max_layer_size)
        units.append(PlannedUnit(unit=unit, version=_version(unit, annotations), layers=layers))
    if not units:
        raise UnsupportedContent(f"the artifact holds no addon: no manifest has the annotation {NAME}")
    return Plan(units=tuple(units), skipped=tuple(skipped), warnings=tuple(warnings))


def _check_type(unit: Unit, manifest: Manifest) -> None:
    """What says that it is something else is not installed for its annotations; tools of before say nothing."""
    if manifest.artifact_type not in {None, media.ADDON_ARTIFACT}:
        raise UnsupportedContent(
            f"{unit}: its artifactType is {str(manifest.artifact_type)[:120]!r}, expected {media.ADDON_ARTIFACT}"
        )


def _version(unit: Unit, annotations: Mapping[str, str]) -> str | None:
    version = annotations.get(VERSION)
    if version is not None and (len(version) > _MAX_VERSION or not version.isprintable()):
        raise UnsupportedContent(
            f"{unit}: the annotation {VERSION} is longer than {_MAX_VERSION} characters or not printable"
        )
    return version


def _layers(
    unit: Unit, manifest: Manifest, skipped: list[str], warnings: list[str], max_layer_size: int
) -> tuple[PlannedLayer, ...]:
    wanted = []
    for layer in manifest.layers:
        rule = WANTED.get(layer.media_type)
        if rule is not None:
            wanted.append(PlannedLayer(descriptor=_checked(layer, rule, max_layer_size), rule=rule))
        elif layer.media_type in NOT_TRANSFERRED:
            skipped.append(f"{NOT_TRANSFERRED[layer.media_type]} ({layer.size} bytes)")
        elif layer.media_type != media.OCI_EMPTY:
            warnings.append(f"{unit}: a layer of the unknown type {layer.media_type[:100]!r} is skipped")
    if not wanted:
        types = ", ".join(sorted({layer.media_type[:100] for layer in manifest.layers})) or "none"
        raise UnsupportedContent(
            f"{unit}: no config, manifests, chart or scripts layer in the artifact, only {types}; "
            "export it with 'k2s addons export' and copy it as an OCI layout, not with 'oras push'"
        )
    return tuple(wanted)


def _checked(layer: Descriptor, rule: LayerRule, max_layer_size: int) -> Descriptor:
    if layer.foreign:
        raise UnsupportedContent(f"the {rule.label} layer names foreign URLs, which are never fetched")
    if layer.size > max_layer_size:
        raise UnsupportedContent(
            f"the {rule.label} layer has {layer.size} bytes, more than ADDON_SYNC_MAX_LAYER_SIZE ({max_layer_size})"
        )
    return layer
