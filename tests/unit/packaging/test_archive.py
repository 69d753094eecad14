"""An image layout in one file: written so that others read it, read so that nothing in it can harm."""

import json
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from receiver.document import encode
from receiver.errors import (
    DigestMismatch,
    InstallError,
    InvalidNameError,
    ReceiverError,
    SizeMismatch,
    UnsafeArchive,
    UnsupportedContent,
)
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.oci.manifest import DocumentLimits
from receiver.packaging import layout
from receiver.packaging.archive import LayoutArchive
from receiver.packaging.artifact import Artifact, Layer, index
from receiver.packaging.deliveries import artifact_of, deliveries
from receiver.packaging.layout import opened, write_archive
from tests.support.addons import artifact
from tests.support.artifacts import layout_members, tar_files, write_tar

LIMITS = DocumentLimits()
Members = dict[str, bytes]


@pytest.fixture
def packed(tmp_path: Path) -> Artifact:
    return artifact(tmp_path, addon="hello")


@pytest.fixture
def path(packed: Artifact, tmp_path: Path) -> Path:
    path = tmp_path / "hello.oci.tar"
    write_archive([packed], path)
    return path


def read(path: Path) -> LayoutArchive:
    return LayoutArchive.open(path, limits=LIMITS)


def delivered(path: Path) -> list[str]:
    return [str(delivery.unit) for delivery in deliveries(read(path))]


def test_what_was_written_is_read_back(packed: Artifact, path: Path) -> None:
    """Tag, manifest and every blob; the blobs stay in the file."""
    archive = read(path)
    (delivery,) = deliveries(archive)
    assert (delivery.tags, delivery.version, str(delivery.unit)) == (("v1.0.0",), "v1.0.0", "hello")
    found = artifact_of(archive, delivery, tag=delivery.tags[0])
    assert (found.manifest, found.digest, set(found.blobs)) == (packed.manifest, packed.digest, set(packed.blobs))
    for digest, content in found.blobs.items():
        with opened(content) as file:
            assert Digest.of(file.read(1 << 30)) == digest


def test_the_index_stands_before_the_blobs(path: Path) -> None:
    """Whoever looks for the tag with tar need not read gigabytes."""
    assert list(tar_files(path.read_bytes()))[:2] == ["oci-layout", "index.json"]


def test_the_same_artifacts_give_the_same_bytes(packed: Artifact, path: Path, tmp_path: Path) -> None:
    """Whatever the times of the files that were packed."""
    again = tmp_path / "again.oci.tar"
    write_archive([packed], again)
    assert again.read_bytes() == path.read_bytes()


def test_a_blob_of_two_artifacts_is_in_it_once(tmp_path: Path) -> None:
    """The settings of the tests' addons are the same."""
    both = [artifact(tmp_path, addon=name) for name in ("one", "two")]
    write_archive(both, tmp_path / "both.oci.tar")
    names = [name for name in tar_files((tmp_path / "both.oci.tar").read_bytes()) if name.startswith("blobs")]
    assert len(names) == len({*both[0].blobs, *both[1].blobs}) + 2
    assert len({*both[0].blobs} & {*both[1].blobs}) > 0
    assert delivered(tmp_path / "both.oci.tar") == ["one", "two"]


def test_what_is_there_is_replaced_whole_or_stays(packed: Artifact, path: Path) -> None:
    """A blob is gone half-way: the former file is as it was, and nothing lies beside it."""
    before, beside = path.read_bytes(), sorted(path.parent.iterdir())
    gone = next(blob for blob in packed.blobs.values() if isinstance(blob, Path))
    gone.unlink()
    with pytest.raises(InstallError):
        write_archive([packed], path)
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == beside


