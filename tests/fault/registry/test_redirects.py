"""Where a redirect may lead, and what goes along (hazards, "Redirects")."""

import pytest

from receiver.blobs import BlobStore
from receiver.errors import (
    AccessDenied,
    ProtocolViolation,
)
from receiver.oci.digest import Digest
from receiver.registry.client import RegistryClient
from tests.support import registry_faults as faults
from tests.support.fake_registry import FakeRegistry
from tests.support.pulling import CREDENTIALS, LAYER, LAYER_DESCRIPTOR, NAME, PASSWORD, client_of, fetch, sent
from tests.support.push import push_files


async def test_a_redirected_blob_takes_no_credentials_along(store: BlobStore) -> None:
    """Storage at another port of the same host is another origin (J9, GHSA-vh4v-2xq2-g5cg)."""
    with FakeRegistry() as storage, FakeRegistry(basic=("robot", PASSWORD)) as server:
        push_files(server.url, NAME, "v1.0.0", LAYER)
        push_files(storage.url, NAME, "v1.0.0", LAYER)
        target = f"{storage.url}/v2/{NAME}/blobs/{LAYER_DESCRIPTOR.digest}?X-Amz-Signature=a%2Fb"
        server.lie("GET blob", faults.redirected(target))
        async with client_of(server, credentials=lambda: CREDENTIALS) as client:
            await client.tags(NAME)
            await fetch(client, store)

        (headers,) = sent(storage, "GET blob")
        assert not {name.lower() for name in headers} & {"authorization", "cookie", "proxy-authorization"}
        assert any("Authorization" in headers for headers in sent(server, "GET blob"))
        assert storage.seen[-1].target.endswith("?X-Amz-Signature=a%2Fb")


async def test_a_chain_that_left_the_registry_gets_no_credentials_back(store: BlobStore) -> None:
    """Out, home, and on at home: nothing after the first step out is authorised, so nobody steers our credentials."""
    with FakeRegistry() as storage, FakeRegistry(basic=("robot", PASSWORD)) as server:
        push_files(server.url, NAME, "v1.0.0", LAYER)
        server.lie("GET blob", faults.redirected(f"{storage.url}/v2/x/blobs/y"), times=1)
        server.lie("GET blob", faults.redirected(f"/v2/{NAME}/blobs/{LAYER_DESCRIPTOR.digest}"), times=1)
        storage.lie("GET blob", faults.redirected(f"{server.url}/v2/{NAME}/blobs/{LAYER_DESCRIPTOR.digest}"))
        async with client_of(server, credentials=lambda: CREDENTIALS) as client:
            await client.tags(NAME)
            with pytest.raises(AccessDenied):
                await fetch(client, store)

        assert ["Authorization" in headers for headers in sent(server, "GET blob")] == [True, False, False]


async def test_a_redirect_at_home_stays_authorised(store: BlobStore) -> None:
    """The same origin is still the registry."""
    with FakeRegistry(basic=("robot", PASSWORD)) as server:
        push_files(server.url, NAME, "v1.0.0", LAYER)
        async with client_of(server, credentials=lambda: CREDENTIALS) as client:
            await client.tags(NAME)
            server.lie("GET blob", faults.redirected(f"/v2/{NAME}/blobs/{LAYER_DESCRIPTOR.digest}"), times=1)
            await fetch(client, store)
        assert store.has(LAYER_DESCRIPTOR)


async def test_a_redirect_loop_ends(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, store: BlobStore
) -> None:
    """Three redirects, no more (J10)."""
    server.lie("GET blob", faults.redirected(f"/v2/{NAME}/blobs/{LAYER_DESCRIPTOR.digest}"))

    with pytest.raises(ProtocolViolation, match="redirects"):
        await fetch(client, store)
    assert server.requests["GET blob"] == 4


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "unix:///run/x",
        "http://u:p@127.0.0.1/",
        "",
        "http://169.254.169.254/latest/",
        "http://0x7f.1/",
    ],
)
async def test_a_redirect_to_nowhere_good_is_refused(
    server: FakeRegistry, pushed: Digest, client: RegistryClient, store: BlobStore, target: str
) -> None:
    """No other scheme, no user, no metadata service, no disguised address (J3, J10)."""
    server.lie("GET blob", faults.redirected(target))

    with pytest.raises(ProtocolViolation):
        await fetch(client, store)
