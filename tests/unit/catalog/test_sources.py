"""What of a catalogue can be packed, and by which words it is chosen."""

from pathlib import Path

import pytest
import yaml

from receiver.catalog.sources import Source, choose
from receiver.errors import InstallError, InvalidManifest, NotInstalled
from tests.support.addons import files, manifest_yaml, write_tree


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """Two addons of one implementation, one with two, and what is no addon."""
    root = tmp_path / "addons"
    for addon in ("monitoring", "nginx-tools"):
        write_tree(root / addon, {**files(), "addon.manifest.yaml": manifest_yaml(addon, addon)})
    write_tree(root / "ingress", {"addon.manifest.yaml": manifest_yaml("ingress", "nginx", "traefik")})
    for implementation in ("nginx", "traefik"):
        write_tree(root / "ingress" / implementation, files())
    write_tree(root / "common", {"addon.manifest.yaml": b"no addon\n"})
    write_tree(root / ".addon-sync-digests", {"monitoring": b"sha256:"})
    write_tree(root, {"addons.module.psm1": b"#\n"})
    return root


def units(sources: list[Source]) -> list[str]:
    return [str(source.unit) for source in sources]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ["ingress nginx", "ingress traefik", "monitoring", "nginx-tools"]),
        (("monitoring",), ["monitoring"]),
        (("ingress",), ["ingress nginx", "ingress traefik"]),
        (("ingress nginx",), ["ingress nginx"]),
        (("ingress/traefik", "monitoring"), ["ingress traefik", "monitoring"]),
        (("ingress-nginx",), ["ingress nginx"]),
        (("ingress", "nginx"), ["ingress nginx"]),
        (("ingress", "nginx", "traefik"), ["ingress nginx", "ingress traefik"]),
        (("ingress", "nginx", "monitoring"), ["ingress nginx", "monitoring"]),
        (("monitoring", "monitoring"), ["monitoring"]),
        (("monitoring monitoring",), ["monitoring"]),
        (("nginx-tools",), ["nginx-tools"]),
    ],
)
def test_addons_and_implementations_are_told_apart(
    catalogue: Path, words: tuple[str, ...], expected: list[str]
) -> None:
    """Quoted as the product does it, with a slash, as the repository is called, or one word after the other."""
    assert units(choose(catalogue, words)) == expected


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("nginx", "there are: ingress, monitoring, nginx-tools"),
        ("ingress haproxy", "it has nginx, traefik"),
        ("monitoring/other", "it has monitoring"),
        ("", "there is no addon ''"),
        ("../addons/monitoring", "there is no addon"),
        ("common", "there is no addon"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(catalogue: Path, word: str, said: str) -> None:
    """Cause and remedy in one line."""
    with pytest.raises(NotInstalled, match=said):
        choose(catalogue, [word])


def test_the_manifest_lists_the_one_implementation_and_keeps_its_comments(catalogue: Path) -> None:
    """Else one delivery would list implementations whose folders never came."""
    nginx, _ = choose(catalogue, ["ingress"])
    document = yaml.safe_load(nginx.manifest)
    assert [entry["name"] for entry in document["spec"]["implementations"]] == ["nginx"]
    assert nginx.manifest.startswith(b"# SPDX")
    assert b"# about nginx" in nginx.manifest


def test_a_manifest_of_one_implementation_stays_as_it_is(catalogue: Path) -> None:
    """To the byte: the tree elsewhere is equal."""
    (source,) = choose(catalogue, ["monitoring"])
    assert source.manifest == (catalogue / "monitoring" / "addon.manifest.yaml").read_bytes()
    assert source.description == "for tests"


def test_version_and_packages_come_from_the_manifest(catalogue: Path) -> None:
    """The entry of the implementation first; packages are what Debian names and downloads are there."""
    path = catalogue / "ingress" / "addon.manifest.yaml"
    document = yaml.safe_load(path.read_bytes())
    document["metadata"]["version"] = "1.2.0"
    document["spec"]["implementations"][0] |= {"version": "2.0.0", "offline_usage": {"linux": {"deb": ["socat"]}}}
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    nginx, traefik = choose(catalogue, ["ingress"])
    assert (nginx.version, nginx.has_packages) == ("2.0.0", True)
    assert (traefik.version, traefik.has_packages) == ("1.2.0", False)
    assert choose(catalogue, ["monitoring"])[0].version is None


def test_what_belongs_to_no_implementation_is_named(catalogue: Path) -> None:
    """No artifact has a place for it, so somebody must know."""
    write_tree(catalogue / "ingress", {"README.md": b"both\n"})
    assert {source.left_out for source in choose(catalogue, ["ingress"])} == {("README.md",)}
    assert choose(catalogue, ["monitoring"])[0].left_out == ()


def test_a_manifest_that_contradicts_its_folder_is_refused(catalogue: Path) -> None:
    """Every receiver would refuse what is packed of it."""
    write_tree(catalogue / "monitoring", {"addon.manifest.yaml": manifest_yaml("other", "other")})
    with pytest.raises(InvalidManifest, match="names the addon 'other'"):
        choose(catalogue, ["monitoring"])
    assert units(choose(catalogue, ["ingress nginx"])) == ["ingress nginx"]


def test_an_implementation_without_its_folder_is_refused(catalogue: Path) -> None:
    """An artifact without files would remove what a host has."""
    manifest = manifest_yaml("ingress", "nginx", "traefik", "gone")
    write_tree(catalogue / "ingress", {"addon.manifest.yaml": manifest})
    with pytest.raises(InstallError, match="gone"):
        choose(catalogue, ["ingress"])


def test_an_implementation_of_the_addons_own_name_beside_others_is_refused(catalogue: Path) -> None:
    """One folder cannot be both the addon and one of several."""
    write_tree(catalogue / "ingress", {"addon.manifest.yaml": manifest_yaml("ingress", "ingress", "nginx")})
    with pytest.raises(InvalidManifest, match="own name beside others"):
        choose(catalogue, ["ingress"])


def test_a_linked_manifest_is_refused(catalogue: Path, tmp_path: Path) -> None:
    """It would carry a file of this host to all others."""
    path = catalogue / "monitoring" / "addon.manifest.yaml"
    path.rename(tmp_path / "elsewhere.yaml")
    path.symlink_to(tmp_path / "elsewhere.yaml")
    with pytest.raises(InstallError, match="is a link"):
        choose(catalogue, ["monitoring"])


def test_the_catalogues_schema_is_asked(catalogue: Path) -> None:
    """What the product could not read is not delivered to others."""
    write_tree(catalogue, {"addon.manifest.schema.json": b'{"required": ["owner"]}'})
    with pytest.raises(InvalidManifest, match="owner"):
        choose(catalogue, ["monitoring"])
