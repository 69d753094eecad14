"""Pushes an artifact over HTTP, so that tests need no other client. Blocks; call it in a thread from async tests.

Plain HTTP to loopback only, without proxies.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode, urljoin

from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def descriptor_of(content: bytes, media_type: str, annotations: Mapping[str, str] | None = None) -> Descriptor:
    """The descriptor of ``content``."""
    return Descriptor(
        media_type=media_type, digest=Digest.of(content), size=len(content), annotations=annotations or {}
    )


def manifest_of(
    layers: Iterable[Descriptor],
    *,
    config: Descriptor,
    annotations: Mapping[str, str] | None = None,
    artifact_type: str = media.ADDON_ARTIFACT,
) -> bytes:
    """An OCI image manifest over ``layers``."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": _document(config),
            "layers": [_document(layer) for layer in layers],
            "annotations": dict(annotations or {}),
        }
    ).encode()


def push_blob(registry: str, repository: str, content: bytes) -> Digest:
    """Push one blob to ``registry`` (``http://127.0.0.1:5000``): a session by POST, the bytes by PUT."""
    digest = Digest.of(content)
    session = _send(f"{registry}/v2/{repository}/blobs/uploads/", "POST", b"")
    location = urljoin(registry, session["Location"])
    separator = "&" if "?" in location else "?"
    _send(f"{location}{separator}{urlencode({'digest': str(digest)})}", "PUT", content, "application/octet-stream")
    return digest


def push_manifest(registry: str, repository: str, manifest: bytes, media_type: str, reference: str) -> Digest:
    """Put a manifest or index under a tag or its digest."""
    _send(f"{registry}/v2/{repository}/manifests/{reference}", "PUT", manifest, media_type)
    return Digest.of(manifest)


def push_artifact(
    registry: str,
    repository: str,
    tag: str,
    *,
    blobs: Iterable[bytes],
    manifest: bytes,
    media_type: str = media.OCI_MANIFEST,
) -> Digest:
    """Push ``blobs``, then ``manifest`` under ``tag``; the manifest's digest."""
    for blob in blobs:
        push_blob(registry, repository, blob)
    return push_manifest(registry, repository, manifest, media_type, tag)


def push_files(registry: str, repository: str, tag: str, *layers: bytes, media_type: str = media.SCRIPTS) -> Digest:
    """Push an artifact of ``layers``, all of one media type, with an empty config; the manifest's digest."""
    config = b"{}"
    manifest = manifest_of(
        [descriptor_of(layer, media_type) for layer in layers], config=descriptor_of(config, media.OCI_EMPTY)
    )
    return push_artifact(registry, repository, tag, blobs=[config, *layers], manifest=manifest)


def delete_manifest(registry: str, repository: str, digest: Digest) -> None:
    """Delete a manifest, and with it its tags."""
    _send(f"{registry}/v2/{repository}/manifests/{digest}", "DELETE", None)


def _send(url: str, method: str, body: bytes | None, media_type: str | None = None) -> Mapping[str, str]:
    request = urllib.request.Request(url, data=body, method=method)
    if media_type is not None:
        request.add_header("Content-Type", media_type)
    try:
        with _opener.open(request, timeout=60) as answer:
            answer.read()
            return dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(f"{method} {url}: {error.code} {error.read(2000)!r}") from error


def _document(descriptor: Descriptor) -> dict[str, object]:
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
        **({"annotations": dict(descriptor.annotations)} if descriptor.annotations else {}),
    }
