"""What `RegistryClient` promises, against the real registry and against the fake that other tests rely on."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from receiver.errors import InvalidNameError, NotInRegistry, SizeMismatch, Unavailable
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest
from receiver.oci.manifest import Manifest, parse_manifest
from receiver.oci.reference import RegistryAddress
from receiver.registry.client import RegistryClient
from receiver.sync.ports import Registry
from tests.support import docker_registry, fake_announcer
from tests.support.docker_registry import DockerRegistry
from tests.support.fake_registry import FakeRegistry
from tests.support.push import (
    delete_manifest,
    descriptor_of,
    manifest_of,
    push_artifact,
    push_blob,
    push_files,
    push_manifest,
)

AnyRegistry = DockerRegistry | FakeRegistry
KINDS = ["fake", pytest.param("real", marks=pytest.mark.registry)]


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[AnyRegistry]:
    registry: AnyRegistry = FakeRegistry() if request.param == "fake" else DockerRegistry()
    with registry:
        yield registry


@pytest.fixture
async def client(server: AnyRegistry) -> AsyncIterator[Registry]:
    async with RegistryClient(address_of(server), user_agent="addon-sync/test") as client:
        yield client


def address_of(server: AnyRegistry) -> RegistryAddress:
    return RegistryAddress.parse(server.url, insecure=True)


async def read(client: Registry, repository: str, descriptor: Descriptor) -> list[bytes]:
    async with client.blob(repository, descriptor) as body:
        return [chunk async for chunk in body.chunks]


async def test_what_was_pushed_comes_back(server: AnyRegistry, client: Registry) -> None:
    """Tag to digest, digest to manifest, manifest to layers: each as it was pushed."""
    layers = (b"scripts", b"x" * 700_000)
    pushed = await asyncio.to_thread(push_files, server.url, "addons/monitoring", "v1.0.0", *layers)

    assert await client.repositories() == ["addons/monitoring"]
    assert await client.tags("addons/monitoring") == ["v1.0.0"]
    assert await client.resolve("addons/monitoring", "v1.0.0") == pushed
    found = await client.manifest("addons/monitoring", pushed)
    manifest = parse_manifest(found.body, found.media_type)
    assert isinstance(manifest, Manifest)
    assert found.media_type == media.OCI_MANIFEST
    assert [b"".join(await read(client, "addons/monitoring", layer)) for layer in manifest.layers] == list(layers)


async def test_an_index_comes_back_as_an_index(server: AnyRegistry, client: Registry) -> None:
    """The accepted types include the index, or a registry would convert or refuse it."""
    child = await asyncio.to_thread(push_files, server.url, "addons/ingress", "part", b"nginx")
    body = (await client.manifest("addons/ingress", child)).body
    entry = {"mediaType": media.OCI_MANIFEST, "digest": str(child), "size": len(body)}
    index = json.dumps({"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": [entry]}).encode()
    pushed = await asyncio.to_thread(push_manifest, server.url, "addons/ingress", index, media.OCI_INDEX, "v2.0.0")

    found = await client.manifest("addons/ingress", await client.resolve("addons/ingress", "v2.0.0"))

    assert (found.digest, found.media_type, found.body) == (pushed, media.OCI_INDEX, index)


async def test_a_moved_tag_resolves_to_its_new_digest(server: AnyRegistry, client: Registry) -> None:
    """`resolve` says what holds now, and the old manifest is still there by its digest."""
    old = await asyncio.to_thread(push_files, server.url, "addons/dashboard", "latest", b"old")
    assert await client.resolve("addons/dashboard", "latest") == old
    new = await asyncio.to_thread(push_files, server.url, "addons/dashboard", "latest", b"new")

    assert await client.resolve("addons/dashboard", "latest") == new != old
    assert (await client.manifest("addons/dashboard", old)).digest == old


async def test_what_is_not_there_is_said_to_be_missing(server: AnyRegistry, client: Registry) -> None:
    """Repository, tag, manifest and blob: a push cures each, and the message names the repository."""
    await asyncio.to_thread(push_files, server.url, "addons/metrics", "v1.0.0", b"x")
    nothing = descriptor_of(b"never pushed", media.SCRIPTS)

    for question in (
        client.tags("addons/nowhere"),
        client.resolve("addons/nowhere", "v1.0.0"),
        client.resolve("addons/metrics", "v9.9.9"),
        client.manifest("addons/metrics", nothing.digest),
        read(client, "addons/metrics", nothing),
    ):
        with pytest.raises(NotInRegistry, match=r"repository addons/(nowhere|metrics)"):
            await question


async def test_a_deleted_manifest_takes_its_tag_along(server: AnyRegistry, client: Registry) -> None:
    """A tag that vanishes between two questions is missing, not an internal error (hazards J17)."""
    pushed = await asyncio.to_thread(push_files, server.url, "addons/metrics", "v1.0.0", b"x")
    await asyncio.to_thread(delete_manifest, server.url, "addons/metrics", pushed)

    with pytest.raises(NotInRegistry):
        await client.resolve("addons/metrics", "v1.0.0")
    with pytest.raises(NotInRegistry):
        await client.manifest("addons/metrics", pushed)


async def test_a_catalogue_of_several_pages_is_read_to_its_end(server: AnyRegistry, client: Registry) -> None:
    """More repositories than a page holds (100) all come back, each once."""
    names = [f"addons/a{number:03}" for number in range(101)]

    def push_all() -> None:
        manifest = manifest_of([], config=descriptor_of(b"{}", media.OCI_EMPTY))
        for name in names:
            push_artifact(server.url, name, "v1", blobs=[b"{}"], manifest=manifest)

    await asyncio.to_thread(push_all)

    assert await client.repositories() == names


async def test_many_tags_all_come_back(server: AnyRegistry, client: Registry) -> None:
    """In one page or in several, as the registry likes."""
    manifest = manifest_of([], config=descriptor_of(b"{}", media.OCI_EMPTY))
    tags = [f"v1.0.{number}" for number in range(101)]

    def push_all() -> None:
        push_blob(server.url, "addons/many", b"{}")
        for tag in tags:
            push_manifest(server.url, "addons/many", manifest, media.OCI_MANIFEST, tag)

    await asyncio.to_thread(push_all)

    assert sorted(await client.tags("addons/many")) == sorted(tags)


async def test_an_empty_registry_has_no_repositories(client: Registry) -> None:
    """An empty catalogue is an answer, not an error."""
    assert await client.repositories() == []


async def test_a_blob_comes_in_large_chunks(server: AnyRegistry, client: Registry) -> None:
    """Chunks of 256 KiB to 1 MiB, the last one excepted: each costs two hops to a thread."""
    content = bytes(range(256)) * 20_000
    digest = await asyncio.to_thread(push_blob, server.url, "addons/big", content)

    chunks = await read(client, "addons/big", Descriptor(media_type=media.SCRIPTS, digest=digest, size=len(content)))

    assert b"".join(chunks) == content
    assert all(256 * 1024 <= len(chunk) <= 1024 * 1024 for chunk in chunks[:-1])


async def test_an_empty_blob_has_no_chunks(server: AnyRegistry, client: Registry) -> None:
    """Zero bytes are a blob too."""
    digest = await asyncio.to_thread(push_blob, server.url, "addons/empty", b"")

    assert await read(client, "addons/empty", Descriptor(media_type=media.SCRIPTS, digest=digest, size=0)) == []


async def test_another_size_than_promised_is_refused_before_a_byte_is_read(
    server: AnyRegistry, client: Registry
) -> None:
    """The registry's Content-Length against the descriptor, at once (hazards "Size", J21)."""
    digest = await asyncio.to_thread(push_blob, server.url, "addons/big", b"12345")

    for size in (4, 6):
        with pytest.raises(SizeMismatch, match="5 bytes announced"):
            await read(client, "addons/big", Descriptor(media_type=media.SCRIPTS, digest=digest, size=size))


