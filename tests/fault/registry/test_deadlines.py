"""A registry behind a line that stalls or drips holds nobody for ever (hazards J14): every wait of ours has its end."""

import asyncio
from types import ModuleType

import pytest

from receiver.blobs import BlobStore
from receiver.errors import Unavailable
from receiver.oci.digest import Digest
from receiver.registry import session, stream, transport
from receiver.registry.client import RegistryClient
from tests.support.fake_registry import FakeRegistry
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.pulling import NAME, client_of, fetch, nothing_in

_STALL, _DRIP = "stall", "drip"


async def _pull(client: RegistryClient, store: BlobStore, pushed: Digest, what: str) -> None:
    match what:
        case "tags":
            await client.tags(NAME)
        case "manifest":
            await client.manifest(NAME, pushed)
        case _:
            await fetch(client, store)


@pytest.mark.parametrize(
    ("fault", "what", "module", "deadline", "why"),
    [
        pytest.param(Fault(kind=_STALL), "tags", transport, "HEAD_DEADLINE", "in time", id="no answer"),
        pytest.param(Fault(kind=_STALL, at=0.1), "tags", transport, "HEAD_DEADLINE", "in time", id="half a head"),
        pytest.param(
            Fault(kind=_DRIP, seconds=0.02), "tags", transport, "HEAD_DEADLINE", "in time", id="a head that drips"
        ),
        pytest.param(
            Fault(kind=_STALL, at=0.9), "manifest", transport, "READ_TIMEOUT", "in time", id="half a document"
        ),
        pytest.param(
            Fault(kind=_DRIP, at=0.9, seconds=0.02), "manifest", session, "DOCUMENT_DEADLINE", "in time",
            id="a document that drips",
        ),
        pytest.param(Fault(kind=_STALL, at=0.5), "blob", transport, "READ_TIMEOUT", "in time", id="half a blob"),
        pytest.param(
            Fault(kind=_DRIP, at=0.001, seconds=0.005), "blob", stream, "GRACE", "bytes a second", id="a drip"
        ),
        pytest.param(
            Fault(kind=_DRIP, at=0.9, seconds=0.005), "blob", stream, "DEADLINE", "the whole", id="no end"
        ),
    ],
)  # fmt: skip
async def test_a_line_that_stalls_or_drips_ends_by_our_own_deadline(
    server: FakeRegistry,
    pushed: Digest,
    store: BlobStore,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    what: str,
    module: ModuleType,
    deadline: str,
    why: str,
) -> None:
    """Only that one deadline is short here: each is missed if it is gone. Nothing of the blob is left."""
    monkeypatch.setattr(module, deadline, 0.2)
    with FaultProxy(server.authority, lambda request: fault) as proxy:
        async with asyncio.timeout(15), client_of(server, address=proxy.url) as client:
            with pytest.raises(Unavailable, match=why):
                await _pull(client, store, pushed, what)
    assert proxy.told[fault.kind] == 3
    assert nothing_in(store)
