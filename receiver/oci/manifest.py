"""Manifests and indexes: from verified bytes to typed values (image-spec manifest.md, image-index.md)."""

from collections.abc import Mapping
from dataclasses import dataclass

from receiver.document import Document, InvalidDocument, convert, parse
from receiver.errors import UnsupportedContent
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest

MAX_DOCUMENT_SIZE = 4 * 1024 * 1024
"""Bytes of a manifest, index or config: distribution-spec "Pushing Manifests" asks registries to take 4 MiB."""
MAX_LAYERS = 32
MAX_INDEX_ENTRIES = 64
_MAX_BLOB_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One artifact: its layers in order, and what its annotations say."""

    digest: Digest
    artifact_type: str | None
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Several manifests under one digest."""

    digest: Digest
    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str]


class _Descriptor(Document, frozen=True):
    media_type: str
    digest: str
    size: int
    urls: list[str] | None = None
    annotations: dict[str, str] | None = None


class _Manifest(Document, frozen=True):
    schema_version: int
    config: _Descriptor
    layers: list[_Descriptor]
    media_type: str | None = None
    artifact_type: str | None = None
    annotations: dict[str, str] | None = None


class _Index(Document, frozen=True):
    schema_version: int
    manifests: list[_Descriptor]
    media_type: str | None = None
    annotations: dict[str, str] | None = None


def parse_manifest(body: bytes, media_type: str) -> Manifest | Index:
    """Parse ``body``, whose digest has been verified, as what ``media_type`` (the Content-Type) says it is.

    Raises:
        UnsupportedContent: not an OCI manifest or index, ambiguous, or over a limit.
    """
    try:
        document = parse(body)
        if not isinstance(document, dict):
            raise UnsupportedContent("the manifest is not a JSON object")
        _refuse_confusion(document, media_type)
        if media_type in media.INDEX_TYPES:
            return _index(Digest.of(body), convert(document, _Index))
        return _manifest(Digest.of(body), convert(document, _Manifest))
    except InvalidDocument as error:
        raise UnsupportedContent(f"the manifest cannot be read: {error}") from error


def _refuse_confusion(document: Mapping[str, object], media_type: str) -> None:
    """One document must not be a manifest to one reader and an index to another (CVE-2021-41190)."""
    if media_type not in media.MANIFEST_TYPES | media.INDEX_TYPES:
        raise UnsupportedContent(f"{media_type[:120]!r} is neither an image manifest nor an image index")
    said = document.get("mediaType", media_type)
    if said != media_type:
        raise UnsupportedContent(f"the manifest calls itself {str(said)[:120]!r} and came as {media_type!r}")
    if "manifests" in document and ("layers" in document or "config" in document):
        raise UnsupportedContent("the document is a manifest and an index at once")
    if "fsLayers" in document:
        raise UnsupportedContent("Docker schema 1 manifests are not supported")


def _manifest(digest: Digest, document: _Manifest) -> Manifest:
    _check_version(document.schema_version)
    if len(document.layers) > MAX_LAYERS:
        raise UnsupportedContent(f"{len(document.layers)} layers, more than the limit of {MAX_LAYERS}")
    return Manifest(
        digest=digest,
        artifact_type=document.artifact_type,
        config=_descriptor(document.config),
        layers=tuple(_descriptor(layer) for layer in document.layers),
        annotations=document.annotations or {},
    )


def _index(digest: Digest, document: _Index) -> Index:
    _check_version(document.schema_version)
    if len(document.manifests) > MAX_INDEX_ENTRIES:
        raise UnsupportedContent(f"{len(document.manifests)} index entries, more than the limit of {MAX_INDEX_ENTRIES}")
    return Index(
        digest=digest,
        manifests=tuple(_descriptor(entry) for entry in document.manifests),
        annotations=document.annotations or {},
    )


def _descriptor(document: _Descriptor) -> Descriptor:
    if not 0 <= document.size <= _MAX_BLOB_SIZE:
        raise UnsupportedContent(f"a descriptor has the size {document.size}")
    return Descriptor(
        media_type=document.media_type,
        digest=Digest.parse(document.digest),
        size=document.size,
        annotations=document.annotations or {},
        foreign=bool(document.urls),
    )


def _check_version(version: int) -> None:
    if version != 2:
        raise UnsupportedContent(f"schemaVersion {version} is not supported, only 2")
