"""An addon's folder becomes an artifact: which file goes where, and the same bytes every time."""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from receiver.errors import InstallError, InvalidManifest, InvalidNameError, UnsafeArchive
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.oci.manifest import Index, Manifest, parse_manifest
from receiver.packaging.artifact import Artifact, Layer, build, index
from receiver.packaging.layout import opened, write_archive
from tests.support.artifacts import unpack

CREATED = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    """An addon with something for each of the four layers."""
    return write(
        tmp_path / "addons" / "hello",
        {
            "addon.manifest.yaml": "kind: AddonManifest\n",
            "values.yaml": "a: 1\n",
            "config/greeting.properties": "greeting=hello\n",
            "manifests/deployment.yaml": "kind: Deployment\n",
            "manifests/gitops-sync/sync-job.yaml": "kind: Job\n",
            "manifests/chart/hello-1.0.0.tgz": "chart",
            "Enable.ps1": "Write-Output 'on'\n",
            "lib/values.yaml": "not the one at the top\n",
            "README.md": "# hello\n",
        },
    )


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def pack(folder: Path, scratch: Path, **changes: Any) -> Artifact:
    asked: dict[str, Any] = {"name": "hello", "implementation": "hello", "version": "v1.0.0", "created": CREATED}
    return build(folder, scratch=scratch, **asked | changes)


def manifest_of(artifact: Artifact) -> Manifest:
    manifest = parse_manifest(artifact.manifest, artifact.media_type)
    assert isinstance(manifest, Manifest)
    return manifest


def content_of(artifact: Artifact, digest: Digest) -> bytes:
    blob = artifact.blobs[digest]
    with opened(blob) as file:
        return file.read()


def entries(artifact: Artifact) -> dict[str, list[str]]:
    """Media type to the names in that layer."""
    found = {}
    for layer in manifest_of(artifact).layers:
        with tarfile.open(fileobj=io.BytesIO(content_of(artifact, layer.digest)), mode="r:gz") as archive:
            found[layer.media_type] = archive.getnames()
    return found


def test_each_file_goes_into_the_layer_that_the_receiver_unpacks_to_its_place(hello: Path, scratch: Path) -> None:
    """Layers 1 and 2 are relative to the folder that they are unpacked into."""
    assert entries(pack(hello, scratch)) == {
        media.CONFIG_FILES: ["addon.manifest.yaml", "config", "config/greeting.properties", "values.yaml"],
        media.MANIFESTS: ["deployment.yaml", "gitops-sync", "gitops-sync/sync-job.yaml"],
        media.HELM_CHARTS: ["hello-1.0.0.tgz"],
        media.SCRIPTS: ["Enable.ps1", "README.md", "lib", "lib/values.yaml"],
    }


def test_what_is_promised_by_descriptors_is_what_the_blobs_hold(hello: Path, scratch: Path) -> None:
    """Every descriptor names a blob of the artifact with its true digest and size."""
    artifact = pack(hello, scratch)
    manifest = manifest_of(artifact)
    for descriptor in (manifest.config, *manifest.layers):
        content = content_of(artifact, descriptor.digest)
        assert (Digest.of(content), len(content)) == (descriptor.digest, descriptor.size)
    assert set(artifact.blobs) == {manifest.config.digest, *(layer.digest for layer in manifest.layers)}
    assert artifact.digest == Digest.of(artifact.manifest)


def test_name_version_and_export_time_stand_in_config_and_annotations(hello: Path, scratch: Path) -> None:
    """Both are read: the config by people's tools, the annotations by the receiver."""
    artifact = pack(hello, scratch, description="Says hello", k2s_version="v1.4.0")
    manifest = manifest_of(artifact)
    assert artifact.tag == "v1.0.0"
    assert manifest.artifact_type == media.ADDON_ARTIFACT
    assert manifest.config.media_type == media.ADDON_CONFIG
    assert json.loads(content_of(artifact, manifest.config.digest)) == {
        "name": "hello",
        "implementation": "hello",
        "version": "v1.0.0",
        "description": "Says hello",
        "k2sVersion": "v1.4.0",
        "exportDate": "2026-11-22T12:00:00Z",
    }
    assert manifest.annotations == {
        "vnd.k2s.addon.name": "hello",
        "vnd.k2s.addon.implementation": "hello",
        "vnd.k2s.addon.export-name": "hello",
        "org.opencontainers.image.version": "v1.0.0",
        "org.opencontainers.image.created": "2026-11-22T12:00:00Z",
        "org.opencontainers.image.description": "Says hello",
        "vnd.k2s.version": "v1.4.0",
    }


