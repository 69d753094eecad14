"""Manifests and digests that are not what they are said to be, and tags that move (hazards, "Registry cases")."""

import pytest

from receiver.blobs import BlobStore
from receiver.errors import (
    DigestMismatch,
    NotInRegistry,
    ProtocolViolation,
    RateLimited,
    Unavailable,
)
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.registry import session, transport
from receiver.registry.client import RegistryClient
from tests.support import registry_faults as faults
from tests.support.fake_registry import FakeRegistry, Fault
from tests.support.pulling import LAYER, LAYER_DESCRIPTOR, NAME, client_of, fetch
from tests.support.push import delete_manifest, manifest_of, push_files


@pytest.mark.parametrize("code", [500, 502, 503, 504, 408])
async def test_a_registry_that_stumbles_is_asked_again(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, code: int
) -> None:
    """Twice an error, then the answer: for every kind of document (J13)."""
    for kind in ("GET catalogue", "GET tags", "HEAD manifest", "GET manifest"):
        server.lie(kind, faults.status(code), times=2)

    assert await client.repositories() == [NAME]
    assert await client.tags(NAME) == ["v1.0.0"]
    assert await client.resolve(NAME, "v1.0.0") == pushed
    assert (await client.manifest(NAME, pushed)).digest == pushed
    assert server.requests["GET manifest"] == 3


async def test_a_registry_that_stays_down_is_unavailable(
    server: FakeRegistry, pushed: Digest, client: RegistryClient
) -> None:
    """Three tries, no more."""
    server.lie("GET tags", faults.status(500))

    with pytest.raises(Unavailable, match="500"):
        await client.tags(NAME)
    assert server.requests["GET tags"] == 3


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(("header", "wait"), [("17", 17), ("999999", 300), ("0", 1), ("garbage", 30)])
async def test_a_rate_limit_is_not_slept_through(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, code: int, header: str, wait: float
) -> None:
    """One request; the time to wait travels with the error, within bounds (J12)."""
    server.lie("GET tags", faults.status(code, Retry_After=header))

    with pytest.raises(RateLimited) as caught:
        await client.tags(NAME)
    assert caught.value.retry_after == wait
    assert server.requests["GET tags"] == 1


@pytest.mark.parametrize(
    "fault",
    [
        faults.header("Docker-Content-Digest", None),
        faults.header("Docker-Content-Digest", "sha512:" + "0" * 128),
        faults.header("Docker-Content-Digest", "../../etc/passwd"),
        faults.status(405),
        faults.status(501),
        faults.redirected("/elsewhere"),
    ],
)
async def test_a_head_that_says_no_digest_is_made_up_for(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, fault: Fault
) -> None:
    """The manifest is fetched and hashed (J23)."""
    server.lie("HEAD manifest", fault)

    assert await client.resolve(NAME, "v1.0.0") == pushed
    assert server.requests["GET manifest"] == 1


async def test_a_head_that_lies_is_found_out(server: FakeRegistry, pushed: Digest, client: RegistryClient) -> None:
    """The digest that a tag is said to have is only a hint until the manifest hashes to it (J23)."""
    claimed = Digest.of(b"claimed")
    server.lie("HEAD manifest", faults.header("Docker-Content-Digest", str(claimed)))
    body = manifest_of([], config=LAYER_DESCRIPTOR)
    server.lie("GET manifest", faults.body(body))

    digest = await client.resolve(NAME, "v1.0.0")
    with pytest.raises(DigestMismatch):
        await client.manifest(NAME, digest)


async def test_a_registry_that_contradicts_itself_is_refused(
    server: FakeRegistry, pushed: Digest, client: RegistryClient
) -> None:
    """Without HEAD, the header of the GET must agree with its body."""
    server.lie("HEAD manifest", faults.status(405))
    server.lie("GET manifest", faults.header("Docker-Content-Digest", str(Digest.of(b"other"))))

    with pytest.raises(DigestMismatch):
        await client.resolve(NAME, "v1.0.0")


@pytest.mark.parametrize("media_type", [f"{media.OCI_MANIFEST}; charset=utf-8", f" {media.OCI_MANIFEST} ;x"])
async def test_parameters_of_a_media_type_are_ignored(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, media_type: str
) -> None:
    """distribution-spec "Pulling manifests" (hazards I3)."""
    server.lie("GET manifest", faults.header("Content-Type", media_type))

    assert (await client.manifest(NAME, pushed)).media_type == media.OCI_MANIFEST


async def test_a_manifest_of_the_largest_size_passes(server: FakeRegistry, client: RegistryClient) -> None:
    """4 MiB are read, one byte more is not, and one without an end is not read to its end (I22, J22)."""
    largest = b" " * (4 * 1024 * 1024)
    push_files(server.url, NAME, "v1.0.0", LAYER)

    server.lie("GET manifest", faults.body(largest), times=1)
    assert len((await client.manifest(NAME, Digest.of(largest))).body) == len(largest)
    for fault in (faults.body(largest + b" "), faults.endless()):
        server.tell_the_truth()
        server.lie("GET manifest", fault)
        with pytest.raises(ProtocolViolation, match="longer than"):
            await client.manifest(NAME, Digest.of(largest))


async def test_the_limit_of_a_manifest_can_be_set_and_is_named(server: FakeRegistry) -> None:
    """The limit itself passes; for one byte more, the operator reads which setting it is."""
    push_files(server.url, NAME, "v1.0.0", LAYER)
    async with client_of(server, max_document_size=100) as client:
        server.lie("GET manifest", faults.body(b" " * 100))
        assert len((await client.manifest(NAME, Digest.of(b" " * 100))).body) == 100
        server.tell_the_truth()
        server.lie("GET manifest", faults.body(b" " * 101))
        with pytest.raises(ProtocolViolation, match=r"longer than 100 bytes \(ADDON_SYNC_MAX_DOCUMENT_SIZE\)"):
            await client.manifest(NAME, Digest.of(b" " * 101))


async def test_a_document_that_trickles_is_given_up(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deadline for the whole, since every single read is in time."""
    monkeypatch.setattr(session, "DOCUMENT_DEADLINE", 0.2)
    server.lie("GET manifest", faults.drip(interval=0.05))

    with pytest.raises(Unavailable, match="in time"):
        await client.manifest(NAME, pushed)


async def test_a_registry_that_says_nothing_is_given_up(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No head of an answer within the deadline."""
    monkeypatch.setattr(transport, "HEAD_DEADLINE", 0.1)
    server.lie("GET tags", faults.silent())

    with pytest.raises(Unavailable, match="in time"):
        await client.tags(NAME)


async def test_a_tag_that_moves_during_a_pull_changes_nothing(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, store: BlobStore
) -> None:
    """Resolved once, everything after is asked for by digest (J16)."""
    digest = await client.resolve(NAME, "v1.0.0")
    push_files(server.url, NAME, "v1.0.0", b"another layer")

    assert (await client.manifest(NAME, digest)).digest == pushed
    await fetch(client, store)


async def test_an_artifact_that_vanishes_during_a_pull_is_missing(
    server: FakeRegistry, pushed: Digest, client: RegistryClient
) -> None:
    """Deleted between tag and manifest: said so, not retried (J17)."""
    digest = await client.resolve(NAME, "v1.0.0")
    delete_manifest(server.url, NAME, pushed)

    with pytest.raises(NotInRegistry):
        await client.manifest(NAME, digest)
    assert server.requests["GET manifest"] == 1
