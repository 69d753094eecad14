"""A registry that can lie, an addon in it, and a client and a store to pull it with."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from receiver.blobs import BlobStore
from receiver.oci.digest import Digest
from receiver.registry.client import RegistryClient
from tests.support.certificates import make_certificates
from tests.support.fake_registry import FakeRegistry
from tests.support.pulling import LAYER, NAME, client_of
from tests.support.push import push_files


@pytest.fixture
def server() -> Iterator[FakeRegistry]:
    """An honest registry, so far."""
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def pushed(server: FakeRegistry) -> Digest:
    """The addon in it."""
    return push_files(server.url, NAME, "v1.0.0", LAYER)


@pytest.fixture
async def client(server: FakeRegistry) -> AsyncIterator[RegistryClient]:
    """A client without credentials."""
    async with client_of(server) as client:
        yield client


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    """An empty blob store."""
    store = BlobStore(tmp_path / "blobs")
    store.prepare()
    return store


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a certificate and its key."""
    return make_certificates(tmp_path_factory.mktemp("tls"))
