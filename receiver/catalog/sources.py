"""What of the catalogue can be delivered to others: every implementation of every addon, with its own manifest.

The product's addons and those that were delivered are treated alike. `receiver.packaging` packs what is found here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from receiver.addon import AddonName
from receiver.catalog.layout import MANIFEST, Unit
from receiver.catalog.manifest import AddonManifest, merge
from receiver.catalog.schema import ManifestSchema
from receiver.errors import InstallError, InvalidManifest, InvalidNameError, NotInstalled
from receiver.links import is_link, is_plain_folder

DEFAULT_VERSION = "1.0.0"
"""Of an addon whose manifest names none, as the product's own export has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One implementation in the catalogue."""

    unit: Unit
    folder: Path
    manifest: bytes
    """Its ``addon.manifest.yaml``, which lists no other implementation."""
    description: str
    version: str | None
    """What the manifest says, if it does."""
    has_packages: bool
    """Its manifest names packages that it needs where there is no network."""
    left_out: tuple[str, ...] = ()
    """What lies at the root of an addon with several implementations: no artifact has a place for it."""


def choose(catalogue: Path, words: Sequence[str]) -> list[Source]:
    """The implementations that ``words`` name, each once; without any, all.

    A word is an addon, which stands for all its implementations, or ``addon implementation``, ``addon/implementation``,
    or the last part of its repository, ``addon-implementation``. A word that is no addon, and is an implementation of
    the addon before it, belongs to that one: quotes may be left out.

    Raises:
        NotInstalled: there is no such addon or implementation; the text says what there is.
        InvalidManifest, InstallError: one that is wanted cannot be read.
    """
    known = _Catalogue(catalogue)
    if not words:
        return [source for addon in known.addons for source in known.sources(addon)]
    found: dict[Unit, Source] = {}
    for addon, implementations in _grouped(words, known):
        sources = known.sources(addon)
        for name in implementations:
            if name not in {source.unit.implementation for source in sources}:
                there = ", ".join(sorted(source.unit.implementation for source in sources))
                raise NotInstalled(f"{addon} has no implementation {name[:80]!r}; it has {there}")
        wanted = [source for source in sources if not implementations or source.unit.implementation in implementations]
        found |= {source.unit: source for source in wanted}
    return list(found.values())


def _grouped(words: Sequence[str], known: "_Catalogue") -> Iterator[tuple[AddonName, tuple[str, ...]]]:
    """Each addon with the implementations that were named with it; none stands for all."""
    asked: list[tuple[AddonName, list[str]]] = []
    for word in words:
        name, *implementations = word.replace("/", " ").split() or [word]
        if name in known.addons:
            asked.append((AddonName(name), implementations))
        elif (unit := known.by_leaf(name)) is not None and not implementations:
            asked.append((unit.addon, [unit.implementation]))
        elif asked and not implementations and name in known.implementations(asked[-1][0]):
            asked[-1][1].append(name)
        else:
            there = ", ".join(known.addons) or "none"
            raise NotInstalled(f"there is no addon {word[:80]!r} in {known.folder}; there are: {there}")
    return iter([(addon, tuple(names)) for addon, names in asked])


class _Catalogue:
    """The addons in a folder, read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.addons = tuple(_addons(folder))
        self._schema = ManifestSchema(folder)
        self._read: dict[str, AddonManifest] = {}

    def by_leaf(self, leaf: str) -> Unit | None:
        """The implementation whose repository ends with ``leaf``."""
        for addon in self.addons:
            if leaf.startswith(f"{addon}-"):
                for unit in (Unit(addon, name) for name in self._manifest(addon).implementations):
                    if unit.leaf == leaf:
                        return unit
        return None

    def implementations(self, addon: AddonName) -> Sequence[AddonName]:
        """What the manifest of ``addon`` lists."""
        return self._manifest(addon).implementations

    def sources(self, addon: AddonName) -> list[Source]:
        """Every implementation of ``addon``.

        Raises:
            InvalidManifest, InstallError: one of them cannot be packed as it is.
        """
        manifest = self._manifest(addon)
        units = [Unit.parse(addon, name) for name in manifest.implementations]
        if len(units) > 1 and any(unit.single for unit in units):
            raise InvalidManifest(
                f"{addon} has an implementation of its own name beside others: their folders would lie within its own, "
                "and no receiver takes that"
            )
        return [self._source(manifest, unit) for unit in units]

    def _source(self, manifest: AddonManifest, unit: Unit) -> Source:
        folder = self.folder / unit.folder
        if not is_plain_folder(folder):
            raise InstallError(f"{folder} is no folder: {MANIFEST} lists the implementation {unit}")
        entry = next(
            entry for entry in manifest.document["spec"]["implementations"] if entry["name"] == unit.implementation
        )
        alone = manifest
        if len(manifest.implementations) > 1:
            filtered = merge(None, manifest, deliver=unit.implementation, keep=())
            assert filtered is not None
            alone = filtered
        metadata = manifest.document["metadata"]
        version = entry.get("version") or metadata.get("version")
        return Source(
            unit=unit,
            folder=folder,
            manifest=alone.text.encode(),
            description=str(metadata.get("description") or ""),
            version=None if version is None else str(version),
            has_packages=_has_packages(entry.get("offline_usage")),
            left_out=() if unit.single else self._beside(manifest),
        )

    def _beside(self, manifest: AddonManifest) -> tuple[str, ...]:
        known = {MANIFEST, *manifest.implementations}
        return tuple(sorted(path.name for path in (self.folder / manifest.addon).iterdir() if path.name not in known))

    def _manifest(self, addon: AddonName) -> AddonManifest:
        if addon not in self._read:
            path = self.folder / addon / MANIFEST
            try:
                if is_link(path):
                    raise InstallError(f"{path} is a link: nothing outside the catalogue is packed")
                manifest = AddonManifest.parse(path.read_bytes(), where=str(path))
            except OSError as error:
                raise InstallError(f"{path} cannot be read: {error.strerror}") from error
            if manifest.addon != addon:
                raise InvalidManifest(f"{path} names the addon {manifest.addon!r}, its folder is {addon!r}")
            self._schema.check(manifest, where=str(path))
            self._read[addon] = manifest
        return self._read[addon]


def _addons(folder: Path) -> Iterator[AddonName]:
    try:
        found = sorted(path for path in folder.iterdir() if is_plain_folder(path) and (path / MANIFEST).exists())
    except OSError as error:
        raise InstallError(f"the catalogue {folder} cannot be read: {error.strerror}") from error
    for path in found:
        try:
            yield AddonName.parse(path.name)
        except InvalidNameError:
            # The product has folders of its own there, and people have copies such as "monitoring (2)".
            continue


def _has_packages(usage: Any) -> bool:
    """Whether ``offline_usage`` names Debian packages, or files to download."""
    if not isinstance(usage, Mapping):
        return False
    systems = [system for system in usage.values() if isinstance(system, Mapping)]
    return any(system.get(kind) for system in systems for kind in ("deb", "curl"))
