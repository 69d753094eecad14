"""Where the units of an addon lie, and which names must not become one."""

import pytest

from receiver.catalog.layout import NOT_TRANSFERRED, WANTED, Unit
from receiver.errors import InvalidNameError
from receiver.oci import media


def test_a_single_implementation_shares_the_folder_of_its_addon() -> None:
    """`addons/monitoring`, delivered by the repository `monitoring`."""
    unit = Unit.parse("monitoring", "monitoring")
    assert (unit.single, unit.folder, unit.leaf, str(unit)) == (True, "monitoring", "monitoring", "monitoring")


def test_one_of_several_implementations_has_a_folder_of_its_own() -> None:
    """`addons/ingress/nginx`, delivered by the repository `ingress-nginx`."""
    unit = Unit.parse("ingress", "nginx")
    assert (unit.single, unit.folder, unit.leaf, str(unit)) == (
        False,
        "ingress/nginx",
        "ingress-nginx",
        "ingress nginx",
    )


@pytest.mark.parametrize(
    "name", ["..", ".", "", "a/b", "a\\b", "CON", "nul", "nul.txt", "common", ".addon-sync", "a b"]
)
def test_a_hostile_name_becomes_no_folder(name: str) -> None:
    """Neither as an addon nor as an implementation (hazards H1, H2, H4)."""
    with pytest.raises(InvalidNameError):
        Unit.parse(name, "nginx")
    with pytest.raises(InvalidNameError):
        Unit.parse("ingress", name)


@pytest.mark.parametrize("name", ["manifests", "config"])
def test_a_folder_of_every_addon_is_no_implementation(name: str) -> None:
    """Its files would lie among those of a single implementation (hazards H4)."""
    with pytest.raises(InvalidNameError, match="folder of every addon"):
        Unit.parse("ingress", name)


def test_layers_are_unpacked_where_the_catalogue_expects_them() -> None:
    """Layers 0-3 have a rule, layers 4-6 have none and are known as not transferred."""
    assert {kind: rule.folder for kind, rule in WANTED.items()} == {
        media.CONFIG_FILES: "",
        media.MANIFESTS: "manifests",
        media.HELM_CHARTS: "manifests/chart",
        media.SCRIPTS: "",
    }
    assert WANTED[media.CONFIG_FILES].captured == {"addon.manifest.yaml"}
    assert set(NOT_TRANSFERRED) == {media.IMAGES_LINUX, media.IMAGES_WINDOWS, media.PACKAGES}
