"""Manifests and indexes: one document has one reading, within limits."""

import json
from typing import Any

import pytest

from receiver.errors import UnsupportedContent
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.oci.manifest import MAX_INDEX_ENTRIES, MAX_LAYERS, Index, Manifest, parse_manifest

DIGEST = "sha256:" + "a" * 64


def descriptor(**more: Any) -> dict[str, Any]:
    return {"mediaType": media.SCRIPTS, "digest": DIGEST, "size": 7, **more}


def manifest(**more: Any) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": descriptor(),
        "layers": [descriptor()],
        **more,
    }


def index(**more: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": [descriptor()], **more}


def parsed(document: object, media_type: str = media.OCI_MANIFEST) -> Manifest | Index:
    return parse_manifest(json.dumps(document).encode(), media_type)


def test_a_manifest_becomes_values_under_the_digest_of_its_bytes() -> None:
    """Layers in their order, annotations, and the type of the artifact."""
    layers = [
        descriptor(annotations={"a": "b"}),
        descriptor(mediaType="x/y", digest=str(Digest.of(b"y")), size=2, urls=["https://elsewhere"]),
    ]
    document = manifest(layers=layers, artifactType=media.ADDON_ARTIFACT, annotations={"k": "v"}, unknown=1)
    found = parsed(document)
    assert isinstance(found, Manifest)
    assert found.digest == Digest.of(json.dumps(document).encode())
    assert [(layer.media_type, layer.size, layer.foreign) for layer in found.layers] == [
        (media.SCRIPTS, 7, False),
        ("x/y", 2, True),
    ]
    assert (found.artifact_type, found.annotations, found.layers[0].annotations) == (
        media.ADDON_ARTIFACT,
        {"k": "v"},
        {"a": "b"},
    )


def test_an_index_becomes_its_entries() -> None:
    """Of OCI and of Docker, with and without its own word for what it is."""
    for media_type in sorted(media.INDEX_TYPES):
        document = index(mediaType=media_type, annotations=None)
        found = parsed(document, media_type)
        assert isinstance(found, Index)
        assert len(found.manifests) == 1
    silent = {key: value for key, value in index().items() if key != "mediaType"}
    assert isinstance(parsed(silent, media.OCI_INDEX), Index)


@pytest.mark.parametrize(
    ("document", "media_type"),
    [
        (manifest(manifests=[]), media.OCI_MANIFEST),
        (index(layers=[]), media.OCI_INDEX),
        (index(config={}), media.OCI_INDEX),
        (manifest(), media.OCI_INDEX),
        (index(), media.OCI_MANIFEST),
        (manifest(mediaType=media.DOCKER_MANIFEST), media.OCI_MANIFEST),
        (manifest(mediaType=None), media.OCI_MANIFEST),
        (manifest(mediaType=["x"]), media.OCI_MANIFEST),
        (manifest(), "text/html"),
        (manifest(), media.OCI_MANIFEST + "; charset=utf-8"),
        (manifest(), ""),
        (manifest(fsLayers=[]), media.OCI_MANIFEST),
    ],
)
def test_a_document_with_two_readings_is_refused(document: dict[str, Any], media_type: str) -> None:
    """Hazards I1, I2, I4: a manifest to one reader and an index to another (CVE-2021-41190)."""
    with pytest.raises(UnsupportedContent):
        parsed(document, media_type)


@pytest.mark.parametrize(
    "document",
    [
        [], "x", 1, None, {},
        manifest(schemaVersion=1), manifest(schemaVersion="2"), manifest(schemaVersion=2.0),
        manifest(schemaVersion=True),
        {key: value for key, value in manifest().items() if key != "schemaVersion"},
        manifest(layers=None), manifest(layers={}), manifest(layers=[1]), manifest(config=None),
        manifest(annotations={"a": 1}),
        manifest(annotations=[]), manifest(artifactType=5),
        manifest(layers=[descriptor(size=-1)]), manifest(layers=[descriptor(size=1.5)]),
        manifest(layers=[descriptor(size="7")]),
        manifest(layers=[descriptor(size=2**63)]), manifest(layers=[descriptor(size=None)]),
        manifest(layers=[descriptor(digest="sha512:" + "a" * 128)]), manifest(layers=[descriptor(digest="../x")]),
        manifest(layers=[descriptor(urls="x")]), manifest(config=descriptor(digest="")),
        manifest(layers=[descriptor()] * (MAX_LAYERS + 1)),
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(document: object) -> None:
    """Hazards I6, I7, I8, I15: wrong versions, types, sizes, digests, and too many layers."""
    with pytest.raises(UnsupportedContent):
        parsed(document)


def test_an_index_is_bounded() -> None:
    """Hazards I12."""
    assert isinstance(parsed(index(manifests=[descriptor()] * MAX_INDEX_ENTRIES), media.OCI_INDEX), Index)
    with pytest.raises(UnsupportedContent, match="more than the limit of 64"):
        parsed(index(manifests=[descriptor()] * (MAX_INDEX_ENTRIES + 1)), media.OCI_INDEX)
    with pytest.raises(UnsupportedContent, match="schemaVersion"):
        parsed(index(schemaVersion=1), media.OCI_INDEX)


@pytest.mark.parametrize("body", [b"", b"{", b"\xef\xbb\xbf{}", b"\xff", b'{"a":1,"a":2}', b"{}{}", b"[" * 200_000])
def test_damaged_json_is_refused(body: bytes) -> None:
    """Hazards I15 to I17."""
    with pytest.raises(UnsupportedContent, match="cannot be read"):
        parse_manifest(body, media.OCI_MANIFEST)


def test_an_error_does_not_repeat_megabytes() -> None:
    """What the document calls itself may be as long as the document."""
    with pytest.raises(UnsupportedContent) as caught:
        parsed(manifest(mediaType="x" * 1_000_000))
    assert len(str(caught.value)) < 400