async def test_a_blob_is_continued_where_it_broke_off(server: AnyRegistry, client: Registry) -> None:
    """From an offset to the end; what can be no offset is the whole (hazards "Range resume")."""
    content = bytes(range(250)) * 4000
    digest = await asyncio.to_thread(push_blob, server.url, "addons/big", content)
    descriptor = Descriptor(media_type=media.SCRIPTS, digest=digest, size=len(content))

    for offset, start in [(0, 0), (1, 1), (700_001, 700_001), (len(content) - 1, len(content) - 1), (len(content), 0)]:
        async with client.blob("addons/big", descriptor, offset=offset) as body:
            assert body.start == start
            assert b"".join([chunk async for chunk in body.chunks]) == content[start:]


async def test_a_connection_survives_a_blob_that_was_left_in_the_middle(server: AnyRegistry, client: Registry) -> None:
    """Leaving early cuts that connection only; the next question is answered."""
    content = b"z" * 5_000_000
    digest = await asyncio.to_thread(push_blob, server.url, "addons/big", content)
    descriptor = Descriptor(media_type=media.SCRIPTS, digest=digest, size=len(content))

    async with client.blob("addons/big", descriptor) as body:
        await anext(body.chunks)

    assert b"".join(await read(client, "addons/big", descriptor)) == content


