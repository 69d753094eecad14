"""Manifests and indexes for the hazard cases: good ones, but for one thing that somebody made wrong."""

import json
from collections.abc import Callable
from typing import Any

from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.sync.plan import NAME
from receiver.sync.ports import ManifestBody
from tests.support.hazards import ADDON, Push, config_layer
from tests.support.sync_fakes import FakeRegistry
from tests.support.tarwriter import archive, entry, gzipped

Json = dict[str, Any]
FILES = {"run.ps1": b"Write-Output 'new'\n"}
LAYER = gzipped(archive(entry("run.ps1", FILES["run.ps1"])))
DIGEST = str(Digest.of(LAYER))


def manifest(registry: FakeRegistry, **changes: object) -> Json:
    """A good manifest, but for ``changes``."""
    return {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "artifactType": media.ADDON_ARTIFACT,
        "config": registry.layer(b"{}", media.ADDON_CONFIG),
        "layers": [registry.layer(config_layer(), media.CONFIG_FILES), registry.layer(LAYER, media.SCRIPTS)],
        "annotations": {NAME: ADDON},
        **changes,
    }


def index_of(registry: FakeRegistry, *entries: Json, **changes: object) -> Json:
    return {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": list(entries), **changes}


def put(registry: FakeRegistry, document: Json | bytes, media_type: str = media.OCI_MANIFEST) -> Digest:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    digest = Digest.of(body)
    registry.manifests[digest] = ManifestBody(digest=digest, media_type=media_type, body=body)
    return digest


def listed(registry: FakeRegistry, of: Digest, **changes: object) -> Json:
    """The entry of an index."""
    known = registry.manifests[of]
    return {"mediaType": known.media_type, "digest": str(of), "size": len(known.body), **changes}


def changed(*, without: str = "", media_type: str = media.OCI_MANIFEST, **changes: object) -> Push:
    """A good manifest with other members, come as ``media_type``."""

    def push(registry: FakeRegistry) -> Digest:
        document = manifest(registry, **changes)
        document.pop(without, None)
        return put(registry, document, media_type)

    return push


def with_layer(*, alone: bool = False, **changes: object) -> Push:
    """A good manifest whose scripts layer has another descriptor; ``alone``: it is the only layer."""

    def push(registry: FakeRegistry) -> Digest:
        document = manifest(registry)
        document["layers"][-1] |= changes
        if alone:
            del document["layers"][:-1]
        return put(registry, document)

    return push


def indexed(make: Callable[[FakeRegistry, Digest], Json], media_type: str = media.OCI_INDEX) -> Push:
    """An index that ``make`` makes around a good manifest."""

    def push(registry: FakeRegistry) -> Digest:
        return put(registry, make(registry, put(registry, manifest(registry))), media_type)

    return push


def rewritten(change: Callable[[bytes], bytes]) -> Push:
    """A good manifest, changed as text."""

    def push(registry: FakeRegistry) -> Digest:
        return put(registry, change(json.dumps(manifest(registry)).encode()))

    return push


def with_member(text: bytes) -> Push:
    """A good manifest with one more member, given as text."""
    return rewritten(lambda body: body[:-1] + b', "more": ' + text + b"}")


def with_more_layers(*more: Callable[[FakeRegistry], Json]) -> Push:
    """A good manifest with more layers."""

    def push(registry: FakeRegistry) -> Digest:
        document = manifest(registry)
        document["layers"] += [layer(registry) for layer in more]
        return put(registry, document)

    return push


def nested(levels: int) -> Push:
    def push(registry: FakeRegistry) -> Digest:
        digest = put(registry, manifest(registry))
        for _ in range(levels):
            digest = put(registry, index_of(registry, listed(registry, digest)), media.OCI_INDEX)
        return digest

    return push


def claims_itself(registry: FakeRegistry) -> Digest:
    """An index whose entry is said to be the index: no hash allows it, but a registry may claim it."""
    digest = Digest.of(b"itself")
    document = index_of(registry, {"mediaType": media.OCI_INDEX, "digest": str(digest), "size": 247})
    body = json.dumps(document).encode()
    registry.manifests[digest] = ManifestBody(digest=digest, media_type=media.OCI_INDEX, body=body)
    return digest


def platforms_only(registry: FakeRegistry, digest: Digest) -> Json:
    """An image index as for containers: entries by platform, none of them an addon."""
    image = put(registry, manifest(registry, annotations={}))
    return index_of(registry, listed(registry, image, platform={"os": "linux", "architecture": "amd64"}))


def lists(**changes: object) -> Push:
    """An index whose entry for a good manifest says something else of it."""
    return indexed(lambda registry, digest: index_of(registry, listed(registry, digest, **changes)))


def lists_twice(**changes: object) -> Push:
    return indexed(
        lambda registry, digest: index_of(
            registry, listed(registry, digest), listed(registry, digest, **changes), annotations={}
        )
    )


def with_subject(registry: FakeRegistry) -> Digest:
    """A manifest that refers to another, which the registry does not have: whoever asks for it finds out."""
    looped = Digest.of(b"loop")
    subject = {"mediaType": media.OCI_MANIFEST, "digest": str(looped), "size": 300}
    return put(registry, manifest(registry, subject=subject))


def layer_of(content: bytes, media_type: str, **more: object) -> Callable[[FakeRegistry], Json]:
    """A layer that the registry keeps when the manifest is pushed."""
    return lambda registry: registry.layer(content, media_type, **more)


def config_only(kind: str) -> Callable[[FakeRegistry], Digest]:
    """A manifest whose only layer stands where the config belongs."""
    return lambda registry: put(registry, manifest(registry, config=registry.layer(LAYER, kind), layers=[]))
