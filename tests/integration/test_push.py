"""Uploading an artifact, to the real registry and to one that misbehaves."""

import asyncio
import logging
import random
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from receiver.cli.pushing import run
from receiver.config import Settings, load
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
from receiver.packaging.layout import write_archive
from receiver.packaging.ports import UploadBlob
from receiver.packaging.push import Pushed, Pusher
from receiver.packaging.push import push as pushed_by
from receiver.registry import transport
from receiver.registry.auth import Credentials
from receiver.registry.client import RegistryClient
from receiver.registry.retry import ATTEMPTS
from tests.support import registry_faults as faults
from tests.support.addons import artifact as make_artifact
from tests.support.breaking_line import BreakingLine
from tests.support.docker_registry import DockerRegistry
from tests.support.fake_registry import Answer, FakeRegistry, Fault

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


@pytest.mark.parametrize("location", ["http://127.0.0.1:1/v2/evil/blobs/uploads/1", "https://127.0.0.1/v2/x"])
async def test_an_upload_is_not_sent_to_another_place(fake: FakeRegistry, artifact: Artifact, location: str) -> None:
    """Content and credential belong to the registry that was configured."""
    fake.lie("POST upload", faults.header("Location", location))
    with pytest.raises(ProtocolViolation, match="another place"):
        await push(artifact, address_of(fake), HELLO, [V1])
    assert fake.requests["PUT upload"] == 0


async def test_an_upload_goes_on_at_any_path_of_the_registry(fake: FakeRegistry, large: Artifact) -> None:
    """As at Google Artifact Registry; distribution-spec binds no path, and the credential is bound to the origin."""
    fake.uploads = "/artifacts-uploads/namespaces/{repository}/uploads/{session}"
    await push_in_chunks(large, fake)
    assert await whole(fake, large)
    assert any(seen.target.startswith("/artifacts-uploads/") for seen in fake.seen)


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


async def test_a_file_that_cannot_be_read_to_its_end_is_told_as_it_is(fake: FakeRegistry) -> None:
    """The request breaks off, which looks like a bad line; to try again would hide the cause."""

    async def broken(start: int, count: int) -> AsyncIterator[bytes]:
        yield b"x"
        raise InstallError("the disk is gone")

    blob = UploadBlob(repository=HELLO, digest=Digest.of(b"x" * 10), size=10, read=broken)
    async with RegistryClient(address_of(fake), user_agent="addon-sync/test") as client:
        with pytest.raises(InstallError, match="the disk is gone"):
            await client.uploads().send_blob(blob)
    assert fake.requests["POST upload"] == 1


# ---- large blobs, bad lines ---------------------------------------------------------------------------------------

MIB = 1024 * 1024


@pytest.fixture
def large(tmp_path: Path) -> Artifact:
    """One whose image layer is sent in ten chunks."""
    folder, scratch = tmp_path / "addons" / "large", tmp_path / "packed"
    folder.mkdir(parents=True)
    scratch.mkdir()
    (folder / "addon.manifest.yaml").write_text("kind: AddonManifest\n", encoding="utf-8")
    images = tmp_path / "large.tar"
    images.write_bytes(random.Random(1).randbytes(10 * MIB - 100))
    layer = Layer(media_type=media.IMAGES_LINUX, path=images)
    return build(
        folder,
        name="large",
        implementation="large",
        version="v1.0.0",
        created=datetime(2026, 11, 22, tzinfo=UTC),
        scratch=scratch,
        extra_layers=[layer],
    )


async def push_in_chunks(artifact: Artifact, server: AnyRegistry, *, url: str | None = None) -> Pushed:
    address = RegistryAddress.parse(url or server.url, insecure=True)
    async with RegistryClient(address, user_agent="addon-sync/test") as client:
        return await pushed_by(artifact, client.uploads(chunk_size=MIB), HELLO, [V1])


async def whole(server: AnyRegistry, artifact: Artifact) -> bool:
    """Whether every blob can be pulled as it was packed."""
    manifest = await pulled(server, artifact.digest)
    assert isinstance(manifest, Manifest)
    return all([Digest.of(await content(server, layer)) == layer.digest for layer in manifest.layers])