def test_the_export_time_is_told_in_utc(hello: Path, scratch: Path) -> None:
    """The same moment in another zone is the same artifact."""
    elsewhere = CREATED.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert pack(hello, scratch, created=elsewhere).digest == pack(hello, scratch).digest


def test_the_same_folder_gives_the_same_bytes_whatever_its_times_modes_and_order(hello: Path, tmp_path: Path) -> None:
    """A checkout on another machine differs in times, permissions and the order of its entries, and in nothing else."""
    other = tmp_path / "other" / "hello"
    for path in sorted((p for p in hello.rglob("*") if p.is_file()), reverse=True):
        (other / path.relative_to(hello)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, other / path.relative_to(hello))
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o755 if path.is_dir() else 0o600)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = pack(hello, tmp_path / "a"), pack(other, tmp_path / "b")
    assert one.manifest == two.manifest
    assert set(one.blobs) == set(two.blobs)


def test_entries_carry_no_owner_and_one_time(hello: Path, scratch: Path) -> None:
    """Who packed it on which machine is nobody's business, and would change the digest."""
    artifact = pack(hello, scratch, mtime=1_700_000_000)
    for layer in manifest_of(artifact).layers:
        content = content_of(artifact, layer.digest)
        assert content[4:8] == b"\0\0\0\0", "the time in the gzip header"
        assert content[3] == 0, "no file name in the gzip header"
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
                assert member.mtime == 1_700_000_000
                assert member.mode == (0o755 if member.isdir() else 0o644)


def test_long_names_are_written_as_gnu_headers(hello: Path, scratch: Path) -> None:
    """The longest path of the addons that exist has 113 characters, more than a plain header holds."""
    long = "deep/" + "x" * 120 + ".yaml"
    write(hello, {long: "a: 1\n"})
    artifact = pack(hello, scratch)
    assert long in entries(artifact)[media.SCRIPTS]
    scripts = next(layer for layer in manifest_of(artifact).layers if layer.media_type == media.SCRIPTS)
    assert b"././@LongLink" in gzip.decompress(content_of(artifact, scripts.digest))


def test_a_layer_without_files_is_left_out(tmp_path: Path, scratch: Path) -> None:
    """An empty layer would say nothing and cost a request."""
    folder = write(tmp_path / "hello", {"addon.manifest.yaml": "kind: AddonManifest\n"})
    assert list(entries(pack(folder, scratch))) == [media.CONFIG_FILES]


def test_one_implementation_of_several_takes_the_manifest_of_its_addon(tmp_path: Path, scratch: Path) -> None:
    """It stays at the addon's root, never in the implementation's folder; the repository's leaf says both names."""
    root = write(tmp_path / "ingress", {"addon.manifest.yaml": "the addon's\n", "nginx/Enable.ps1": "1\n"})
    write(root, {"nginx/addon.manifest.yaml": "left over\n", "traefik/Enable.ps1": "2\n"})
    artifact = pack(root / "nginx", scratch, name="ingress", implementation="nginx")
    assert entries(artifact) == {media.CONFIG_FILES: ["addon.manifest.yaml"], media.SCRIPTS: ["Enable.ps1"]}
    assert artifact.annotations["vnd.k2s.addon.export-name"] == "ingress-nginx"
    layer = manifest_of(artifact).layers[0]
    with tarfile.open(fileobj=io.BytesIO(content_of(artifact, layer.digest)), mode="r:gz") as archive:
        manifest = archive.extractfile("addon.manifest.yaml")
        assert manifest is not None
        assert manifest.read() == b"the addon's\n"


def test_further_layers_follow_the_four(hello: Path, scratch: Path, tmp_path: Path) -> None:
    """Images travel as they are, from the file that holds them."""
    images = tmp_path / "images.tar"
    images.write_bytes(b"images" * 400_000)
    artifact = pack(hello, scratch, extra_layers=[Layer(media_type=media.IMAGES_LINUX, path=images)])
    last = manifest_of(artifact).layers[-1]
    assert (last.media_type, last.size) == (media.IMAGES_LINUX, images.stat().st_size)
    assert last.digest.hex == hashlib.sha256(images.read_bytes()).hexdigest()
    assert artifact.blobs[last.digest] == images


