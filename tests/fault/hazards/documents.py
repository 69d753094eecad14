"""Hazards I: OCI manifests and indexes that mean two things, promise what is not so, or are too much."""

import base64

from receiver.errors import InvalidNameError, ReceiverError, SizeMismatch, UnsupportedContent
from receiver.oci import media
from receiver.sync.plan import NAME, VERSION
from tests.support.hazards import ADDON, Case, Elsewhere, Push
from tests.support.manifests import (
    DIGEST,
    FILES,
    LAYER,
    changed,
    claims_itself,
    config_only,
    index_of,
    indexed,
    layer_of,
    listed,
    lists,
    lists_twice,
    manifest,
    nested,
    platforms_only,
    put,
    rewritten,
    with_layer,
    with_member,
    with_more_layers,
    with_subject,
)

_LYING = "tests/fault/registry/test_lying_documents.py"
_HEX = DIGEST.removeprefix("sha256:")


def _refused(
    number: int, title: str, push: Push, says: str = "", *, error: type[ReceiverError] = UnsupportedContent
) -> Case:
    return Case(id=f"I{number}", title=title, push=push, error=error, says=says)


def _broken(number: int, title: str, push: Push) -> Case:
    """Refused before anything is fetched, whatever its bytes are."""
    return _refused(number, title, push, "the manifest cannot be read")


def _mismatch(number: int, title: str, push: Push) -> Case:
    return Case(id=f"I{number}", title=title, push=push, error=SizeMismatch, says="sha256:", retried=True)


def _taken(number: int, title: str, push: Push, files: dict[str, bytes] = FILES) -> Case:
    return Case(id=f"I{number}", title=title, push=push, verdict="accepted", tree=files)


_BAD_DIGESTS = {
    "in upper case": f"sha256:{_HEX.upper()}",
    "of 63 digits": f"sha256:{_HEX[:-1]}",
    "of 65 digits": f"sha256:{_HEX}0",
    "md5": f"md5:{_HEX[:32]}",
    "sha1": f"sha1:{_HEX[:40]}",
    "sha512": f"sha512:{_HEX * 2}",
    "sha256+b64u": f"sha256+b64u:{_HEX}",
    "SHA256": f"SHA256:{_HEX}",
    "with a newline": f"{DIGEST}\n",
    "that is a path": "../../../etc/passwd",
    "that is a path after its algorithm": "sha256:../../../etc/passwd",
    "that is empty": "",
}
_BAD_SIZES: dict[str, object] = {
    "of -1": -1, "of 2^63": 2**63, "of 2^64": 2**64, "as a fraction": 7.5, "as text": "7", "as null": None,
    "as true": True,
}  # fmt: skip
_NEAR_MISSES = {
    "with a parameter": f"{media.SCRIPTS}; x",
    "with a suffix": f"{media.SCRIPTS}x",
    "with a prefix": f"x-{media.SCRIPTS}",
    "in upper case": media.SCRIPTS.upper(),
    "with a space": f"{media.SCRIPTS} ",
    "of another version": media.SCRIPTS.replace(".v1.", ".v2."),
}
_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
_DATA = base64.b64encode(LAYER).decode()
_OTHER_DATA = base64.b64encode(LAYER[:-1] + b"x").decode()

