"""Which addons an archive delivers: what its index leads to, each under the repository that it belongs to.

What tells the addon are the annotations of its own manifest: those of an entry of the index are lost on the way into a
registry, so an addon that only they name would arrive nowhere.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from receiver.addon import AddonName
from receiver.catalog.layout import NOT_TRANSFERRED, Unit
from receiver.errors import InvalidNameError, UnsupportedContent
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.manifest import Index, Manifest, parse_manifest
from receiver.oci.reference import Tag
from receiver.packaging.archive import LayoutArchive
from receiver.packaging.artifact import Artifact
from receiver.packaging.layout import TAG
from receiver.sync.plan import IMPLEMENTATION, NAME, VERSION

_MAX_NESTING = 1
"""As in a registry: an index may list indexes; those may not."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One implementation of an addon, as the archive has it."""

    unit: Unit
    descriptor: Descriptor
    manifest: Manifest
    body: bytes
    """The manifest's bytes."""
    tags: tuple[Tag, ...]
    """By which the archive's index calls it; without any, the version in its annotations."""

    @property
    def leaf(self) -> AddonName:
        """The last part of its repository."""
        return AddonName.parse(self.unit.leaf)

    @property
    def version(self) -> str | None:
        """What its annotations say."""
        return self.manifest.annotations.get(VERSION)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The layers that are for the product's own importer."""
        return tuple(
            NOT_TRANSFERRED[layer.media_type] for layer in self.manifest.layers if layer.media_type in NOT_TRANSFERRED
        )


def deliveries(archive: LayoutArchive) -> list[Delivery]:
    """Everything that ``archive`` delivers, in the order of its index; an artifact with several tags once. Blocks.

    Raises:
        ContentError: a manifest is damaged, or none is of an addon.
        InvalidNameError: an addon has no possible name.
        InstallError: the file cannot be read.
    """
    found: dict[tuple[Unit, str], Delivery] = {}
    for delivery in _below(archive, archive.index, (), nesting=0):
        key = (delivery.unit, str(delivery.descriptor.digest))
        tags = (*found[key].tags, *delivery.tags) if key in found else delivery.tags
        found[key] = replace(delivery, tags=tuple(dict.fromkeys(tags)))
        if len(found) > archive.limits.max_index_entries:
            # The limit of one index, which nested ones would multiply.
            raise UnsupportedContent(
                f"{archive.path} holds more than {archive.limits.max_index_entries} artifacts "
                "(ADDON_SYNC_MAX_INDEX_ENTRIES)"
            )
    if not found:
        raise UnsupportedContent(f"{archive.path} holds no addon: no manifest has the annotation {NAME}")
    return list(found.values())


def artifact_of(archive: LayoutArchive, delivery: Delivery, *, tag: Tag) -> Artifact:
    """``delivery`` as it can be pushed under ``tag``; its blobs stay in the archive.

    Raises:
        ContentError: a blob is not in the archive, or has another size.
    """
    blobs = {
        blob.digest: archive.blob(blob)
        for blob in (delivery.manifest.config, *delivery.manifest.layers)
        # A foreign layer lies elsewhere; the receiver refuses it, and a registry need not have it.
        if not blob.foreign
    }
    return Artifact(
        manifest=delivery.body,
        media_type=delivery.descriptor.media_type,
        tag=tag,
        annotations=delivery.manifest.annotations,
        blobs=blobs,
    )


def _below(archive: LayoutArchive, index: Index, tags: tuple[Tag, ...], *, nesting: int) -> Iterator[Delivery]:
    for entry in index.manifests:
        own = tags or _tags(entry)
        if entry.media_type in media.INDEX_TYPES:
            if nesting >= _MAX_NESTING:
                raise UnsupportedContent(f"{entry.digest}: indexes are nested deeper than {_MAX_NESTING}")
            inner = parse_manifest(archive.document(entry), entry.media_type, limits=archive.limits, promised=entry)
            assert isinstance(inner, Index)
            yield from _below(archive, inner, own, nesting=nesting + 1)
        elif entry.media_type in media.MANIFEST_TYPES:
            delivery = _delivery(archive, entry, own)
            if delivery is not None:
                yield delivery


def _delivery(archive: LayoutArchive, entry: Descriptor, tags: tuple[Tag, ...]) -> Delivery | None:
    body = archive.document(entry)
    manifest = parse_manifest(body, entry.media_type, limits=archive.limits, promised=entry)
    assert isinstance(manifest, Manifest)
    name = manifest.annotations.get(NAME)
    if not name:
        _log.warning("%s: %s has no annotation %s and is left out", archive.path, entry.digest, NAME)
        return None
    unit = Unit.parse(name, manifest.annotations.get(IMPLEMENTATION) or name)
    said = entry.annotations.get(NAME) or name
    if said != name:
        raise UnsupportedContent(f"the index calls {entry.digest} the addon {said[:80]!r}, and itself says {name!r}")
    if manifest.artifact_type not in {None, media.ADDON_ARTIFACT}:
        raise UnsupportedContent(
            f"{unit}: its artifactType is {str(manifest.artifact_type)[:120]!r}, expected {media.ADDON_ARTIFACT}"
        )
    if not tags:
        tags = _parsed(manifest.annotations.get(VERSION, ""))
    return Delivery(unit=unit, descriptor=entry, manifest=manifest, body=body, tags=tags)


def _tags(entry: Descriptor) -> tuple[Tag, ...]:
    """The tag in an entry of the index; some tools write the whole reference, ``host/repository:tag``."""
    return _parsed(entry.annotations.get(TAG, "").rpartition("/")[2].rpartition(":")[2])


def _parsed(text: str) -> tuple[Tag, ...]:
    try:
        return (Tag.parse(text),)
    except InvalidNameError:
        return ()


def names(found: Sequence[Delivery]) -> str:
    """What is in an archive, for messages."""
    return ", ".join(str(delivery.unit) for delivery in found)
