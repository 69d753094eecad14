"""TLS to the registry: whom we trust, what we show, and no way back to plain HTTP."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from receiver.blobs import BlobStore
from receiver.errors import (
    ConfigError,
    ProtocolViolation,
    Unavailable,
)
from receiver.oci.reference import RegistryAddress
from receiver.registry.client import RegistryClient
from receiver.registry.transport import TlsFiles
from tests.support import registry_faults as faults
from tests.support.certificates import tls_server
from tests.support.fake_registry import FakeRegistry
from tests.support.pulling import NAME, RETRY, client_of, fetch


async def ask_tls(server: FakeRegistry, files: TlsFiles | None) -> Sequence[str]:
    async with client_of(server, tls=files) as client:
        return await client.repositories()


async def test_a_registry_with_tls_is_trusted_by_its_authority_only(certificates: Path) -> None:
    """Unknown authority: refused with the setting's name; with the file: taken."""
    with tls_server(certificates) as server:
        with pytest.raises(Unavailable, match="ADDON_SYNC_CA_FILE"):
            await ask_tls(server, None)
        assert await ask_tls(server, TlsFiles(ca_file=certificates / "cert.pem")) == []


async def test_a_client_certificate_is_shown(certificates: Path) -> None:
    """A registry that asks for one refuses us without it."""
    ca_file, key = certificates / "cert.pem", certificates / "key.pem"
    with tls_server(certificates, ask_client=True) as server:
        with pytest.raises(Unavailable):
            await ask_tls(server, TlsFiles(ca_file=ca_file))
        assert await ask_tls(server, TlsFiles(ca_file=ca_file, client_cert=ca_file, client_key=key)) == []
        with pytest.raises(ConfigError, match="ADDON_SYNC_CLIENT_KEY"):
            await ask_tls(server, TlsFiles(ca_file=ca_file, client_cert=ca_file))


async def test_an_encrypted_key_is_refused(certificates: Path) -> None:
    """Nobody sits at the terminal of a service to type a pass phrase."""
    files = TlsFiles(client_cert=certificates / "cert.pem", client_key=certificates / "encrypted.pem")

    with tls_server(certificates) as server, pytest.raises(ConfigError, match="encrypted"):
        await ask_tls(server, files)


async def test_tls_is_not_given_up_for_plain_http(server: FakeRegistry, certificates: Path, store: BlobStore) -> None:
    """No fallback where the registry speaks plain HTTP, and no redirect to it (J10; hazards "TLS downgrade")."""
    address = RegistryAddress.parse(f"https://{server.authority}", insecure=False)
    async with RegistryClient(address, user_agent="x", retry=RETRY) as client:
        with pytest.raises(Unavailable, match="INSECURE=true"):
            await client.repositories()
    assert not server.seen

    with tls_server(certificates) as secure:
        secure.lie("GET blob", faults.redirected(f"{server.url}/v2/{NAME}/blobs/x"))
        async with client_of(secure, tls=TlsFiles(ca_file=certificates / "cert.pem")) as client:
            with pytest.raises(ProtocolViolation, match="plain HTTP"):
                await fetch(client, store)
    assert not server.seen