def test_a_blob_that_no_header_can_describe_is_refused(
    packed: Artifact, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 8 GiB on readers disagree, ours refuses it: better here than there."""
    monkeypatch.setattr(layout, "_MAX_BLOB", 1000)
    with pytest.raises(InstallError, match="at most 1000: split the images"):
        write_archive([packed], path)


def test_a_large_blob_is_leapt_over(tmp_path: Path) -> None:
    """Finding out what is in a file of gigabytes reads the headers, and not the images."""
    images = tmp_path / "images.tar"
    with images.open("wb") as file:
        file.truncate(512 * 1024 * 1024)
    packed = artifact(tmp_path, addon="hello", extra_layers=[Layer(media_type=media.IMAGES_LINUX, path=images)])
    path = tmp_path / "large.oci.tar"
    write_archive([packed], path)
    before = _read_bytes()
    (delivery,) = deliveries(read(path))
    assert delivery.left_out == ("Linux images",)
    assert _read_bytes() - before < 16 * 1024 * 1024


def _read_bytes() -> int:
    counters = Path("/proc/self/io")
    if not counters.exists():
        pytest.skip("the system does not count what a process reads")
    return int(counters.read_text().split()[1])


def test_several_tags_of_one_artifact_are_one_delivery(packed: Artifact, tmp_path: Path) -> None:
    """As tools write an image that has two names; whole references among them."""
    digest, size = str(packed.digest), len(packed.manifest)
    entries = [
        {
            "mediaType": media.OCI_MANIFEST,
            "digest": digest,
            "size": size,
            "annotations": {"org.opencontainers.image.ref.name": name},
        }
        for name in ("v1.0.0", "registry.local:30500/addons/hello:latest")
    ]
    blobs = {key.hex: _bytes(packed, key) for key in packed.blobs}
    members = layout_members({**blobs, packed.digest.hex: packed.manifest}, entries)
    (delivery,) = deliveries(read(write_tar(tmp_path / "two.tar", members.items())))
    assert delivery.tags == ("v1.0.0", "latest")


def test_an_index_in_the_index_is_opened(packed: Artifact, tmp_path: Path) -> None:
    """Several addons under one tag: each goes its own way, with that tag."""
    joined = index([packed, artifact(tmp_path, addon="ingress", implementation="nginx")], tag="v2.0.0")
    write_archive([joined], tmp_path / "joined.oci.tar")
    found = deliveries(read(tmp_path / "joined.oci.tar"))
    assert [(delivery.leaf, delivery.tags) for delivery in found] == [
        ("hello", ("v2.0.0",)),
        ("ingress-nginx", ("v2.0.0",)),
    ]


def test_nested_indexes_do_not_multiply_the_limit(tmp_path: Path) -> None:
    """Two in each of two are four, where three are allowed."""
    addons = [artifact(tmp_path, addon=f"addon-{number}") for number in range(4)]
    write_archive([index(addons[:2], tag="v1"), index(addons[2:], tag="v1")], tmp_path / "many.oci.tar")
    with pytest.raises(UnsupportedContent, match="ADDON_SYNC_MAX_INDEX_ENTRIES"):
        deliveries(LayoutArchive.open(tmp_path / "many.oci.tar", limits=DocumentLimits(max_index_entries=3)))
    assert len(delivered(tmp_path / "many.oci.tar")) == 4


@pytest.mark.parametrize("program", ["tar", "bsdtar"])
def test_archives_of_other_programs_are_read(path: Path, tmp_path: Path, program: str) -> None:
    """GNU tar as on Linux, bsdtar as on Windows, with ./ before each name."""
    folder = tmp_path / "layout"
    folder.mkdir()
    subprocess.run(["tar", "-xf", str(path), "-C", str(folder)], check=True, timeout=60)
    try:
        subprocess.run([program, "-cf", str(tmp_path / "other.tar"), "-C", str(folder), "."], check=True, timeout=60)
    except FileNotFoundError:
        pytest.skip(f"{program} is missing")
    assert delivered(tmp_path / "other.tar") == ["hello"]


def _bytes(packed: Artifact, digest: Digest) -> bytes:
    with opened(packed.blobs[digest]) as file:
        return file.read(1 << 30)


# ---- what attackers and accidents write --------------------------------------------------------------------------


@pytest.fixture
def members(path: Path) -> Members:
    return tar_files(path.read_bytes())


def document(members: Members, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(members[name])
    return found


def _with(name: str, content: bytes = b"evil") -> Callable[[Members], Members]:
    return lambda members: {**members, name: content}


def _without(name: str) -> Callable[[Members], Members]:
    return lambda members: {key: content for key, content in members.items() if key != name}


def _other_manifest(members: Members) -> Members:
    (entry,) = json.loads(members["index.json"])["manifests"]
    name = f"blobs/sha256/{entry['digest'][7:]}"
    return {**members, name: members[name].replace(b"hello", b"jello")}


def _nested_twice(members: Members) -> Members:
    entry = json.loads(members["index.json"])["manifests"][0]
    for _ in range(2):
        body = encode({"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": [entry]})
        entry = {"mediaType": media.OCI_INDEX, "digest": str(Digest.of(body)), "size": len(body)}
        members = {**members, f"blobs/sha256/{Digest.of(body).hex}": body}
    return {**members, "index.json": encode({"schemaVersion": 2, "manifests": [entry]})}


def _manifest_changed(change: Callable[[dict[str, object]], object], note: str = "") -> Callable[[Members], Members]:
    def changed(members: Members) -> Members:
        (entry,) = json.loads(members["index.json"])["manifests"]
        manifest = json.loads(members[f"blobs/sha256/{entry['digest'][7:]}"])
        change(manifest)
        body = encode(manifest)
        entry = {"mediaType": media.OCI_MANIFEST, "digest": str(Digest.of(body)), "size": len(body)}
        if note:
            entry["annotations"] = {"vnd.k2s.addon.name": note}
        return {
            **members,
            f"blobs/sha256/{Digest.of(body).hex}": body,
            "index.json": encode({"schemaVersion": 2, "manifests": [entry]}),
        }

    return changed


def _named(name: str) -> Callable[[dict[str, object]], object]:
    def rename(manifest: dict[str, object]) -> None:
        manifest["annotations"] = {"vnd.k2s.addon.name": name}

    return rename


HOSTILE: dict[str, tuple[Callable[[Members], Members], type[ReceiverError]]] = {
    "a name that leads upwards": (_with("../../evil"), UnsafeArchive),
    "an absolute name": (_with("/etc/evil"), UnsafeArchive),
    "a name that Windows takes for a path": (_with("..\\evil"), UnsafeArchive),
    "no oci-layout": (_without("oci-layout"), UnsupportedContent),
    "no index": (_without("index.json"), UnsupportedContent),
    "an index that is no JSON": (_with("index.json", b"{"), UnsupportedContent),
    "an index over the limit": (_with("index.json", b" " * (4 << 20) + b"{}"), UnsupportedContent),
    "another version": (_with("oci-layout", b'{"imageLayoutVersion":"2.0.0"}'), UnsupportedContent),
    "a manifest that is another": (_other_manifest, DigestMismatch),
    "indexes without end": (_nested_twice, UnsupportedContent),
    "no addon in it": (_manifest_changed(lambda manifest: manifest.pop("annotations")), UnsupportedContent),
    "an addon that leads upwards": (_manifest_changed(_named("../evil")), InvalidNameError),
    "an addon that is a device": (_manifest_changed(_named("nul")), InvalidNameError),
    "an entry that says another name": (_manifest_changed(_named("hello"), note="other"), UnsupportedContent),
    "an artifact of another kind": (
        _manifest_changed(lambda manifest: manifest.update(artifactType="application/vnd.other")),
        UnsupportedContent,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_wrong_is_refused(members: Members, tmp_path: Path, case: str) -> None:
    """Typed by what cures it, and nothing is written anywhere."""
    change, kind = HOSTILE[case]
    target = tmp_path / "deep" / "hostile.tar"
    target.parent.mkdir()
    write_tar(target, change(members).items())
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ReceiverError) as caught:
        deliveries(read(target))
    assert type(caught.value) is kind
    assert sorted(tmp_path.rglob("*")) == before


def test_a_blob_that_is_missing_is_told_before_anything_is_sent(members: Members, tmp_path: Path) -> None:
    """And so is one of another size."""
    (entry,) = json.loads(members["index.json"])["manifests"]
    layer = json.loads(members[f"blobs/sha256/{entry['digest'][7:]}"])["layers"][0]["digest"][7:]
    for content, kind in ((None, UnsupportedContent), (b"short", SizeMismatch)):
        changed = {key: kept for key, kept in members.items() if not key.endswith(layer)}
        if content is not None:
            changed[f"blobs/sha256/{layer}"] = content
        archive = read(write_tar(tmp_path / "hostile.tar", changed.items()))
        (delivery,) = deliveries(archive)
        with pytest.raises(ReceiverError) as caught:
            artifact_of(archive, delivery, tag=delivery.tags[0])
        assert type(caught.value) is kind


def test_a_name_that_stands_twice_is_refused(members: Members, tmp_path: Path) -> None:
    """One reader takes the first, another one the last."""
    with pytest.raises(UnsafeArchive, match="twice"):
        read(write_tar(tmp_path / "twice.tar", [*members.items(), ("index.json", b"{}")]))


def test_links_are_refused(path: Path, tmp_path: Path) -> None:
    """A blob that is a link to a file of this host would be sent to a registry."""
    import tarfile  # noqa: PLC0415 - the only test that needs an entry of another type

    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("blobs/sha256/" + "0" * 64)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(UnsafeArchive, match="symbolic link"):
        read(path)


def test_a_file_that_is_cut_off_is_refused_wherever_it_is_cut(path: Path, seeded: random.Random) -> None:
    """A copy that broke off must not pass for a smaller one."""
    content = path.read_bytes()
    whole = len(content.rstrip(b"\0")) + 1024
    for cut in [0, 1, 511, 512, *(seeded.randrange(whole) for _ in range(40))]:
        path.write_bytes(content[:cut])
        with pytest.raises(ReceiverError):
            read(path)


def test_a_flipped_bit_is_refused_or_changes_nothing_that_counts(path: Path, seeded: random.Random) -> None:
    """In headers, documents and blobs: what is taken has the digests that it says."""
    content = path.read_bytes()
    for _ in range(60):
        at = seeded.randrange(len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << seeded.randrange(8)]) + content[at + 1 :])
        try:
            archive = read(path)
            (delivery,) = deliveries(archive)
        except ReceiverError:
            continue
        assert Digest.of(delivery.body) == delivery.descriptor.digest


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x1f\x8b" + b"\0" * 600, "gunzip"),
        (b"PK\3\4" + b"\0" * 600, "ZIP"),
        (b"text\n" * 200, "is no tar archive"),
        (b"text", "is no tar archive"),
        (b"\0" * 511, "is no tar archive"),
        (b"", "is empty"),
    ],
)
def test_another_kind_of_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    """People give the wrong file more often than a hostile one."""
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UnsafeArchive, match=said):
        read(tmp_path / "file")


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    """A pipe would wait for ever."""
    with pytest.raises(InstallError, match="there is no file"):
        read(tmp_path / "nothing")
    with pytest.raises(InstallError, match="is no file"):
        read(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InstallError, match="is no file"):
            read(tmp_path / "pipe")