@pytest.mark.parametrize("name", ["", "../x", "Addons/x", "addons/x?y", "addons//x", "addons/x\n"])
async def test_a_name_that_is_none_is_never_sent(name: str) -> None:
    """Repository and tag become part of a URL, so they are judged first: nothing listens at this address."""
    nowhere = RegistryAddress.parse("http://127.0.0.1:9", insecure=True)
    async with RegistryClient(nowhere, user_agent="addon-sync/test") as client:
        digest = Digest.of(b"")
        with pytest.raises(InvalidNameError):
            await client.tags(name)
        with pytest.raises(InvalidNameError):
            await client.resolve("addons/x", name + "/")
        with pytest.raises(InvalidNameError):
            await client.manifest(name, digest)
        with pytest.raises(InvalidNameError):
            client.blob(name, Descriptor(media_type=media.SCRIPTS, digest=digest, size=0))


async def test_a_registry_that_comes_back_is_asked_again(server: AnyRegistry, client: Registry) -> None:
    """Stopped, it is unavailable; started again on the same port and storage, the same client goes on."""
    pushed = await asyncio.to_thread(push_files, server.url, "addons/metrics", "v1.0.0", b"x")
    assert await client.resolve("addons/metrics", "v1.0.0") == pushed
    if isinstance(server, FakeRegistry):
        await asyncio.to_thread(server.restart)
    else:
        await asyncio.to_thread(server.stop)
        with pytest.raises(Unavailable, match="check REGISTRY_URL"):
            await client.resolve("addons/metrics", "v1.0.0")
        await asyncio.to_thread(server.start)

    assert await client.resolve("addons/metrics", "v1.0.0") == pushed


@pytest.mark.parametrize("kind", KINDS)
async def test_a_push_is_announced_until_it_is_taken(kind: str) -> None:
    """The fake repeats and orders events as the real registry does: the same event until 202, then the next."""
    async with AsyncExitStack() as stack:
        taken: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        attempts: list[str] = []

        async def take(request: web.Request) -> web.Response:
            assert request.headers["Authorization"] == "Bearer sample-token"
            assert request.headers["Content-Type"] == "application/vnd.docker.distribution.events.v1+json"
            (event,) = (await request.json())["events"]
            attempts.append(event["id"])
            if len(attempts) < 3:
                return web.Response(status=503)
            taken.put_nowait(event)
            return web.Response(status=202)

        application = web.Application()
        application.router.add_post("/v1/notifications", take)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/notifications"
        server: AnyRegistry
        if kind == "fake":
            server = FakeRegistry(notify=fake_announcer.Notify(url=url, token="sample-token"))
        else:
            server = DockerRegistry(notify=docker_registry.Notify(url=url, token="sample-token"))
        await asyncio.to_thread(server.__enter__)
        stack.push_async_callback(asyncio.to_thread, server.__exit__)

        pushed = await asyncio.to_thread(push_files, server.url, "addons/metrics", "v1.0.0", b"layer")
        events = [await asyncio.wait_for(taken.get(), 20) for _ in range(3)]

        assert attempts[:3] == [events[0]["id"]] * 3
        assert [event["action"] for event in events] == ["push"] * 3
        assert [event["target"]["mediaType"] for event in events] == ["application/octet-stream"] * 2 + [
            media.OCI_MANIFEST
        ]
        target = events[2]["target"]
        assert (target["repository"], target["tag"], target["digest"]) == ("addons/metrics", "v1.0.0", str(pushed))
        assert set(target) >= {"size", "length", "url"}
        assert set(events[2]) >= {"id", "timestamp", "request", "actor", "source"}
