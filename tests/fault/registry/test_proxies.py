"""The operator's proxy: used for what it serves, for nothing else, and never instead of TLS."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from receiver.errors import AccessDenied, ProtocolViolation, Unavailable
from receiver.registry.proxy import Proxy, parse_exemptions, parse_proxy
from receiver.registry.transport import TlsFiles
from tests.support import registry_faults as faults
from tests.support.certificates import tls_server
from tests.support.fake_registry import FakeRegistry
from tests.support.forward_proxy import forward_proxy
from tests.support.pulling import CREDENTIALS, PASSWORD, client_of

HOST = "registry.example"


async def ask(
    server: FakeRegistry, proxy: str, *, exemptions: str = "", scheme: str = "http", **more: Any
) -> Sequence[str]:
    through = Proxy(origin=parse_proxy(proxy), exemptions=parse_exemptions(exemptions))
    async with client_of(server, address=f"{scheme}://{HOST}:{server.port}", proxy=through, **more) as client:
        return await client.repositories()


async def test_a_registry_is_asked_through_the_proxy(server: FakeRegistry) -> None:
    """Its name resolves nowhere but at the proxy."""
    async with forward_proxy() as proxy:
        assert await ask(server, proxy.url) == []
    assert proxy.asked == [f"{HOST}:{server.port}"]


async def test_a_proxy_in_the_private_network_is_reached_by_its_name(server: FakeRegistry) -> None:
    """The operator has named it: its address is not judged as one that a registry names."""
    async with forward_proxy() as proxy:
        assert await ask(server, f"http://localhost:{proxy.port}") == []


async def test_tls_goes_through_as_a_tunnel(certificates: Path) -> None:
    """The proxy sees an address; the certificate is the registry's, and is checked."""
    ca_file = TlsFiles(ca_file=certificates / "cert.pem")
    with tls_server(certificates, basic=("robot", PASSWORD)) as server:
        async with forward_proxy() as proxy:
            with pytest.raises(Unavailable, match="ADDON_SYNC_CA_FILE"):
                await ask(server, proxy.url, scheme="https")
            more: dict[str, Any] = {"tls": ca_file, "credentials": lambda: CREDENTIALS}
            assert await ask(server, proxy.url, scheme="https", **more) == []
    assert all(head.startswith(b"CONNECT ") for head in proxy.heads)
    assert not any(b"Authorization" in head for head in proxy.heads)


async def test_what_is_exempt_does_not_go_through_it(server: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked directly, and judged by its address again."""

    async def resolve(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        assert host == HOST
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", resolve)
    async with forward_proxy() as proxy:
        assert await ask(server, proxy.url, exemptions=".example") == []
    assert proxy.asked == []


async def test_a_proxy_that_fails_is_named(server: FakeRegistry, certificates: Path) -> None:
    """Not there, and there but unwilling: the text says which setting to look at."""
    with pytest.raises(Unavailable, match="ADDON_SYNC_PROXY"):
        await ask(server, "http://127.0.0.1:1")
    async with forward_proxy(refuse=403) as proxy:
        with pytest.raises(Unavailable, match=r"403.*ADDON_SYNC_PROXY"):
            await ask(server, proxy.url, scheme="https")
    assert not server.seen


@pytest.mark.parametrize("target", ["http://169.254.169.254/", "http://10.0.0.1/", "http://127.0.0.1:{port}/"])
async def test_a_registry_does_not_steer_the_proxy_to_private_addresses(server: FakeRegistry, target: str) -> None:
    """Nor beside it to this machine: a redirect to a number is judged before anything is asked (hazards J3)."""
    server.lie("GET catalogue", faults.redirected(target.format(port=server.port)))
    async with forward_proxy() as proxy:
        with pytest.raises(ProtocolViolation, match="may not name"):
            await ask(server, proxy.url)
    assert proxy.asked == [f"{HOST}:{server.port}"]


async def test_a_registry_does_not_name_the_proxy_as_a_token_service(server: FakeRegistry) -> None:
    """It is another host, and what it is trusted for is carrying."""
    async with forward_proxy() as proxy:
        challenge = f'Bearer realm="{proxy.url}/token"'
        server.lie("GET catalogue", faults.status(401, WWW_Authenticate=challenge))
        with pytest.raises(AccessDenied, match="not asked"):
            await ask(server, proxy.url, credentials=lambda: CREDENTIALS)
        assert len(proxy.asked) == 1
