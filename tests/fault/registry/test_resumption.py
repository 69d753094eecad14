"""Blobs that break off and are continued, or not (hazards, "Range resume", J13, J19).

aiohttp forgets what it has buffered when a connection breaks, up to 768 KiB: how far a try came is known within that.
"""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from aiohttp import web

from receiver.blobs import BlobStore
from receiver.errors import DigestMismatch, ProtocolViolation, RateLimited
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.registry.client import RegistryClient
from tests.support import registry_faults as faults
from tests.support.fake_registry import Answer, FakeRegistry, Fault
from tests.support.pulling import NAME, fetch, nothing_in, sent
from tests.support.push import descriptor_of, push_files

BIG = random.Random(5).randbytes(3_000_000)
SIZE = len(BIG)
DESCRIPTOR = descriptor_of(BIG, media.SCRIPTS)
CUT = faults.cut_off(2_500_000)


@pytest.fixture
def pushed(server: FakeRegistry) -> Digest:
    """An addon with a large layer."""
    return push_files(server.url, NAME, "v1.0.0", BIG)


def offsets(server: FakeRegistry) -> list[int]:
    """Where each request for the blob wanted to begin."""
    ranges = [headers.get("Range", "bytes=0-") for headers in sent(server, "GET blob")]
    return [int(text.removeprefix("bytes=").removesuffix("-")) for text in ranges]


async def test_a_broken_blob_is_continued(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, store: BlobStore
) -> None:
    """Only what is missing is asked for, and progress takes nothing back."""
    server.lie("GET blob", CUT, times=1)

    counts = await fetch(client, store, DESCRIPTOR)

    assert store.path(DESCRIPTOR.digest).read_bytes() == BIG
    first, second = offsets(server)
    assert first == 0
    assert 1_500_000 < second <= 2_500_000
    assert min(counts) > 0
    assert sum(counts) == SIZE


def ranged(lie: Callable[[int], tuple[int, str | None, bytes]]) -> Fault:
    """Answer a range with the status, Content-Range and body that ``lie`` makes of its start."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        status, content_range, body = lie(start)
        headers = {} if content_range is None else {"Content-Range": content_range}
        return web.Response(status=status, headers=headers, body=body)

    return fault


WRONG_RANGES: list[tuple[str, Fault]] = [
    ("an earlier start", ranged(lambda at: (206, f"bytes {at - 1}-{SIZE - 1}/{SIZE}", BIG[at - 1 :]))),
    ("a later start", ranged(lambda at: (206, f"bytes {at + 1}-{SIZE - 1}/{SIZE}", BIG[at + 1 :]))),
    ("another total", ranged(lambda at: (206, f"bytes {at}-{SIZE - 1}/{SIZE + 1}", BIG[at:]))),
    ("an unknown total", ranged(lambda at: (206, f"bytes {at}-{SIZE - 1}/*", BIG[at:]))),
    ("not to the end", ranged(lambda at: (206, f"bytes {at}-{SIZE - 2}/{SIZE}", BIG[at:-1]))),
    ("another length", ranged(lambda at: (206, f"bytes {at}-{SIZE - 1}/{SIZE}", BIG[at:] + b"x"))),
    ("several ranges", ranged(lambda at: (206, None, b"--x\r\n\r\n--x--"))),
    ("garbage", ranged(lambda at: (206, "bytes x", b"x"))),
    ("beyond the end", ranged(lambda at: (416, f"bytes */{SIZE}", b""))),
]


@pytest.mark.parametrize("fault", [lie[1] for lie in WRONG_RANGES], ids=[lie[0] for lie in WRONG_RANGES])
async def test_a_wrong_range_is_not_believed(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, store: BlobStore, fault: Fault
) -> None:
    """The blob is asked for from zero, once, and is whole in the end (J19)."""
    server.lie("GET blob", CUT, times=1)
    server.lie("GET blob", fault, times=1)

    counts = await fetch(client, store, DESCRIPTOR)

    assert store.path(DESCRIPTOR.digest).read_bytes() == BIG
    assert [offset > 0 for offset in offsets(server)] == [False, True, False]
    assert sum(counts) == SIZE


async def test_a_registry_that_ignores_ranges_sends_the_whole(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, store: BlobStore
) -> None:
    """200 to a range: what had arrived is dropped, without a third request (J19)."""
    server.lie("GET blob", CUT, times=1)
    server.lie("GET blob", ranged(lambda at: (200, None, BIG)), times=1)

    counts = await fetch(client, store, DESCRIPTOR)

    assert store.path(DESCRIPTOR.digest).read_bytes() == BIG
    assert len(offsets(server)) == 2
    assert sum(counts) == SIZE


async def test_a_poisoned_part_does_not_survive(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, store: BlobStore
) -> None:
    """The hash is over the whole; after a wrong one nothing is left that a later try could go on from."""

    async def poisoned(request: web.Request, answer: Answer) -> web.StreamResponse:
        return await CUT(request, replace(answer, body=bytes(SIZE)))

    server.lie("GET blob", poisoned, times=1)
    with pytest.raises(DigestMismatch):
        await fetch(client, store, DESCRIPTOR)
    assert nothing_in(store)
    assert offsets(server)[1] > 0

    await fetch(client, store, DESCRIPTOR)
    assert offsets(server)[2] == 0


async def test_a_line_that_breaks_again_and_again_carries_a_large_blob(
    server: FakeRegistry, client: RegistryClient, store: BlobStore
) -> None:
    """As long as a round of three tries brings a mebibyte, the blob is neither begun again nor given up."""
    large = random.Random(6).randbytes(12_000_000)
    descriptor = descriptor_of(large, media.SCRIPTS)
    push_files(server.url, NAME, "v1.0.0", large)
    server.lie("GET blob", CUT)

    await fetch(client, store, descriptor)

    assert store.path(descriptor.digest).read_bytes() == large
    assert 5 <= len(offsets(server)) <= 8
    assert offsets(server) == sorted(offsets(server))


async def test_a_registry_that_asks_for_time_is_not_asked_for_the_rest(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, store: BlobStore
) -> None:
    """However much came before: the time to wait is the task queue's to keep (hazards "429/503 Retry-After")."""
    server.lie("GET blob", CUT, times=1)
    server.lie("GET blob", faults.status(429, Retry_After="9"))

    with pytest.raises(RateLimited):
        await fetch(client, store, DESCRIPTOR)
    assert len(offsets(server)) == 2
    assert nothing_in(store)


async def test_an_encoded_rest_is_refused(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, store: BlobStore
) -> None:
    """A decoder of the registry's choice runs no more on a part than on the whole (J20)."""
    server.lie("GET blob", CUT, times=1)
    server.lie("GET blob", faults.header("Content-Encoding", "gzip"))

    with pytest.raises(ProtocolViolation, match="encoding"):
        await fetch(client, store, DESCRIPTOR)
    assert nothing_in(store)
