"""What is in an artifact, read by Python's own tarfile, and archives as attackers write them."""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from receiver.document import encode
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.packaging.artifact import Artifact
from receiver.packaging.layout import opened
from tests.support.addons import write_tree


def layer_files(artifact: Artifact, media_type: str) -> dict[str, bytes]:
    """The files of the layer of that type."""
    (layer,) = [layer for layer in json.loads(artifact.manifest)["layers"] if layer["mediaType"] == media_type]
    with opened(artifact.blobs[Digest.parse(layer["digest"])]) as content:
        return tar_files(content.read())


def tar_files(content: bytes) -> dict[str, bytes]:
    """Every file of an archive, compressed or not."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = [member for member in archive if member.isfile()]
        found = {member.name: archive.extractfile(member) for member in members}
        return {name: file.read() for name, file in found.items() if file is not None}


def unpack(archive: Path, folder: Path) -> None:
    """Every file of an archive of ours; Python 3.11.2, of Debian 12, has no filter to do it safely for any other."""
    write_tree(folder, tar_files(archive.read_bytes()))


def write_tar(path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    """An archive of exactly these files, whatever their names."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def layout_members(
    blobs: Mapping[str, bytes], entries: Iterable[Mapping[str, object]], **more: bytes
) -> dict[str, bytes]:
    """The files of an image layout, from blobs by hexadecimal digest and the entries of its index."""
    index = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": list(entries)}
    return {
        "oci-layout": encode({"imageLayoutVersion": "1.0.0"}),
        "index.json": encode(index),
        **{f"blobs/sha256/{name}": content for name, content in blobs.items()},
        **more,
    }