CASES: tuple[Case | Elsewhere, ...] = (
    _refused(1, "layers and manifests at once", changed(manifests=[]), "a manifest and an index at once"),
    _refused(
        1,
        "an index with layers",
        indexed(lambda registry, digest: index_of(registry, listed(registry, digest), layers=[])),
        "a manifest and an index at once",
    ),
    _refused(
        1,
        "an index with a config",
        indexed(lambda registry, digest: index_of(registry, listed(registry, digest), config={})),
        "a manifest and an index at once",
    ),
    _refused(2, "a manifest that came as an index", changed(media_type=media.OCI_INDEX), "calls itself"),
    _refused(
        2, "a manifest of OCI that came as one of Docker", changed(media_type=media.DOCKER_MANIFEST), "calls itself"
    ),
    _refused(
        2,
        "a manifest without mediaType that came as an index",
        changed(without="mediaType", media_type=media.OCI_INDEX),
    ),
    _refused(2, "an index entry of another type than what comes", lists(mediaType=media.OCI_INDEX), "sha256:"),
    _refused(3, "no Content-Type", changed(media_type=""), "neither an image manifest nor an image index"),
    _refused(3, "a Content-Type of HTML", changed(media_type="text/html"), "'text/html' is neither"),
    _refused(3, "a Content-Type in upper case", changed(media_type=media.OCI_MANIFEST.upper()), "is neither"),
    Elsewhere(
        id="I3",
        title="parameters of a Content-Type are ignored",
        verdict="accepted",
        tests=(f"{_LYING}::test_parameters_of_a_media_type_are_ignored",),
    ),
    _refused(4, "Docker schema 1", changed(media_type=_SCHEMA_1, schemaVersion=1, fsLayers=[]), "is neither"),
    _refused(4, "fsLayers in an OCI manifest", changed(fsLayers=[]), "Docker schema 1"),
    _taken(
        5,
        "a Docker manifest and list, as copies between registries make them: allowed, by the same rules",
        indexed(
            lambda registry, _: index_of(
                registry,
                listed(
                    registry,
                    put(registry, manifest(registry, mediaType=media.DOCKER_MANIFEST), media.DOCKER_MANIFEST),
                ),
                mediaType=media.DOCKER_LIST,
            ),
            media.DOCKER_LIST,
        ),
    ),
    *(
        _refused(6, f"schemaVersion {value!r}", changed(schemaVersion=value))
        for value in (0, 1, 3, "2", 2.0, True, None)
    ),
    _broken(6, "no schemaVersion", changed(without="schemaVersion")),
    *(
        _refused(7, f"a digest {title}", with_layer(digest=digest), "not a sha256 digest")
        for title, digest in _BAD_DIGESTS.items()
    ),
    _refused(
        7,
        "an index entry with a digest that is a path",
        lists(digest="../../../etc/passwd"),
        "not a sha256 digest",
    ),
    *(_refused(8, f"a size {title}", with_layer(size=size)) for title, size in _BAD_SIZES.items()),
    _refused(8, "a size of 2^62", with_layer(size=2**62), "ADDON_SYNC_MAX_LAYER_SIZE"),
    _mismatch(8, "a size that is one too many", with_layer(size=len(LAYER) + 1)),
    _mismatch(8, "a size that is one too few", with_layer(size=len(LAYER) - 1)),
    _mismatch(8, "a size of 0", with_layer(size=0)),
    _mismatch(8, "an index entry whose size is off by one", lists(size=1)),
    _refused(9, "data that disagrees with its digest", with_layer(data=_OTHER_DATA), DIGEST),
    _refused(9, "data of another length than its size", with_layer(data=""), DIGEST),
    _refused(9, "data that is no base64", with_layer(data="%%%"), DIGEST),
    _refused(9, "data that is no text", with_layer(data=5)),
    _taken(9, "data that agrees; the blob is fetched all the same", with_layer(data=_DATA)),
    _refused(10, "urls on a layer that is needed", with_layer(urls=["https://elsewhere.example/x"]), "never fetched"),
    _refused(10, "urls that lead to this host", with_layer(urls=["file:///etc/passwd"]), "never fetched"),
    _taken(
        10,
        "urls on a layer that is not transferred",
        with_more_layers(layer_of(b"image", media.IMAGES_LINUX, urls=["https://elsewhere.example/x"])),
    ),
    _refused(
        11,
        "nothing but a non-distributable layer",
        with_layer(alone=True, mediaType=_NONDISTRIBUTABLE),
        _NONDISTRIBUTABLE,
    ),
    _taken(
        11,
        "a non-distributable layer beside the others is not for us",
        with_more_layers(layer_of(b"image", _NONDISTRIBUTABLE, urls=["https://elsewhere.example/x"])),
    ),
    _taken(12, "an index in an index", nested(2)),
    _refused(12, "an index in an index in an index", nested(3), "nested deeper than 1"),
    _refused(12, "an index that claims to hold itself", claims_itself, "nested deeper than 1"),
    _refused(
        12,
        "10,000 index entries",
        indexed(lambda registry, digest: index_of(registry, *[listed(registry, digest)] * 10_000)),
        "10000 index entries, more than the limit of 64",
    ),
    _refused(13, "an index of platforms and of no addon", indexed(platforms_only), "holds no addon"),
    _refused(13, "an index without entries", indexed(lambda registry, _: index_of(registry)), "holds no addon"),
    _refused(
        13,
        "an index of things that are no manifests",
        lists(mediaType="application/vnd.docker.plugin.v1+json"),
        "holds no addon",
    ),
    _refused(14, "a layer twice with two sizes", with_more_layers(layer_of(LAYER, media.SCRIPTS, size=7)), DIGEST),
    _refused(
        14,
        "a layer and a config with two sizes",
        changed(config={"mediaType": "x/y", "digest": DIGEST, "size": 7}),
        DIGEST,
    ),
    _refused(14, "an index entry twice with two sizes", lists_twice(size=7), "sha256:"),
    _refused(14, "an index entry twice with two types", lists_twice(mediaType=media.OCI_INDEX), "sha256:"),
    _taken(
        14,
        "one blob as two kinds of layer is unpacked by the rule of each",
        with_more_layers(layer_of(LAYER, media.MANIFESTS)),
        {"run.ps1": FILES["run.ps1"], "manifests/run.ps1": FILES["run.ps1"]},
    ),
    _refused(
        15,
        "20,000 layers",
        changed(layers=[{"mediaType": "x", "digest": DIGEST, "size": 1}] * 20_000),
        "20000 layers, more than the limit of 32",
    ),
    _refused(15, "JSON that is nested 2 million deep", lambda registry: put(registry, b"[" * 2_000_000)),
    Elsewhere(
        id="I15",
        title="4 MiB of values, in time and memory",
        tests=("tests/fault/test_bombs.py::test_a_document_of_four_megabytes_is_refused_in_little_time_and_memory",),
    ),
    _broken(15, "objects that are nested 100,000 deep", with_member(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)),
    _taken(15, "an annotation of 3 MiB that nobody reads", changed(annotations={NAME: ADDON, "x": "y" * (3 << 20)})),
    _refused(15, "a version of 3 MiB", changed(annotations={NAME: ADDON, VERSION: "1" * (3 << 20)}), VERSION),
    _refused(
        15, "a version with control characters", changed(annotations={NAME: ADDON, VERSION: "1\x1b[2J\n"}), VERSION
    ),
    _refused(15, "a name of 3 MiB", changed(annotations={NAME: "x" * (3 << 20)}), error=InvalidNameError),
    _broken(16, "layers twice", rewritten(lambda body: body.replace(b'"layers"', b'"layers": [], "layers"', 1))),
    _broken(
        16,
        "a digest twice in a descriptor",
        rewritten(lambda body: body.replace(b'"digest"', b'"digest": "x", "digest"', 1)),
    ),
    _broken(
        16,
        "layers twice, once escaped",
        rewritten(lambda body: body.replace(b'"layers"', b'"l\\u0061yers": [], "layers"', 1)),
    ),
    _broken(
        16,
        "an annotation twice",
        rewritten(lambda body: body.replace(b'"vnd.k2s', b'"vnd.k2s.addon.name": "x", "vnd.k2s', 1)),
    ),
    _broken(17, "invalid UTF-8", with_member(b'"\xc0\xaf"')),
    _broken(17, "a byte order mark", rewritten(lambda body: b"\xef\xbb\xbf" + body)),
    _broken(17, "UTF-16", rewritten(lambda body: body.decode().encode("utf-16"))),
    _broken(17, "a lone surrogate", with_member(b'"\\ud800"')),
    *(
        _broken(17, f"the number {word.decode()}", with_member(word))
        for word in (b"NaN", b"Infinity", b"-Infinity", b"1e999")
    ),
    _broken(17, "an integer of 5,000 digits", with_member(b"9" * 5000)),
    _broken(17, "text after the document", rewritten(lambda body: body + b"{}")),
    _broken(17, "a NUL after the document", rewritten(lambda body: body + b"\0")),
    _broken(17, "nothing at all", rewritten(lambda body: b"")),
    _refused(17, "a document that is a list", rewritten(lambda body: b"[" + body + b"]"), "not a JSON object"),
    *(
        _refused(
            18, f"a layer type {title}, alone", with_layer(alone=True, mediaType=kind), "no config, manifests, chart"
        )
        for title, kind in _NEAR_MISSES.items()
    ),
    *(
        _taken(18, f"a layer type {title}, beside a good layer: skipped", with_layer(mediaType=kind), {})
        for title, kind in _NEAR_MISSES.items()
    ),
    _refused(19, "a layer as the config, and no layer", config_only(media.SCRIPTS), "no config, manifests, chart"),
    _refused(
        19, "a config as the only layer", with_layer(alone=True, mediaType=media.ADDON_CONFIG), media.ADDON_CONFIG
    ),
    _taken(
        19,
        "a config among the layers: skipped",
        with_more_layers(layer_of(b"{}", media.ADDON_CONFIG)),
    ),
    _taken(19, "the empty blob among the layers", with_more_layers(layer_of(b"{}", media.OCI_EMPTY))),
    _refused(
        19, "an empty blob that is not empty", with_more_layers(layer_of(b"evil", media.OCI_EMPTY)), media.OCI_EMPTY
    ),
    _refused(
        19,
        "an empty config that is not empty",
        lambda registry: put(registry, manifest(registry, config=registry.layer(b"evil", media.OCI_EMPTY))),
        media.OCI_EMPTY,
    ),
    *(
        _refused(20, f"an artifact of the type {kind!r}", changed(artifactType=kind), "artifactType")
        for kind in (
            "application/vnd.cncf.helm.config.v1+json",
            f"{media.ADDON_ARTIFACT}; x",
            media.ADDON_ARTIFACT.upper(),
            "",
        )
    ),
    _taken(20, "no artifactType, as tools of before have it", changed(without="artifactType")),
    _taken(21, "a subject is never followed", with_subject),
    _refused(21, "a subject that is no descriptor", changed(subject="x")),
    Elsewhere(
        id="I22",
        title="a manifest of exactly 4 MiB is read, one of a byte more is not",
        tests=(f"{_LYING}::test_a_manifest_of_the_largest_size_passes",),
    ),
)
