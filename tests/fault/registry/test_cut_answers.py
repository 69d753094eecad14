"""Answers that end early, at each of their bytes: in the head, the body, before the last chunk (hazards J13, J21)."""

import itertools
from collections.abc import Awaitable, Callable

import pytest

from receiver.blobs import BlobStore
from receiver.oci import media
from receiver.oci.digest import Digest
from receiver.registry.client import RegistryClient
from tests.support.fake_registry import FakeRegistry
from tests.support.fault_proxy import Fault, FaultProxy, Request
from tests.support.pulling import NAME, client_of, fetch
from tests.support.push import descriptor_of, push_files

_SMALL = b"a small layer"
_DESCRIPTOR = descriptor_of(_SMALL, media.SCRIPTS)

Ask = Callable[[RegistryClient, BlobStore, Digest], Awaitable[object]]


@pytest.fixture
def pushed(server: FakeRegistry) -> Digest:
    """An addon with a small layer."""
    return push_files(server.url, NAME, "v1.0.0", _SMALL)


async def _blob(client: RegistryClient, store: BlobStore, pushed: Digest) -> bytes:
    path = store.path(_DESCRIPTOR.digest)
    path.unlink(missing_ok=True)
    await fetch(client, store, _DESCRIPTOR)
    return path.read_bytes()


ASKS: dict[str, Ask] = {
    "tags": lambda client, store, pushed: client.tags(NAME),
    "resolve": lambda client, store, pushed: client.resolve(NAME, "v1.0.0"),
    "manifest": lambda client, store, pushed: client.manifest(NAME, pushed),
    "blob": _blob,
}


class _CutOnce:
    """A forecast: the next answer ends before byte ``place``, those after it are whole."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.place: int | None = None

    def __call__(self, request: Request) -> Fault | None:
        place, self.place = self.place, None
        return None if place is None else Fault(kind=self.kind, place=place)


CASES = [
    (ask, kind)
    for ask, kind in itertools.product(ASKS, ("cut", "reset", "cut in chunks"))
    if (ask, kind) != ("resolve", "cut in chunks")  # a HEAD, whose answer has no body
]


@pytest.mark.parametrize(("asked", "kind"), CASES)
async def test_an_answer_that_ends_at_any_byte_is_asked_for_again(
    server: FakeRegistry, pushed: Digest, store: BlobStore, asked: str, kind: str
) -> None:
    """What comes in the end is what comes without a fault, whichever byte was the last of the first try."""
    ask, forecast = ASKS[asked], _CutOnce(kind)
    with FaultProxy(server.authority, forecast) as proxy:
        async with client_of(server, address=proxy.url) as client:
            honest = await ask(client, store, pushed)
            for place in itertools.count():
                forecast.place = place
                assert await ask(client, store, pushed) == honest, place
                if proxy.told["whole after all"]:
                    break
    assert proxy.told[kind] > 100