def test_an_addon_without_its_manifest_is_not_packed(hello: Path, scratch: Path) -> None:
    """The receiver could not install it."""
    (hello / "addon.manifest.yaml").unlink()
    with pytest.raises(InvalidManifest, match="missing"):
        pack(hello, scratch)


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege on Windows")
@pytest.mark.parametrize("name", ["link.ps1", "manifests/link.yaml", "addon.manifest.yaml"])
def test_a_link_is_refused_and_not_followed(hello: Path, scratch: Path, tmp_path: Path, name: str) -> None:
    """It could carry a private key of the packing machine into a public artifact."""
    secret = tmp_path / "id_ed25519"
    secret.write_text("secret", encoding="utf-8")
    (hello / name).unlink(missing_ok=True)
    (hello / name).symlink_to(secret)
    with pytest.raises((UnsafeArchive, InvalidManifest)):
        pack(hello, scratch)
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows does not have such files")
@pytest.mark.parametrize("names", [["aux.ps1"], ["Enable.ps1 "], ["enable.ps1"], ["a\\b"], ["x\udcff"], ["a:b"]])
def test_files_that_receivers_would_refuse_are_refused_when_packing(
    hello: Path, scratch: Path, names: list[str]
) -> None:
    """Names that Windows gives to devices, drops, cannot tell apart or cannot keep."""
    for name in names:
        (hello / name).write_text("1", encoding="utf-8")
    with pytest.raises(UnsafeArchive):
        pack(hello, scratch)
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege on Windows")
def test_a_linked_manifest_of_the_addon_is_refused_too(tmp_path: Path, scratch: Path) -> None:
    """For one implementation of several it lies outside the folder that is walked."""
    root = write(tmp_path / "ingress", {"nginx/Enable.ps1": "1\n"})
    write(tmp_path, {"elsewhere.yaml": "secret\n"})
    (root / "addon.manifest.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    with pytest.raises(InvalidManifest):
        pack(root / "nginx", scratch, name="ingress", implementation="nginx")


@pytest.mark.parametrize("wrong", [{"name": "../evil"}, {"implementation": "a/b"}, {"version": "v 1"}])
def test_names_that_no_receiver_would_take_are_refused(hello: Path, scratch: Path, wrong: dict[str, str]) -> None:
    """Better here than on every host."""
    with pytest.raises(InvalidNameError):
        pack(hello, scratch, **wrong)


def test_a_disk_that_refuses_leaves_no_half_layer(hello: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk while packing: one typed error, and nothing of that layer in the scratch folder."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(InstallError, match="No space left"):
        pack(hello, scratch)
    assert list(scratch.iterdir()) == []


def test_an_index_joins_artifacts_and_repeats_what_they_say_of_themselves(hello: Path, scratch: Path) -> None:
    """The receiver reads the entry's annotations first."""
    one, two = pack(hello, scratch), pack(hello, scratch, name="other", implementation="other")
    joined = index([one, two], tag="v2.0.0")
    parsed = parse_manifest(joined.manifest, joined.media_type)
    assert isinstance(parsed, Index)
    assert [entry.digest for entry in parsed.manifests] == [one.digest, two.digest]
    assert [entry.annotations["vnd.k2s.addon.name"] for entry in parsed.manifests] == ["hello", "other"]
    assert [entry.size for entry in parsed.manifests] == [len(one.manifest), len(two.manifest)]
    assert joined.tag == "v2.0.0"


def test_a_layout_holds_every_blob_under_its_digest(hello: Path, scratch: Path, tmp_path: Path) -> None:
    """Also what an index reaches."""
    joined = index([pack(hello, scratch)], tag="v1.0.0")
    write_archive([joined], tmp_path / "file.tar")
    unpack(tmp_path / "file.tar", tmp_path / "layout")
    blobs = list((tmp_path / "layout" / "blobs" / "sha256").iterdir())
    assert {path.name for path in blobs} == {
        joined.digest.hex, joined.children[0].digest.hex, *(digest.hex for digest in joined.children[0].blobs)
    }  # fmt: skip
    assert all(path.name == hashlib.sha256(path.read_bytes()).hexdigest() for path in blobs)
    top = json.loads((tmp_path / "layout" / "index.json").read_bytes())
    assert top["manifests"][0]["annotations"] == {"org.opencontainers.image.ref.name": "v1.0.0"}
    assert json.loads((tmp_path / "layout" / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is missing (apt-get install skopeo)")
def test_other_tools_read_the_layout(hello: Path, scratch: Path, tmp_path: Path) -> None:
    """Skopeo copies it, which checks every digest and size on the way."""
    artifact = pack(hello, scratch)
    write_archive([artifact], tmp_path / "file.tar")
    copied = tmp_path / "copied"
    command = ["skopeo", "copy", "--all", "--quiet", f"oci-archive:{tmp_path}/file.tar:v1.0.0", f"dir:{copied}"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert (copied / "manifest.json").read_bytes() == artifact.manifest
