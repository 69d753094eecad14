"""Files that mean harm, imported: refused as the same artifact from a registry would be, and nothing is changed."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from receiver.blobs import BlobStore
from receiver.errors import DigestMismatch, SizeMismatch
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.oci.manifest import DocumentLimits, Manifest, parse_manifest
from receiver.packaging.layout import write_archive
from receiver.packaging.source import ArchiveSource
from receiver.sync.fetch import fetch_blob
from receiver.sync.importing import Imported
from tests.support.addons import artifact, read_tree
from tests.support.artifacts import tar_files, write_tar
from tests.support.in_process import imported
from tests.support.sync_fakes import once

Members = dict[str, bytes]


def _layer(name: str, content: bytes = b"evil", *, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        member.size = len(content) if kind == tarfile.REGTYPE else 0
        archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue())


def _with_scripts(layer: bytes) -> Callable[[Members], Members]:
    """Another scripts layer, with every digest and size made right again."""

    def changed(members: Members) -> Members:
        (entry,) = json.loads(members["index.json"])["manifests"]
        manifest = json.loads(members[f"blobs/sha256/{entry['digest'][7:]}"])
        for described in manifest["layers"]:
            if described["mediaType"] == media.SCRIPTS:
                described |= {"digest": str(Digest.of(layer)), "size": len(layer)}
        body = json.dumps(manifest).encode()
        entry |= {"digest": str(Digest.of(body)), "size": len(body)}
        return {
            **members,
            f"blobs/sha256/{Digest.of(layer).hex}": layer,
            f"blobs/sha256/{Digest.of(body).hex}": body,
            "index.json": json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode(),
        }

    return changed


def _flipped(members: Members) -> Members:
    """A layer of the right size and of other bytes."""
    (entry,) = json.loads(members["index.json"])["manifests"]
    layers = json.loads(members[f"blobs/sha256/{entry['digest'][7:]}"])["layers"]
    name = f"blobs/sha256/{layers[-1]['digest'][7:]}"
    content = bytearray(members[name])
    content[20] ^= 1
    return {**members, name: bytes(content)}


def _missing(members: Members) -> Members:
    (entry,) = json.loads(members["index.json"])["manifests"]
    layers = json.loads(members[f"blobs/sha256/{entry['digest'][7:]}"])["layers"]
    return {name: content for name, content in members.items() if layers[-1]["digest"][7:] not in name}


ATTACKS: dict[str, tuple[Callable[[Members], Members], str]] = {
    "a file that leads out of the folder": (_with_scripts(_layer("../../../evil")), "leads upwards"),
    "an absolute file": (_with_scripts(_layer("/etc/evil")), "absolute"),
    "a link": (_with_scripts(_layer("x", kind=tarfile.SYMTYPE, link="/etc")), "symbolic link"),
    "a device of Windows": (_with_scripts(_layer("nul.ps1")), "device"),
    "a bomb": (_with_scripts(_layer("zeros", bytes(64 << 20))), "MAX_RATIO"),
    "a second manifest": (_with_scripts(_layer("deep/addon.manifest.yaml")), "addon.manifest.yaml"),
    "no archive": (_with_scripts(b"MZ" * 400), "gzip"),
    "another layer under a true digest": (_flipped, "hash to"),
    "a layer that is not there": (_missing, "does not hold"),
}


@pytest.mark.parametrize("case", ATTACKS)
def test_an_attack_changes_nothing(tmp_path: Path, case: str) -> None:
    """The release that is installed stays, to the byte, and nothing is written beside it."""
    change, said = ATTACKS[case]
    (tmp_path / "pack").mkdir()
    good, hostile = tmp_path / "good.oci.tar", tmp_path / "hostile.oci.tar"
    write_archive([artifact(tmp_path / "pack", addon="monitoring")], good)
    newer = artifact(tmp_path / "pack", addon="monitoring", version="v1.1.0")
    write_archive([newer], hostile)
    write_tar(hostile, change(tar_files(hostile.read_bytes())).items())
    root = tmp_path / "k2s"
    root.mkdir()
    (first,) = imported(root, good)
    assert isinstance(first, Imported)
    assert first.status == "installed"
    before = read_tree(root / "addons")
    outside = _snapshot(tmp_path, root)
    (second,) = imported(root, hostile)
    assert isinstance(second, Imported)
    assert second.status == "failed"
    assert said in (second.error or "")
    assert read_tree(root / "addons") == before
    assert _snapshot(tmp_path, root) == outside


def _snapshot(folder: Path, without: Path) -> dict[str, str]:
    """Every file but those below ``without``."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_relative_to(without)
    }


async def test_a_file_that_changes_under_our_hands_is_noticed(tmp_path: Path) -> None:
    """Between the look through it and the reading of a layer, the layer has become shorter, and then other bytes."""
    path = tmp_path / "good.oci.tar"
    write_archive([artifact(tmp_path, addon="monitoring")], path)
    source = ArchiveSource(path, limits=DocumentLimits())
    (offer,) = source.offers()
    body = await source.manifest("addons/monitoring", offer.digest)
    manifest = parse_manifest(body.body, body.media_type)
    assert isinstance(manifest, Manifest)
    blobs = BlobStore(tmp_path / "blobs")
    blobs.prepare()
    for content, kind in ((b"short", SizeMismatch), (bytes(path.stat().st_size), DigestMismatch)):
        path.write_bytes(content)
        with pytest.raises(kind):
            await fetch_blob(
                source, blobs, "addons/monitoring", manifest.layers[0], retry=once, advanced=lambda _: None
            )
        assert not blobs.has(manifest.layers[0])


def test_the_path_of_a_request_is_absolute(tmp_path: Path) -> None:
    """It would mean another file in the folder that serve was started in."""
    (tmp_path / "k2s").mkdir()
    (end,) = imported(tmp_path / "k2s", Path("relative.oci.tar"))
    assert "not an absolute path" in str(end)


def test_a_file_with_two_releases_of_an_addon_is_refused(tmp_path: Path) -> None:
    """Which one is meant cannot be told, and the order of an index is nobody's decision."""
    (tmp_path / "k2s").mkdir()
    both = [artifact(tmp_path, addon="monitoring", version=version) for version in ("v1.0.0", "v2.0.0")]
    write_archive(both, tmp_path / "both.oci.tar")
    (end,) = imported(tmp_path / "k2s", tmp_path / "both.oci.tar")
    assert "two releases of monitoring" in str(end)
    assert read_tree(tmp_path / "k2s" / "addons") == {}
