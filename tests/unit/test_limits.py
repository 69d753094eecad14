"""The limits: each can be set, is reached exactly, and is named by its setting in the refusal."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from receiver.app import archive_limits
from receiver.catalog.archive import Budget
from receiver.catalog.limits import ArchiveLimits
from receiver.catalog.names import NameLimits
from receiver.catalog.staging import StagedTree, unpack
from receiver.config import Settings, load
from receiver.connect import document_limits
from receiver.document import outward
from receiver.errors import ReceiverError, UnsafeArchive, UnsupportedContent
from receiver.oci import media
from receiver.oci.manifest import DocumentLimits, parse_manifest
from receiver.settings_table import SETTINGS
from tests.support.tarwriter import archive, entry, folder, gzipped, long_name, pax, record

MANIFEST = "addon.manifest.yaml"
COMMENT = pax(record("comment", "c"), kind=b"g")
LAYER = gzipped(archive(entry("a", b"x")))
ZEROS = gzipped(archive(entry("zeros", bytes(2 << 20))))
ZEROS_RATIO = -(-((2 << 20) + 3 * 512) // len(ZEROS))
DESCRIPTOR = {"mediaType": media.SCRIPTS, "digest": "sha256:" + "a" * 64, "size": 7}


def loaded(folder: Path, environment: Mapping[str, str]) -> Settings:
    least = {"REGISTRY_URL": "oci://r", "K2S_INSTALL_DIR": str(folder)}
    return load(flags={}, environment={**least, **environment}, file=None)


def test_the_defaults_of_the_settings_are_those_of_the_code(tmp_path: Path) -> None:
    """A default in two places would be two defaults one day."""
    settings = loaded(tmp_path, {})
    assert archive_limits(settings) == ArchiveLimits()
    assert document_limits(settings) == DocumentLimits()


def test_every_limit_is_a_setting_and_arrives(tmp_path: Path) -> None:
    """Each with a value of its own: none is forgotten, and none is taken for another."""
    values = {setting.name: 100 + number for number, setting in enumerate(SETTINGS) if "_MAX_" in setting.name}
    settings = loaded(tmp_path, {name: str(value) for name, value in values.items()})
    limits, documents = outward(archive_limits(settings)), outward(document_limits(settings))
    found = {**limits, **limits["names"], **documents, "max_document_size": documents["max_size"]}
    del found["names"], found["max_size"], values["ADDON_SYNC_MAX_BODY_SIZE"]
    assert {f"ADDON_SYNC_{name.upper()}": value for name, value in found.items()} == values


ARCHIVES: dict[str, tuple[Callable[[int], ArchiveLimits], int, Callable[[int], bytes]]] = {
    "FILE_SIZE": (lambda n: ArchiveLimits(max_file_size=n), 100, lambda n: entry("a", b"x" * n)),
    "ADDON_SIZE": (lambda n: ArchiveLimits(max_addon_size=n), 100, lambda n: entry("a", b"x" * n)),
    "FILES": (lambda n: ArchiveLimits(max_files=n), 3, lambda n: b"".join(folder(f"d{i}/") for i in range(n))),
    "DEPTH": (lambda n: ArchiveLimits(names=NameLimits(max_depth=n)), 3, lambda n: entry("/".join("a" * n))),
    "COMPONENT": (lambda n: ArchiveLimits(names=NameLimits(max_component=n)), 6, lambda n: entry("a/" + "n" * n)),
    "PATH": (
        lambda n: ArchiveLimits(names=NameLimits(max_path=n, max_component=8)),
        9,
        lambda n: entry("a/" + "n" * (n - 2)),
    ),
    "PAX_HEADER": (
        lambda n: ArchiveLimits(max_pax_header=n),
        50,
        lambda n: pax(record("comment", "x" * (n - 12))) + entry("a"),
    ),
    "PAX_RECORDS": (
        lambda n: ArchiveLimits(max_pax_records=n),
        3,
        lambda n: pax(*(record(f"SCHILY.{i}", "1") for i in range(n))) + entry("a"),
    ),
    "EXTENSIONS": (lambda n: ArchiveLimits(max_extensions=n), 2, lambda n: COMMENT * n + entry("a")),
    "GNU_NAME": (lambda n: ArchiveLimits(max_gnu_name=n), 20, lambda n: long_name(b"n" * (n - 1) + b"\0") + entry("a")),
    "MANIFEST_SIZE": (lambda n: ArchiveLimits(max_manifest_size=n), 100, lambda n: entry(MANIFEST, b"#" * n)),
}
"""By setting: the limits with a value of it, a value, and an archive that asks for so much."""


def unpacked(layer: bytes, limits: ArchiveLimits, scratch: Path) -> None:
    path = scratch / "layer"
    path.write_bytes(layer)
    with StagedTree(scratch / "tree", Budget(limits)) as tree:
        unpack(path, size=len(layer), tree=tree, capture={MANIFEST})


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_limit_of_archives_is_reached_exactly_and_named(tmp_path: Path, name: str) -> None:
    """The value itself is taken, one more is refused with the name of the setting."""
    limits, value, make = ARCHIVES[name]
    unpacked(gzipped(archive(make(value))), limits(value), tmp_path)
    (tmp_path / "over").mkdir()
    with pytest.raises(UnsafeArchive, match=rf"\(ADDON_SYNC_MAX_{name}\)"):
        unpacked(gzipped(archive(make(value + 1))), limits(value), tmp_path / "over")
    assert not (tmp_path / "over/tree").exists()


@pytest.mark.parametrize(
    ("name", "layer", "limits", "value"),
    [
        ("LAYER_SIZE", LAYER, lambda n: ArchiveLimits(max_layer_size=n), len(LAYER)),
        ("RATIO", ZEROS, lambda n: ArchiveLimits(max_ratio=n), ZEROS_RATIO),
    ],
)
def test_a_limit_of_layers_is_reached_exactly_and_named(
    tmp_path: Path, name: str, layer: bytes, limits: Callable[[int], ArchiveLimits], value: int
) -> None:
    """One less than the layer needs, and it is refused."""
    unpacked(layer, limits(value), tmp_path)
    (tmp_path / "over").mkdir()
    with pytest.raises(UnsafeArchive, match=rf"\(ADDON_SYNC_MAX_{name}\)"):
        unpacked(layer, limits(value - 1), tmp_path / "over")


def manifest(count: int) -> bytes:
    return json.dumps({"schemaVersion": 2, "config": DESCRIPTOR, "layers": [DESCRIPTOR] * count}).encode()


def index(count: int) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": [DESCRIPTOR] * count}).encode()


@pytest.mark.parametrize(
    ("name", "make", "media_type"),
    [("LAYERS", manifest, media.OCI_MANIFEST), ("INDEX_ENTRIES", index, media.OCI_INDEX)],
)
def test_a_limit_of_documents_is_reached_exactly_and_named(
    name: str, make: Callable[[int], bytes], media_type: str
) -> None:
    """As for archives; that of their size is the registry client's."""
    limits = DocumentLimits(max_layers=2, max_index_entries=2)
    parse_manifest(make(2), media_type, limits=limits)
    error: type[ReceiverError] = UnsupportedContent
    with pytest.raises(error, match=rf"\(ADDON_SYNC_MAX_{name}\)"):
        parse_manifest(make(3), media_type, limits=limits)
