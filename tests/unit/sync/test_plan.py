"""What of an artifact is wanted, and what is refused."""

from collections.abc import Mapping

import pytest

from receiver.errors import InvalidNameError, UnsupportedContent
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest
from receiver.oci.manifest import Index, Manifest
from receiver.sync.plan import IMPLEMENTATION, NAME, VERSION, Plan, entries, plan

LIMIT = 1000


def layer(
    media_type: str = media.MANIFESTS, content: bytes = b"x", *, size: int = 1, foreign: bool = False
) -> Descriptor:
    return Descriptor(media_type=media_type, digest=Digest.of(content), size=size, foreign=foreign)


def manifest(annotations: Mapping[str, str], *layers: Descriptor) -> Manifest:
    return Manifest(
        digest=Digest.of(repr(annotations).encode()),
        artifact_type=media.ADDON_ARTIFACT,
        config=layer(media.ADDON_CONFIG),
        layers=layers,
        annotations=annotations,
    )


def planned(*artifacts: tuple[Mapping[str, str], Manifest]) -> Plan:
    return plan(artifacts, max_layer_size=LIMIT)


def test_the_layers_of_definitions_are_wanted_and_those_of_images_are_not() -> None:
    """Layers 0-3 by media type; 4-6 are gigabytes that nobody needs."""
    wanted = [media.CONFIG_FILES, media.MANIFESTS, media.HELM_CHARTS, media.SCRIPTS]
    others = [media.IMAGES_LINUX, media.IMAGES_WINDOWS, media.PACKAGES]
    layers = [layer(name, name.encode(), size=10**12 if name in others else 1) for name in [*others, *wanted]]
    found = planned(({}, manifest({NAME: "monitoring"}, *layers)))
    assert [planned.descriptor.media_type for planned in found.units[0].layers] == wanted
    assert len(found.skipped) == 3
    assert found.warnings == ()
    assert [blob.media_type for blob in found.blobs()] == wanted


def test_a_blob_that_two_units_share_is_fetched_once() -> None:
    """Layers are content-addressed."""
    one = manifest({NAME: "ingress", IMPLEMENTATION: "nginx"}, layer())
    two = manifest({NAME: "ingress", IMPLEMENTATION: "traefik"}, layer())
    found = planned(({}, one), ({}, two))
    assert [str(unit.unit) for unit in found.units] == ["ingress nginx", "ingress traefik"]
    assert len(found.blobs()) == 1


def test_annotations_of_the_entry_come_first_and_those_of_the_manifest_second() -> None:
    """A copy between registries may have stripped either."""
    entry = {NAME: "ingress", VERSION: ""}
    found = planned((entry, manifest({NAME: "other", IMPLEMENTATION: "nginx", VERSION: "1.2.3"}, layer())))
    assert str(found.units[0].unit) == "ingress nginx"
    assert found.version == "1.2.3"


def test_an_entry_without_a_name_is_left_out_with_a_warning() -> None:
    """As long as there is an addon beside it."""
    found = planned(({}, manifest({}, layer())), ({}, manifest({NAME: "monitoring"}, layer())))
    assert [str(unit.unit) for unit in found.units] == ["monitoring"]
    assert len(found.warnings) == 1


@pytest.mark.parametrize("artifacts", [[], [({}, manifest({}, layer()))]], ids=["nothing", "no name"])
def test_an_artifact_without_an_addon_is_refused(artifacts: list[tuple[Mapping[str, str], Manifest]]) -> None:
    """Never a silent success."""
    with pytest.raises(UnsupportedContent, match="holds no addon"):
        planned(*artifacts)


def test_an_addon_that_is_delivered_twice_is_refused() -> None:
    """Which one would win is nobody's guess."""
    with pytest.raises(UnsupportedContent, match="delivers monitoring twice"):
        planned(({}, manifest({NAME: "monitoring"}, layer())), ({NAME: "monitoring"}, manifest({}, layer())))


def test_unknown_layers_are_skipped_with_a_warning_and_the_empty_one_without() -> None:
    """Later versions may add layers; the empty blob is no layer."""
    found = planned(({}, manifest({NAME: "monitoring"}, layer(), layer("text/x-new"), layer(media.OCI_EMPTY))))
    assert [warning for warning in found.warnings if "'text/x-new'" in warning] == list(found.warnings)
    assert len(found.warnings) == 1


@pytest.mark.parametrize("kind", ["application/octet-stream", media.OCI_EMPTY, media.IMAGES_LINUX, None])
def test_an_addon_without_definitions_is_refused_with_the_remedy(kind: str | None) -> None:
    """The known negative case: pushed with a tool that does not keep media types."""
    layers = [layer(kind)] if kind else []
    with pytest.raises(UnsupportedContent, match="k2s addons export") as refused:
        planned(({}, manifest({NAME: "monitoring"}, *layers)))
    assert (kind or "none") in str(refused.value)


def test_foreign_layers_are_refused_where_they_would_be_fetched() -> None:
    """CVE-2020-15157; images are not fetched, so where they are said to be does not matter."""
    with pytest.raises(UnsupportedContent, match="never fetched"):
        planned(({}, manifest({NAME: "monitoring"}, layer(foreign=True))))
    planned(({}, manifest({NAME: "monitoring"}, layer(), layer(media.IMAGES_LINUX, foreign=True))))


def test_a_layer_over_the_limit_is_refused_before_a_byte_is_fetched() -> None:
    """The limit itself is allowed, and the setting is named."""
    planned(({}, manifest({NAME: "monitoring"}, layer(size=LIMIT))))
    with pytest.raises(UnsupportedContent, match="ADDON_SYNC_MAX_LAYER_SIZE"):
        planned(({}, manifest({NAME: "monitoring"}, layer(size=LIMIT + 1))))


@pytest.mark.parametrize(("name", "implementation"), [("..", "x"), ("a/b", "x"), ("common", "x"), ("a", "manifests")])
def test_names_that_must_not_become_folders_are_refused(name: str, implementation: str) -> None:
    """Annotations are attacker input."""
    with pytest.raises(InvalidNameError):
        planned(({NAME: name, IMPLEMENTATION: implementation}, manifest({}, layer())))


def test_only_manifests_and_indexes_of_an_index_are_followed() -> None:
    """Anything else in it is not for us."""
    listed = [layer(kind, kind.encode()) for kind in (media.OCI_MANIFEST, "text/plain", media.DOCKER_LIST)]
    index = Index(digest=Digest.of(b""), manifests=tuple(listed), annotations={})
    assert [entry.media_type for entry in entries(index)] == [media.OCI_MANIFEST, media.DOCKER_LIST]
