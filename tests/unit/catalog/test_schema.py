"""The catalogue's JSON schema decides: what its reader could not read never becomes visible."""

import json
from pathlib import Path
from typing import Any

import pytest

from receiver.catalog.manifest import AddonManifest
from receiver.catalog.schema import ManifestSchema
from receiver.errors import InstallError, InvalidManifest
from tests.support.addons import manifest_yaml

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://example.com/addon.manifest.schema.json",
    "type": "object",
    "properties": {
        "metadata": {"type": "object", "required": ["name", "description"]},
        "spec": {"properties": {"implementations": {"items": {"$ref": "/schemas/implementation"}}}},
    },
    "$defs": {
        "implementation": {
            "$id": "/schemas/implementation",
            "properties": {"commands": {"required": ["enable"]}, "name": {"type": "string"}},
            "required": ["commands"],
        }
    },
}
"""As the product's is built: draft 2020-12, with schemas of their own identifiers inside that refer to each other."""


def write(catalogue: Path, schema: object) -> ManifestSchema:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    (catalogue / "addon.manifest.schema.json").write_text(text)
    return ManifestSchema(catalogue)


def check(schema: ManifestSchema, text: bytes) -> None:
    schema.check(AddonManifest.parse(text, where="the manifest"), where="the manifest")


GOOD = manifest_yaml("monitoring", "monitoring")


def test_without_a_schema_everything_fits(tmp_path: Path) -> None:
    """The product is not installed yet, or is an older one: the structure was judged before."""
    check(ManifestSchema(tmp_path), GOOD)


def test_a_manifest_that_fits_passes_and_one_that_does_not_is_named_with_the_place(tmp_path: Path) -> None:
    """Through references to schemas inside the file."""
    schema = write(tmp_path, SCHEMA)
    check(schema, GOOD)
    with pytest.raises(
        InvalidManifest, match=r"the manifest does not fit .*: spec\.implementations\[0\]\.commands: .*enable"
    ):
        check(schema, GOOD.replace(b"enable:", b"start:"))


def test_a_new_schema_counts_at_once(tmp_path: Path) -> None:
    """An update of the product replaces it while the receiver runs."""
    schema = write(tmp_path, SCHEMA)
    check(schema, GOOD)
    write(tmp_path, {**SCHEMA, "required": ["licence"]})
    with pytest.raises(InvalidManifest, match="licence"):
        check(schema, GOOD)


@pytest.mark.parametrize(
    "schema",
    [
        "{",
        "[]",
        '{"type": "nonsense"}',
        '{"$ref": "https://example.com/other.json"}',
        "\ufeff\ufeff{}",
        '{"$ref": "file:///etc/passwd"}',
    ],
)
def test_a_schema_that_cannot_be_used_stops_installations_and_says_why(tmp_path: Path, schema: str) -> None:
    """Nothing is fetched to complete it; it is the host that must be repaired, so the release is tried again."""
    broken = write(tmp_path, schema)
    with pytest.raises(InstallError, match=r"addon\.manifest\.schema\.json is no JSON schema: .*repair") as raised:
        check(broken, GOOD)
    assert raised.value.retryable
    assert str(raised.value).isprintable()


def test_a_schema_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    """Somebody else would decide what fits."""
    (tmp_path / "elsewhere").write_text("{}")
    (tmp_path / "addon.manifest.schema.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InstallError, match="is a link: remove it"):
        check(ManifestSchema(tmp_path), GOOD)


def test_what_json_does_not_have_is_judged_as_its_text(tmp_path: Path) -> None:
    """A time of YAML, and numbers beyond every float."""
    schema = write(tmp_path, {"properties": {"metadata": {"properties": {"since": {"type": "string"}}}}})
    check(schema, GOOD.replace(b"  name: monitoring\n", b"  name: monitoring\n  since: 2026-11-22T12:00:00Z\n", 1))
    check(schema, GOOD.replace(b"  name: monitoring\n", b"  name: monitoring\n  size: .inf\n", 1))


def test_what_an_error_says_of_a_manifest_is_one_printable_line(tmp_path: Path) -> None:
    """A manifest holds anything, and as much of it as it likes."""
    schema = write(tmp_path, {"properties": {"metadata": {"properties": {"description": {"const": "x"}}}}})
    text = manifest_yaml("monitoring", "monitoring", description='"\\e[31m' + "long " * 500 + '"')
    with pytest.raises(InvalidManifest) as raised:
        check(schema, text)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 600