async def test_a_large_blob_is_sent_in_chunks(server: AnyRegistry, large: Artifact) -> None:
    """The real registry puts them together too."""
    pushed = await push_in_chunks(large, server)
    assert pushed.sent > 10 * MIB - 1000
    assert await whole(server, large)
    if isinstance(server, FakeRegistry):
        assert server.requests["PATCH upload"] == 9


def _breaks(fake: FakeRegistry, *, kept: int) -> Fault:
    """The line breaks, and only so many bytes of the upload were stored."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        fake.lose(request.path.rpartition("/")[2], kept=kept)
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    return fault


@pytest.mark.parametrize("kept", [0, 1, 2, MIB // 2, 3 * MIB // 2, -1])
async def test_an_upload_goes_on_where_the_line_broke(fake: FakeRegistry, large: Artifact, kept: int) -> None:
    """With what the registry has kept: all, some, one byte (which it tells as it tells none), or nothing at all."""
    fake.lie("PATCH upload", faults.passed(), times=1)
    fake.lie("PATCH upload", _breaks(fake, kept=kept), times=1)
    await push_in_chunks(large, fake)
    assert await whole(fake, large)
    begun = fake.requests["POST upload"] - len(large.blobs)
    assert begun == (1 if kept < 2 else 0)


async def test_a_line_that_breaks_with_every_chunk_is_enough(fake: FakeRegistry, large: Artifact) -> None:
    """As long as each try brings something, nothing is given up."""
    fake.lie("PATCH upload", _breaks(fake, kept=100 * MIB))
    await push_in_chunks(large, fake)
    assert await whole(fake, large)
    assert fake.requests["POST upload"] == len(large.blobs)


async def test_a_line_that_brings_nothing_is_given_up(fake: FakeRegistry, large: Artifact) -> None:
    """A few tries in a row, and no tag."""
    fake.lie("PATCH upload", _breaks(fake, kept=-1))
    with pytest.raises(Unavailable):
        await push_in_chunks(large, fake)
    assert fake.requests["PATCH upload"] == 5
    assert fake.requests["PUT manifest"] == 0


async def test_a_registry_that_asks_for_time_gets_it(fake: FakeRegistry, large: Artifact) -> None:
    """Unlike one that is away: to ask it again within seconds is what it complains of."""
    fake.lie("PATCH upload", faults.status(429))
    with pytest.raises(RateLimited):
        await push_in_chunks(large, fake)
    assert fake.requests["PATCH upload"] == 1


async def test_an_upload_that_is_forgotten_again_is_given_up(fake: FakeRegistry, large: Artifact) -> None:
    """Once, all of it is sent anew; a registry that goes on forgetting will not learn to keep it."""
    fake.lie("PATCH upload", faults.status(404))
    with pytest.raises(NotInRegistry):
        await push_in_chunks(large, fake)
    assert fake.requests["PATCH upload"] == 2


async def test_a_registry_that_keeps_nothing_of_a_chunk_is_not_sent_it_for_ever(
    fake: FakeRegistry, large: Artifact
) -> None:
    """It takes each of them, and stands where it stood."""
    fake.lie("PATCH upload", faults.passed(), times=1)
    fake.lie("PATCH upload", faults.header("Range", f"0-{MIB - 1}"))
    with pytest.raises(ProtocolViolation, match="takes a chunk and keeps nothing of it"):
        await push_in_chunks(large, fake)
    assert fake.requests["PATCH upload"] == 2


async def test_a_registry_that_says_it_has_more_than_all_is_sent_nothing_more(
    fake: FakeRegistry, large: Artifact
) -> None:
    """Then the upload is closed, and its digest shows what is true; progress does not go beyond the end."""
    fake.lie("PATCH upload", faults.header("Range", f"0-{100 * MIB}"))
    counted: list[int] = []
    async with RegistryClient(address_of(fake), user_agent="addon-sync/test") as client:
        with pytest.raises(ProtocolViolation, match="400"):
            await Pusher(client.uploads(chunk_size=MIB)).push(large, HELLO, [V1], advanced=counted.append)
    assert sum(counted) < 11 * MIB


async def test_an_answer_that_is_lost_costs_no_second_upload(fake: FakeRegistry, large: Artifact) -> None:
    """The registry has the blob, and says so when it is asked."""
    fake.lie("PUT upload", _breaks(fake, kept=100 * MIB))
    await push_in_chunks(large, fake)
    assert await whole(fake, large)
    assert fake.requests["POST upload"] == len(large.blobs)


def _uncommitted(fake: FakeRegistry) -> Fault:
    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        fake.uncommit(request.path.rpartition("/")[2], request.query["digest"])
        return web.Response(status=503)

    return fault


async def test_an_upload_that_is_whole_is_only_closed_again(fake: FakeRegistry, large: Artifact) -> None:
    """Its bytes are there and are not sent again; a range of nothing would get a 416 in the place of the cause."""
    fake.lie("PUT upload", _uncommitted(fake))
    with pytest.raises(Unavailable, match="503"):
        await push_in_chunks(large, fake)
    assert fake.requests["PATCH upload"] == 9
    closing = [seen.headers for seen in fake.seen if seen.kind == "PUT upload"]
    again = [headers for headers in closing if headers["Content-Length"] == "0"]
    assert len(again) == len(closing) - len(large.blobs) > 0
    assert not any("Content-Range" in headers for headers in again)


async def test_a_registry_may_take_its_time_to_close_an_upload(
    fake: FakeRegistry, large: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It copies or hashes a large blob before it answers, which other answers need not wait for."""
    for name in ("HEAD_DEADLINE", "READ_TIMEOUT"):
        monkeypatch.setattr(transport, name, 1.0)
    fake.lie("PUT upload", faults.late(2.0))
    await push_in_chunks(large, fake)
    assert fake.requests["HEAD blob"] == 1, "whether it is there was asked before it was sent, and not after"


