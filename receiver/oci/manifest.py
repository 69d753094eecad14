"""Manifests and indexes: from verified bytes to typed values (image-spec manifest.md, image-index.md)."""

import base64
import binascii
from collections.abc import Mapping, Sequence

from receiver.document import Document, InvalidDocument, Value, convert, parse
from receiver.errors import SizeMismatch, UnsupportedContent
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest

MAX_DOCUMENT_SIZE = 4 * 1024 * 1024
"""Bytes of a manifest, index or config: distribution-spec "Pushing Manifests" asks registries to take 4 MiB."""
MAX_LAYERS = 32
MAX_INDEX_ENTRIES = 64
_MAX_BLOB_SIZE = 2**63 - 1
_MAX_VALUES = 200_000
"""Commas and brackets, wherever they stand. A document of 4 MiB may spell 1.3 million objects, which take 97 MiB and a
second of everybody's time (measured); the largest that is within the other limits has some thousands."""
_EMPTY = Digest.of(b"{}")
"""What a blob of the empty media type is (image-spec manifest.md, "Guidance for an Empty Descriptor")."""


class DocumentLimits(Value, frozen=True, kw_only=True):
    """How much a manifest or index may ask for; ``max_size`` in bytes, judged while the document arrives."""

    max_size: int = MAX_DOCUMENT_SIZE
    max_layers: int = MAX_LAYERS
    max_index_entries: int = MAX_INDEX_ENTRIES


_DEFAULT = DocumentLimits()


class Manifest(Value, frozen=True, kw_only=True):
    """One artifact: its layers in order, and what its annotations say."""

    digest: Digest
    artifact_type: str | None
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str]


class Index(Value, frozen=True, kw_only=True):
    """Several manifests under one digest."""

    digest: Digest
    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str]


class _Descriptor(Document, frozen=True):
    media_type: str
    digest: str
    size: int
    urls: list[str] | None = None
    data: str | None = None
    annotations: dict[str, str] | None = None


class _Manifest(Document, frozen=True):
    schema_version: int
    config: _Descriptor
    layers: list[_Descriptor]
    media_type: str | None = None
    artifact_type: str | None = None
    subject: _Descriptor | None = None
    annotations: dict[str, str] | None = None


class _Index(Document, frozen=True):
    schema_version: int
    manifests: list[_Descriptor]
    media_type: str | None = None
    annotations: dict[str, str] | None = None


def parse_manifest(
    body: bytes, media_type: str, *, limits: DocumentLimits = _DEFAULT, promised: Descriptor | None = None
) -> Manifest | Index:
    """Parse ``body``, whose digest has been verified, as what ``media_type`` (the Content-Type) says it is.

    ``promised`` is the entry of the index that led to it, if one did.

    Raises:
        UnsupportedContent: not an OCI manifest or index, ambiguous, over a limit, or of another type than promised.
        SizeMismatch: not as long as promised.
    """
    if promised is not None:
        _check_promise(promised, body, media_type)
    if sum(map(body.count, (b",", b"{", b"["))) > _MAX_VALUES:
        raise UnsupportedContent(f"the manifest holds more than {_MAX_VALUES} values")
    try:
        document = parse(body)
        if not isinstance(document, dict):
            raise UnsupportedContent("the manifest is not a JSON object")
        _refuse_confusion(document, media_type)
        if media_type in media.INDEX_TYPES:
            return _index(Digest.of(body), convert(document, _Index), limits)
        return _manifest(Digest.of(body), convert(document, _Manifest), limits)
    except InvalidDocument as error:
        raise UnsupportedContent(f"the manifest cannot be read: {error}") from error


def _check_promise(promised: Descriptor, body: bytes, media_type: str) -> None:
    if promised.media_type != media_type:
        raise UnsupportedContent(
            f"{promised.digest}: its index calls it {promised.media_type[:120]!r}, and it came as {media_type[:120]!r}"
        )
    if promised.size != len(body):
        raise SizeMismatch(f"{promised.digest}: {len(body)} bytes, its index says {promised.size}")


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


def _manifest(digest: Digest, document: _Manifest, limits: DocumentLimits) -> Manifest:
    _check_version(document.schema_version)
    if len(document.layers) > limits.max_layers:
        raise UnsupportedContent(
            f"{len(document.layers)} layers, more than the limit of {limits.max_layers} (ADDON_SYNC_MAX_LAYERS)"
        )
    config, *layers = _descriptors([document.config, *document.layers])
    return Manifest(
        digest=digest,
        artifact_type=document.artifact_type,
        config=config,
        layers=tuple(layers),
        annotations=document.annotations or {},
    )


def _index(digest: Digest, document: _Index, limits: DocumentLimits) -> Index:
    _check_version(document.schema_version)
    if len(document.manifests) > limits.max_index_entries:
        raise UnsupportedContent(
            f"{len(document.manifests)} index entries, more than the limit of {limits.max_index_entries} "
            "(ADDON_SYNC_MAX_INDEX_ENTRIES)"
        )
    return Index(
        digest=digest,
        manifests=tuple(_descriptors(document.manifests)),
        annotations=document.annotations or {},
    )


def _descriptors(documents: Sequence[_Descriptor]) -> list[Descriptor]:
    """Judge each of them, and that no two promise different sizes of one blob (hazards I14)."""
    sizes: dict[Digest, int] = {}
    found = [_descriptor(document) for document in documents]
    for descriptor in found:
        if sizes.setdefault(descriptor.digest, descriptor.size) != descriptor.size:
            raise UnsupportedContent(f"two descriptors of {descriptor.digest} say different sizes")
    return found


def _descriptor(document: _Descriptor) -> Descriptor:
    if not 0 <= document.size <= _MAX_BLOB_SIZE:
        raise UnsupportedContent(f"a descriptor has the size {document.size}")
    digest = Digest.parse(document.digest)
    if document.media_type == media.OCI_EMPTY and digest != _EMPTY:
        raise UnsupportedContent(f"{digest} is called {media.OCI_EMPTY} and is another blob")
    if document.data is not None:
        _check_data(document.data, digest, document.size)
    return Descriptor(
        media_type=document.media_type,
        digest=digest,
        size=document.size,
        annotations=document.annotations or {},
        foreign=bool(document.urls),
    )


def _check_data(text: str, digest: Digest, size: int) -> None:
    """The content that a descriptor brings along is never used, but another reader may: it must be the same."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnsupportedContent(f"the descriptor of {digest} holds data that is no base64") from error
    if len(content) != size or Digest.of(content) != digest:
        raise UnsupportedContent(f"the descriptor of {digest} holds other data")


def _check_version(version: int) -> None:
    if version != 2:
        raise UnsupportedContent(f"schemaVersion {version} is not supported, only 2")
