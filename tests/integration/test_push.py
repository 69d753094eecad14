"""Uploading an artifact, to the real registry and to one that misbehaves."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from receiver.errors import (
    AccessDenied,
    DigestMismatch,
    InstallError,
    NotInRegistry,
    ProtocolViolation,
    RateLimited,
    ReceiverError,
    Unavailable,
)
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest
from receiver.oci.manifest import Index, Manifest, parse_manifest
from receiver.oci.reference import RegistryAddress, Repository, Tag
from receiver.packaging.artifact import Artifact, Layer, build, index
from receiver.packaging.push import Pushed
from receiver.packaging.push import push as pushed_by
from receiver.registry.auth import Credentials
from receiver.registry.client import RegistryClient
from tests.support import registry_faults as faults
from tests.support.docker_registry import DockerRegistry
from tests.support.fake_registry import FakeRegistry

AnyRegistry = DockerRegistry | FakeRegistry
HELLO = Repository.parse("addons/hello")
V1 = Tag.parse("v1.0.0")


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.registry)])
def server(request: pytest.FixtureRequest) -> Iterator[AnyRegistry]:
    registry: AnyRegistry = FakeRegistry() if request.param == "fake" else DockerRegistry()
    with registry:
        yield registry


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    """A small addon with a layer that is larger than what is sent at once."""
    folder = tmp_path / "addons" / "hello"
    folder.mkdir(parents=True)
    (folder / "addon.manifest.yaml").write_text("kind: AddonManifest\n", encoding="utf-8")
    (folder / "Enable.ps1").write_text("Write-Output 'on'\n", encoding="utf-8")
    images, scratch = tmp_path / "images.tar", tmp_path / "scratch"
    images.write_bytes(bytes(range(256)) * 8192)
    scratch.mkdir()
    return build(
        folder,
        name="hello",
        implementation="hello",
        version="v1.0.0",
        created=datetime(2026, 11, 22, tzinfo=UTC),
        scratch=scratch,
        extra_layers=[Layer(media_type=media.IMAGES_LINUX, path=images)],
    )


async def push(
    artifact: Artifact,
    address: RegistryAddress,
    repository: Repository,
    tags: list[Tag],
    *,
    credentials: Credentials | None = None,
) -> Pushed:
    async with RegistryClient(address, credentials=lambda: credentials, user_agent="addon-sync/test") as client:
        return await pushed_by(artifact, client.uploads(), repository, tags)


def address_of(server: AnyRegistry) -> RegistryAddress:
    return RegistryAddress.parse(server.url, insecure=True)


async def pulled(server: AnyRegistry, digest: Digest) -> Manifest | Index:
    async with RegistryClient(address_of(server), user_agent="addon-sync/test") as client:
        answer = await client.manifest(HELLO, digest)
        return parse_manifest(answer.body, answer.media_type)


async def content(server: AnyRegistry, descriptor: Descriptor) -> bytes:
    async with (
        RegistryClient(address_of(server), user_agent="addon-sync/test") as client,
        client.blob(HELLO, descriptor) as body,
    ):
        return b"".join([chunk async for chunk in body.chunks])


async def test_what_was_pushed_can_be_pulled(server: AnyRegistry, artifact: Artifact) -> None:
    """The tag points at the artifact, and every blob is there as it was packed."""
    pushed = await push(artifact, address_of(server), HELLO, [V1, Tag.parse("latest")])
    async with RegistryClient(address_of(server), user_agent="addon-sync/test") as client:
        assert await client.resolve(HELLO, "v1.0.0") == artifact.digest == pushed.digest
        assert await client.resolve(HELLO, "latest") == artifact.digest
    manifest = await pulled(server, artifact.digest)
    assert isinstance(manifest, Manifest)
    for descriptor in (manifest.config, *manifest.layers):
        assert Digest.of(await content(server, descriptor)) == descriptor.digest


async def test_only_what_is_missing_is_uploaded(server: AnyRegistry, artifact: Artifact) -> None:
    """A second tag of the same content costs one request a blob."""
    first = await push(artifact, address_of(server), HELLO, [V1])
    again = await push(artifact, address_of(server), HELLO, [Tag.parse("v1.0.1")])
    assert (first.uploaded, first.present) == (len(artifact.blobs), 0)
    assert (again.uploaded, again.present) == (0, len(artifact.blobs))


async def test_an_index_is_pushed_after_what_it_joins(server: AnyRegistry, artifact: Artifact) -> None:
    """Registries refuse an index whose manifests they do not have."""
    joined = index([artifact], tag="v2.0.0")
    await push(joined, address_of(server), HELLO, [joined.tag])
    found = await pulled(server, joined.digest)
    assert isinstance(found, Index)
    assert isinstance(await pulled(server, found.manifests[0].digest), Manifest)


async def test_the_tag_moves_last(fake: FakeRegistry, artifact: Artifact) -> None:
    """Whoever sees the tag can pull everything below it."""
    await push(artifact, address_of(fake), HELLO, [V1])
    puts = [seen.target for seen in fake.seen if seen.kind.startswith("PUT")]
    assert puts[-1] == "/v2/addons/hello/manifests/v1.0.0"
    assert sum("/manifests/" in target for target in puts) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (401, AccessDenied),
        (403, AccessDenied),
        (404, NotInRegistry),
        (429, RateLimited),
        (500, Unavailable),
        (418, ProtocolViolation),
    ],
)
@pytest.mark.parametrize("on", ["POST upload", "PUT upload", "PUT manifest"])
async def test_a_refusal_is_named_by_what_cures_it(
    fake: FakeRegistry, artifact: Artifact, on: str, code: int, kind: type[ReceiverError]
) -> None:
    """And no tag is left that points at half an artifact."""
    fake.lie(on, faults.status(code))
    if on == "PUT upload":
        fake.lie("HEAD blob", faults.status(404))  # the fake has stored it before it lies
    with pytest.raises(ReceiverError) as caught:
        await push(artifact, address_of(fake), HELLO, [V1])
    assert type(caught.value) is kind
    assert "addons/hello" in str(caught.value)
    if on != "PUT manifest":
        assert fake.requests["PUT manifest"] == 0


@pytest.mark.parametrize("location", ["http://127.0.0.1:1/v2/evil/blobs/uploads/1", "https://127.0.0.1/v2/x", "/evil"])
async def test_an_upload_is_not_sent_to_another_place(fake: FakeRegistry, artifact: Artifact, location: str) -> None:
    """Content and credential belong to the registry that was configured."""
    fake.lie("POST upload", faults.header("Location", location))
    with pytest.raises(ProtocolViolation, match="another place"):
        await push(artifact, address_of(fake), HELLO, [V1])
    assert fake.requests["PUT upload"] == 0


async def test_a_missing_upload_location_is_refused(fake: FakeRegistry, artifact: Artifact) -> None:
    """Without one there is nowhere to send the content."""
    fake.lie("POST upload", faults.header("Location", None))
    with pytest.raises(ProtocolViolation):
        await push(artifact, address_of(fake), HELLO, [V1])


async def test_a_redirect_is_not_followed(fake: FakeRegistry, artifact: Artifact) -> None:
    """It would carry the content elsewhere."""
    fake.lie("PUT manifest", faults.redirected(f"{fake.url}/v2/addons/other/manifests/v1.0.0"))
    with pytest.raises(ProtocolViolation):
        await push(artifact, address_of(fake), HELLO, [V1])
    assert not any("/other/" in seen.target for seen in fake.seen)


async def test_another_digest_in_the_answer_is_an_error(fake: FakeRegistry, artifact: Artifact) -> None:
    """The registry, or something before it, changed the manifest."""
    fake.lie("PUT manifest", faults.header("Docker-Content-Digest", str(Digest.of(b"other"))))
    with pytest.raises(DigestMismatch):
        await push(artifact, address_of(fake), HELLO, [V1])


async def test_a_credential_is_sent_where_it_is_asked_for_and_never_told(artifact: Artifact) -> None:
    """Not before the registry asks, and in no error."""
    with FakeRegistry(basic=("user", "secret")) as fake:
        fake.lie("PUT manifest", faults.status(403))
        with pytest.raises(AccessDenied) as caught:
            await push(
                artifact, address_of(fake), HELLO, [V1], credentials=Credentials(username="user", password="secret")
            )
    expected = "Basic dXNlcjpzZWNyZXQ="
    assert {seen.headers.get("Authorization") for seen in fake.seen} == {None, expected}
    assert fake.seen[-1].headers["Authorization"] == expected
    assert not any(word in str(caught.value) for word in ("secret", "dXNlcjpzZWNyZXQ"))


async def test_a_registry_that_is_gone_is_unavailable(artifact: Artifact) -> None:
    """Nobody listens there any more."""
    with FakeRegistry() as registry:
        address = address_of(registry)
    with pytest.raises(Unavailable):
        await push(artifact, address, HELLO, [V1])


async def test_a_layer_that_vanished_is_told_as_a_local_failure(fake: FakeRegistry, artifact: Artifact) -> None:
    """The registry is not to blame."""
    for blob in artifact.blobs.values():
        if isinstance(blob, Path):
            await asyncio.to_thread(blob.unlink)
    with pytest.raises(InstallError):
        await push(artifact, address_of(fake), HELLO, [V1])
    assert fake.requests["PUT manifest"] == 0
