"""Blobs that are cut, dripped, swapped or too long (hazards, "Registry cases")."""

import asyncio

import pytest

from receiver.blobs import BlobStore
from receiver.errors import (
    AccessDenied,
    DigestMismatch,
    NotInRegistry,
    ProtocolViolation,
    RateLimited,
    ReceiverError,
    SizeMismatch,
    Unavailable,
    UnsupportedContent,
)
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest
from receiver.registry.client import RegistryClient
from tests.support import registry_faults as faults
from tests.support.fake_registry import FakeRegistry, Fault
from tests.support.pulling import (
    LAYER,
    LAYER_DESCRIPTOR,
    NAME,
    client_of,
    fetch,
    nothing_in,
)
from tests.support.push import descriptor_of


@pytest.mark.parametrize("eighth", range(8))
async def test_a_blob_cut_anywhere_is_fetched_again(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, store: BlobStore, eighth: int
) -> None:
    """The line breaks once, at any eighth: the blob is whole all the same, and progress tells the truth (J13)."""
    server.lie("GET blob", faults.cut_off(len(LAYER) * eighth // 8), times=1)

    counts = await fetch(client, store)

    assert store.path(LAYER_DESCRIPTOR.digest).read_bytes() == LAYER
    assert sum(counts) == len(LAYER)
    assert server.requests["GET blob"] == 2


async def test_a_blob_that_is_always_cut_is_given_up(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, store: BlobStore
) -> None:
    """Three tries, then the task queue decides; nothing is left of it."""
    server.lie("GET blob", faults.cut_off(100_000))

    with pytest.raises(Unavailable, match="cut"):
        await fetch(client, store)
    assert server.requests["GET blob"] == 3
    assert nothing_in(store)


LYING_BLOBS: list[tuple[str, Fault, type[ReceiverError]]] = [
    ("other bytes", faults.body(LAYER[:-1] + bytes([LAYER[-1] ^ 1])), DigestMismatch),
    ("a byte more", faults.body(LAYER + b"x"), SizeMismatch),
    ("a byte fewer", faults.body(LAYER[:-1]), SizeMismatch),
    ("a byte more, without a length", faults.chunked(extra=b"x"), SizeMismatch),
    ("a byte fewer, without a length", faults.chunked(only=len(LAYER) - 1), SizeMismatch),
    ("an endless body", faults.endless(), SizeMismatch),
    ("an encoding", faults.header("Content-Encoding", "gzip"), ProtocolViolation),
    ("a partial answer", faults.status(206, body=LAYER[:5], Content_Range="bytes 5-9/600000"), ProtocolViolation),
    ("no content", faults.status(204), ProtocolViolation),
    ("gone", faults.status(404), NotInRegistry),
    ("forbidden", faults.status(403), AccessDenied),
    ("a rate limit", faults.status(429, Retry_After="9"), RateLimited),
]


@pytest.mark.parametrize(("fault", "kind"), [lie[1:] for lie in LYING_BLOBS], ids=[lie[0] for lie in LYING_BLOBS])
async def test_a_blob_that_lies_is_refused_at_once(
    server: FakeRegistry,
    pushed: Digest,
    client: RegistryClient,
    store: BlobStore,
    fault: Fault,
    kind: type[ReceiverError],
) -> None:
    """Seconds cure none of these: one request, one typed error, nothing in the store (J12, J15, J19 to J21)."""
    server.lie("GET blob", fault)

    with pytest.raises(kind):
        await fetch(client, store)
    assert server.requests["GET blob"] == 1
    assert nothing_in(store)


async def test_a_body_without_a_length_is_taken(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, store: BlobStore
) -> None:
    """Some proxies send none: size and hash are checked all the same (J21)."""
    server.lie("GET blob", faults.chunked())

    await fetch(client, store)
    assert store.has(LAYER_DESCRIPTOR)


async def test_a_drip_is_given_up(server: FakeRegistry, pushed: Digest, store: BlobStore) -> None:
    """A byte now and then holds no worker for ever: the time that passes here is the test's (J14)."""
    server.lie("GET blob", faults.drip(interval=0.001))
    ticks = iter(range(10**9))

    async with client_of(server, clock=lambda: float(next(ticks))) as client:
        with pytest.raises(Unavailable, match="bytes a second"):
            await fetch(client, store)
    assert nothing_in(store)


async def test_at_most_a_byte_too_many_is_handed_on(
    server: FakeRegistry, pushed: Digest, client: RegistryClient
) -> None:
    """Whoever reads a blob sees that it is too long, and not how long (hazards "Size")."""
    server.lie("GET blob", faults.endless())

    async with client.blob(NAME, LAYER_DESCRIPTOR) as body:
        assert sum([len(chunk) async for chunk in body.chunks]) == len(LAYER) + 1


async def test_a_foreign_layer_is_never_asked_for(server: FakeRegistry, pushed: Digest, client: RegistryClient) -> None:
    """``urls`` in a descriptor lead elsewhere, with our credentials (CVE-2020-15157)."""
    foreign = Descriptor(media_type=media.SCRIPTS, digest=LAYER_DESCRIPTOR.digest, size=len(LAYER), foreign=True)

    with pytest.raises(UnsupportedContent, match="foreign"):
        client.blob(NAME, foreign)
    assert server.requests["GET blob"] == 0


async def test_cancelling_in_the_middle_leaves_nothing(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, store: BlobStore
) -> None:
    """A stop while bytes arrive: no file, and the client still works."""
    server.lie("GET blob", faults.drip(interval=0.01, count=1000), times=1)
    task = asyncio.create_task(fetch(client, store))
    async with asyncio.timeout(10):
        while not server.requests["GET blob"]:  # noqa: ASYNC110 - the request arrives in another thread
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert nothing_in(store)
    await fetch(client, store)


async def test_a_layer_that_was_never_pushed_is_missing(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, store: BlobStore
) -> None:
    """Said so, with the code of the registry; nothing is left behind."""
    with pytest.raises(NotInRegistry, match="BLOB_UNKNOWN"):
        await fetch(client, store, descriptor_of(b"never pushed", media.SCRIPTS))
    assert nothing_in(store)
