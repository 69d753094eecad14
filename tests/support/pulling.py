"""An addon with one layer, pulled from a `FakeRegistry` by clients whose waits take no time."""

import random
from collections.abc import Mapping
from typing import Any

from receiver.blobs import BlobStore
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.reference import RegistryAddress
from receiver.registry.auth import Credentials
from receiver.registry.client import RegistryClient
from receiver.registry.retry import BriefRetry
from receiver.sync.fetch import fetch_blob
from tests.support.fake_registry import FakeRegistry
from tests.support.push import descriptor_of

NAME = "addons/monitoring"
LAYER = random.Random(11).randbytes(600_000)
LAYER_DESCRIPTOR = descriptor_of(LAYER, media.SCRIPTS)
PASSWORD = "pa55word"
CREDENTIALS = Credentials(username="robot", password=PASSWORD)


async def _at_once(seconds: float) -> None:
    """The wait between two tries."""


RETRY = BriefRetry(sleep=_at_once)


def client_of(server: FakeRegistry, *, address: str | None = None, **options: Any) -> RegistryClient:
    """A client of ``server``, under its own address or another that leads there."""
    parsed = RegistryAddress.parse(address or server.url, insecure=True)
    return RegistryClient(parsed, user_agent="addon-sync/test", retry=RETRY, **options)


async def fetch(client: RegistryClient, store: BlobStore, descriptor: Descriptor = LAYER_DESCRIPTOR) -> list[int]:
    """Fetch the layer; what was reported of its progress."""
    counts: list[int] = []
    await fetch_blob(client, store, NAME, descriptor, retry=RETRY, advanced=counts.append)
    return counts


def nothing_in(store: BlobStore) -> bool:
    """Whether ``store`` holds no blob and no part of one."""
    root = store.path(LAYER_DESCRIPTOR.digest).parents[2]
    return {path.name for path in root.rglob("*") if path.is_file()} == {"oci-layout", "index.json"}


def sent(server: FakeRegistry, kind: str) -> list[Mapping[str, str]]:
    """The headers of the requests of ``kind`` that arrived."""
    return [seen.headers for seen in server.seen if seen.kind == kind]
