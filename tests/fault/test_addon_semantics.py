"""Hazards H that need more than one push, or something in the catalogue before it."""

import json
from pathlib import Path

import pytest

from receiver.catalog.layout import MANIFEST, SCHEMA
from receiver.errors import InstallError, InvalidManifest, InvalidNameError
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.sync.plan import IMPLEMENTATION, NAME
from tests.support.addons import manifest_yaml
from tests.support.hazards import Case, Host, config_layer, judge, layers
from tests.support.tarwriter import archive, entry, gzipped

_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "v1"},
        "kind": {"const": "AddonManifest"},
        "spec": {"type": "object"},
        "metadata": {
            "type": "object",
            "required": ["name", "description"],
            "properties": {"description": {"type": "string", "minLength": 3}},
        },
    },
    "additionalProperties": False,
}
_GOOD = manifest_yaml("monitoring", "monitoring")


async def _host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    (host.root / "addons" / SCHEMA).write_text(json.dumps(_SCHEMA))
    await host.install_good()
    return host


@pytest.mark.parametrize(
    ("title", "manifest", "says"),
    [
        ("a member too many", _GOOD + b"surprise: 1\n", "surprise"),
        ("a missing member", _GOOD.replace(b"  description: for tests\n", b"", 1), "description"),
        ("a wrong type", _GOOD.replace(b"description: for tests", b"description: [1]", 1), "description"),
        ("too short a text", _GOOD.replace(b"description: for tests", b"description: ab", 1), "description"),
    ],
)
async def test_a_manifest_must_fit_the_schema_of_the_catalogue(
    tmp_path: Path, title: str, manifest: bytes, says: str
) -> None:
    """The catalogue's reader validates, and one manifest that does not fit hides all addons: refused (hazards H7)."""
    case = Case(id="H7", title=title, push=layers(manifest=manifest), error=InvalidManifest, says=says)
    await judge(case, await _host(tmp_path))


async def test_a_manifest_that_fits_the_schema_is_installed(tmp_path: Path) -> None:
    """The control: the schema alone keeps nothing out."""
    await judge(Case(id="H7", title="fits", push=layers(manifest=_GOOD), verdict="accepted"), await _host(tmp_path))


@pytest.mark.parametrize("content", ["{", '{"type": 7}', '{"$ref": "http://127.0.0.1:1/schema.json"}'])
async def test_a_broken_schema_waits_for_a_person_and_nothing_is_fetched(tmp_path: Path, content: str) -> None:
    """No new push cures the host's own schema, and what it refers to elsewhere is not asked for."""
    host = await _host(tmp_path)
    (host.root / "addons" / SCHEMA).write_text(content)
    case = Case(
        id="H7", title="broken", push=layers(manifest=_GOOD), error=InstallError, says=SCHEMA, retried=True
    )  # fmt: skip
    await judge(case, host)


def _implementation(host: Host, name: str, note: str, *listed: str) -> Digest:
    manifest = manifest_yaml("ingress", *(listed or (name,)), note=note)
    return host.registry.manifest_of(
        {NAME: "ingress", IMPLEMENTATION: name},
        host.registry.layer(config_layer(manifest), media.CONFIG_FILES),
        host.registry.layer(gzipped(archive(entry("run.ps1", note.encode()))), media.SCRIPTS),
    )


async def test_each_delivery_replaces_its_own_entry_and_keeps_the_others(tmp_path: Path) -> None:
    """Also where an artifact lists implementations that it does not deliver (hazards H9, H10)."""
    host = Host(tmp_path)
    path = host.root / "addons/ingress" / MANIFEST
    await host.sync(_implementation(host, "nginx", " one"), "ingress-nginx")
    await host.sync(_implementation(host, "traefik", " two", "traefik", "haproxy"), "ingress-traefik")
    text = path.read_text()
    assert "the nginx way one" in text
    assert "the traefik way two" in text
    assert "haproxy" not in text
    await host.sync(_implementation(host, "nginx", " three", "nginx", "traefik"), "ingress-nginx")
    text = path.read_text()
    assert "the nginx way three" in text
    assert "the traefik way two" in text
    assert text.count("- name: ") == 2


async def test_an_index_cannot_take_an_addon_over(tmp_path: Path) -> None:
    """It may bring addons along that nobody else owns, and no other (hazards H5)."""
    host = Host(tmp_path)
    await host.sync(_implementation(host, "nginx", " one"), "ingress-nginx")
    before = host.everything()
    monitoring = layers((media.SCRIPTS, gzipped(archive(entry("run.ps1", b"x")))), manifest=_GOOD)(host.registry)
    index = host.registry.index_of((monitoring, {}), (_implementation(host, "nginx", " taken"), {}))
    with pytest.raises(InvalidManifest, match="addons/ingress-nginx has installed"):
        await host.sync(index)
    assert host.everything() == before


@pytest.mark.parametrize("leaf", ["common", "lib", "addon.manifest.schema.json", ".git"])
async def test_a_repository_named_for_what_is_no_addon_is_not_synced(tmp_path: Path, leaf: str) -> None:
    """Folders of the product and of the receiver are no addons, whoever pushes a repository of that name (H2)."""
    host = Host(tmp_path)
    before = host.everything()
    digest = layers(manifest=manifest_yaml(leaf, leaf), name=leaf)(host.registry)
    with pytest.raises(InvalidNameError):
        await host.sync(digest, leaf)
    assert host.everything() == before
