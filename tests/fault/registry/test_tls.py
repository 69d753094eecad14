"""TLS to the registry: whom we trust, what we show, and no way back to plain HTTP."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from tests.support.fake_registry import FakeRegistry
from tests.support.pulling import NAME, RETRY, client_of, fetch


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, its key, and the key encrypted."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-x509"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([program, "req", *kind, *subject, *files], check=True, capture_output=True)
    encrypted = ["-in", str(folder / "key.pem"), "-out", str(folder / "encrypted.pem"), "-passout", "pass:x"]
    subprocess.run([program, "pkcs8", "-topk8", "-v2", "aes-256-cbc", *encrypted], check=True, capture_output=True)
    return folder


@contextmanager
def tls_server(certificates: Path, *, ask_client: bool = False) -> Iterator[FakeRegistry]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    if ask_client:
        context.load_verify_locations(certificates / "cert.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    with FakeRegistry(tls=context) as server:
        yield server


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