async def test_a_registry_that_miscounts_gets_the_whole_once_more(fake: FakeRegistry, large: Artifact) -> None:
    """It says that it has more than it has; the digest shows it, and the blob is sent from its beginning."""
    fake.lie("PATCH upload", _breaks(fake, kept=5000), times=1)
    fake.lie("GET upload", faults.header("Range", "0-9999"), times=1)
    await push_in_chunks(large, fake)
    assert await whole(fake, large)


async def test_a_registry_that_is_away_for_a_while_is_asked_again(fake: FakeRegistry, large: Artifact) -> None:
    """It broke off within a chunk and is being restarted: where it stands is a question that takes tries of its own."""
    fake.lie("HEAD blob", faults.passed(), times=1)
    fake.lie("HEAD blob", faults.status(503), times=ATTEMPTS + 1)
    fake.lie("PATCH upload", faults.passed(), times=1)
    fake.lie("PATCH upload", _breaks(fake, kept=3 * MIB // 2), times=1)
    await push_in_chunks(large, fake)
    assert await whole(fake, large)
    assert fake.requests["POST upload"] == len(large.blobs)


async def test_an_upload_that_is_lost_stays_so_while_no_other_one_begins(fake: FakeRegistry, large: Artifact) -> None:
    """The registry miscounts, and is away when the blob is to be sent anew: its count is not believed once more."""
    fake.lie("PATCH upload", _breaks(fake, kept=5000), times=1)
    fake.lie("GET upload", faults.header("Range", "0-9999"))
    fake.lie("POST upload", faults.passed(), times=len(large.blobs))
    fake.lie("POST upload", faults.status(503), times=ATTEMPTS + 1)
    await push_in_chunks(large, fake)
    assert await whole(fake, large)
    assert fake.requests["GET upload"] == 1


@pytest.mark.registry
async def test_the_real_registry_gets_a_blob_anew_whose_chunk_broke(large: Artifact) -> None:
    """Distribution 2.8 forgets an upload when a chunk ends early (its state says another offset): all of it again."""
    with DockerRegistry() as registry, BreakingLine(registry.port, after=3 * MIB + MIB // 2, times=2) as line:
        await push_in_chunks(large, registry, url=f"http://127.0.0.1:{line.port}")
        assert line.broken >= 2
        assert await whole(registry, large)


@pytest.mark.registry
async def test_the_real_registry_goes_on_between_two_chunks(large: Artifact) -> None:
    """It is restarted in the middle of an upload: nothing that it has is sent again."""
    size = max(blob.stat().st_size for blob in large.blobs.values() if isinstance(blob, Path))
    steps: list[int] = []
    with DockerRegistry() as registry:

        def advanced(count: int) -> None:
            steps.append(count)
            if sum(steps) > 4 * MIB and len(steps) < 100:
                steps.extend([0] * 100)  # once
                registry.stop()
                registry.start()

        async with RegistryClient(address_of(registry), user_agent="addon-sync/test") as client:
            await Pusher(client.uploads(chunk_size=MIB)).push(large, HELLO, [V1], advanced=advanced)
        assert await whole(registry, large)
    assert all(step >= 0 for step in steps)
    assert steps.count(MIB) == size // MIB


# ---- mounts, dry runs, tokens ------------------------------------------------------------------------------------


async def test_a_blob_that_another_addon_brought_is_mounted(server: AnyRegistry, tmp_path: Path) -> None:
    """Pushed side by side: what both share is sent once."""
    addons = [make_artifact(tmp_path, addon=name) for name in ("one", "two")]
    shared = {*addons[0].blobs} & {*addons[1].blobs}
    async with RegistryClient(address_of(server), user_agent="addon-sync/test") as client:
        pusher = Pusher(client.uploads())
        ends = await asyncio.gather(
            *(pusher.push(addon, Repository.parse(f"addons/{addon.tag}-{number}"), [V1])
              for number, addon in enumerate(addons))
        )  # fmt: skip
    assert sum(end.mounted for end in ends) == len(shared) > 0
    assert sum(end.uploaded for end in ends) == len({*addons[0].blobs} | {*addons[1].blobs})


async def test_a_registry_that_asks_for_time_gets_it_at_a_mount_too(fake: FakeRegistry) -> None:
    """That is no refusal of the mount, which an upload would get around."""

    async def read(start: int, count: int) -> AsyncIterator[bytes]:
        yield b"x" * count

    fake.lie("POST upload", faults.status(429), times=1)
    blob = UploadBlob(repository=HELLO, digest=Digest.of(b"x" * 10), size=10, read=read)
    async with RegistryClient(address_of(fake), user_agent="addon-sync/test") as client:
        with pytest.raises(RateLimited):
            await client.uploads().send_blob(blob, mount=Repository.parse("addons/other"))


async def test_a_mount_that_is_refused_becomes_an_upload(fake: FakeRegistry, tmp_path: Path) -> None:
    """The account may write here and not read there."""
    addons = [make_artifact(tmp_path, addon=name) for name in ("one", "two")]
    async with RegistryClient(address_of(fake), user_agent="addon-sync/test") as client:
        pusher = Pusher(client.uploads())
        await pusher.push(addons[0], HELLO, [V1])
        fake.lie("POST upload", _no_mounts)
        end = await pusher.push(addons[1], Repository.parse("addons/other"), [V1])
    assert end.mounted + end.uploaded + end.present == len(addons[1].blobs)
    assert end.uploaded >= 1


async def _no_mounts(request: web.Request, answer: Answer) -> web.StreamResponse:
    return web.Response(status=403) if "mount" in request.query else answer.response()


async def test_a_dry_run_sends_nothing(fake: FakeRegistry, artifact: Artifact) -> None:
    """And tells what it would send, before and after."""
    async with RegistryClient(address_of(fake), user_agent="addon-sync/test") as client:
        before = await Pusher(client.uploads(), dry_run=True).push(artifact, HELLO, [V1])
        assert {seen.kind.split()[0] for seen in fake.seen} == {"HEAD"}
        await pushed_by(artifact, client.uploads(), HELLO, [V1])
        after = await Pusher(client.uploads(), dry_run=True).push(artifact, HELLO, [V1])
    assert (before.uploaded, before.present) == (len(artifact.blobs), 0)
    assert (after.uploaded, after.present) == (0, len(artifact.blobs))
    assert before.sent > 2_000_000


async def test_a_damaged_file_is_told_before_it_is_sent(fake: FakeRegistry, artifact: Artifact) -> None:
    """One bit of the packed layer has changed on the disk."""
    layer = next(blob for blob in artifact.blobs.values() if isinstance(blob, Path))
    damaged = bytearray(layer.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    layer.write_bytes(damaged)
    with pytest.raises(DigestMismatch, match="damaged"):
        await push(artifact, address_of(fake), HELLO, [V1])
    assert fake.requests["PUT manifest"] == 0


async def test_progress_adds_up_to_what_was_sent(fake: FakeRegistry, large: Artifact) -> None:
    """Also where a part was lost on the way and sent again."""
    counted: list[int] = []
    fake.lie("PATCH upload", faults.passed(), times=2)
    fake.lie("PATCH upload", _breaks(fake, kept=MIB + 17), times=1)
    async with RegistryClient(address_of(fake), user_agent="addon-sync/test") as client:
        pushed = await Pusher(client.uploads(chunk_size=MIB)).push(large, HELLO, [V1], advanced=counted.append)
    assert sum(counted) == pushed.sent


async def test_a_chunk_is_as_large_as_the_registry_wants_it_at_least(fake: FakeRegistry, large: Artifact) -> None:
    """distribution-spec: OCI-Chunk-Min-Length."""
    fake.lie("POST upload", _with_header("OCI-Chunk-Min-Length", str(4 * MIB)))
    await push_in_chunks(large, fake)
    assert await whole(fake, large)
    assert fake.requests["PATCH upload"] == 2


# ---- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("terminal", [False, True])
def test_two_releases_of_one_addon_are_pushed_side_by_side(
    fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    """Into one repository: the one that is there first ends no count of the other, for people or for a log."""
    images = tmp_path / "images.tar"
    images.write_bytes(random.Random(2).randbytes(2 * MIB))
    layer = Layer(media_type=media.IMAGES_LINUX, path=images)
    releases = [
        make_artifact(tmp_path, addon="hello", version="v1.0.0"),
        make_artifact(tmp_path, addon="hello", version="v1.1.0", extra_layers=[layer]),
    ]
    write_archive(releases, tmp_path / "file.oci.tar")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    settings = load(flags={"registry_url": fake.url, "insecure": "true"}, environment={}, file=None, remote_only=True)
    assert push_file(settings, tmp_path / "file.oci.tar", chunk_size=MIB // 16) == 0
    tagged = {seen.target for seen in fake.seen if seen.kind == "PUT manifest"}
    assert tagged == {f"/v2/addons/hello/manifests/{release.tag}" for release in releases}


@pytest.mark.parametrize(("status", "kind"), [(None, "no connection"), (403, "access refused")])
def test_what_is_to_be_checked_is_what_was_given(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, status: int | None, kind: str
) -> None:
    """REGISTRY_URL is not to blame for an address that is the command's argument."""
    monkeypatch.setattr(logging.getLogger("receiver"), "propagate", True)
    write_archive([make_artifact(tmp_path, addon="hello")], tmp_path / "file.oci.tar")
    with FakeRegistry() as registry:
        address = registry.authority
        settings = load(
            flags={"insecure": "true"},
            environment={"REGISTRY_URL": "oci://h"},
            file=None,
            registry=address,
            remote_only=True,
        )
        if status is not None:
            registry.lie("POST upload", faults.status(status))
            assert push_file(settings, tmp_path / "file.oci.tar", chunk_size=MIB) == 1
    if status is None:
        assert push_file(settings, tmp_path / "file.oci.tar", chunk_size=MIB) == 1
    (said,) = (record.getMessage() for record in caplog.records if record.levelno == logging.ERROR)
    assert kind in said
    assert "check the argument REGISTRY" in said
    assert "REGISTRY_URL" not in said


def push_file(settings: Settings, file: Path, *, chunk_size: int) -> int:
    return run(settings, file, tag=None, latest=False, dry_run=False, chunk_size=chunk_size, output="text")


def _with_header(name: str, text: str) -> Fault:
    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        answer.headers[name] = text
        return answer.response()

    return fault
