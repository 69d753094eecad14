"""TLS files, name resolution and the words for a failed connection."""

import asyncio
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp.abc import ResolveResult

from receiver.errors import ConfigError, ProtocolViolation, RegistryError, Unavailable
from receiver.registry.location import Location, Origin
from receiver.registry.pace import Pace
from receiver.registry.transport import RegistryResolver, TlsFiles, Transport, tls_context, translated

PUBLIC = Origin("https", "registry.example", 443)


def test_old_tls_is_not_spoken() -> None:
    """TLS 1.2 and later, with the certificate and its name checked."""
    context = tls_context(TlsFiles(), own=True)

    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_system_that_allows_old_tls_is_overruled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python or the system's OpenSSL would still speak is not spoken (RFC 9325 section 3.1.1)."""
    lax = ssl.create_default_context()
    lax.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: lax)

    assert tls_context(TlsFiles(), own=True).minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("files", "setting"),
    [
        (TlsFiles(ca_file=Path("missing.pem")), "ADDON_SYNC_CA_FILE"),
        (TlsFiles(client_cert=Path("missing.pem")), "ADDON_SYNC_CLIENT_CERT"),
    ],
)
def test_a_tls_file_that_cannot_be_used_names_its_setting(files: TlsFiles, setting: str) -> None:
    """The operator reads which file to mend."""
    with pytest.raises(ConfigError, match=setting):
        tls_context(files, own=True)


def test_a_file_that_is_no_certificate_names_its_setting(tmp_path: Path) -> None:
    """A wrong file is no missing file, and just as clear."""
    wrong = tmp_path / "ca.pem"
    wrong.write_text("no certificate")
    with pytest.raises(ConfigError, match="ADDON_SYNC_CA_FILE"):
        tls_context(TlsFiles(ca_file=wrong), own=False)


def test_the_client_certificate_is_shown_to_the_registry_only(tmp_path: Path) -> None:
    """For another origin its file is not even read."""
    context = tls_context(TlsFiles(client_cert=tmp_path / "missing.pem"), own=False)

    assert context.verify_mode is ssl.CERT_REQUIRED


class Names:
    """A resolver that knows ``names``."""

    def __init__(self, names: dict[str, list[str]]) -> None:
        self.names = names

    async def resolve(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.names[host]
        ]


async def resolver(monkeypatch: pytest.MonkeyPatch, **names: str) -> RegistryResolver:
    known = Names({name.replace("_", "."): addresses.split() for name, addresses in names.items()})
    monkeypatch.setattr(aiohttp, "ThreadedResolver", lambda: known)
    return RegistryResolver(PUBLIC)


async def test_a_name_is_judged_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads into the private network is not asked on the word of a public registry (hazards J4)."""
    found = await resolver(
        monkeypatch, registry_example="9.9.9.9", store_example="10.0.0.1 8.8.8.8", evil_example="127.0.0.1"
    )
    await found.resolve("registry.example", 443)

    assert [entry["host"] for entry in await found.resolve("store.example", 443)] == ["8.8.8.8"]
    with pytest.raises(OSError, match="may not name"):
        await found.resolve("evil.example", 443)


async def test_a_private_registry_may_use_its_own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registry and storage beside it, both private."""
    found = await resolver(monkeypatch, registry_example="10.0.0.2", store_example="10.0.0.1")
    await found.resolve("registry.example", 443)

    assert [entry["host"] for entry in await found.resolve("store.example", 443)] == ["10.0.0.1"]


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example"])
async def test_a_name_that_cannot_be_one_is_a_name_without_address(host: str) -> None:
    """Python's resolver raises UnicodeError at an empty or too long label, which nothing takes for a failed request."""
    found = RegistryResolver(PUBLIC)
    with pytest.raises(OSError, match="no possible host name"):
        await found.resolve(host, 443)
    await found.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "::1", "2130706433", "0x7f.1", "10.0.0.1"])
async def test_a_number_is_judged_before_a_connection(host: str) -> None:
    """aiohttp resolves no numbers, so the resolver never sees them (hazards J3)."""
    transport = Transport(PUBLIC, tls=None, user_agent="test")
    try:
        with pytest.raises(ProtocolViolation, match="may not name"):
            await transport.send("GET", Location(Origin("http", host, 80), "/"), {})
    finally:
        await transport.close()


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (TimeoutError(), Unavailable, "in time"),
        (aiohttp.ServerTimeoutError(), Unavailable, "in time"),
        (aiohttp.ServerDisconnectedError(), Unavailable, "cut"),
        (aiohttp.ClientPayloadError("https://h/?sig=s3cret"), Unavailable, "cut"),
        (ConnectionResetError(104, "reset"), Unavailable, "cut"),
        (aiohttp.InvalidURL("https://h/?sig=s3cret"), Unavailable, "cut"),
    ],
)
def test_foreign_errors_become_ours(error: Exception, kind: type[RegistryError], words: str) -> None:
    """By what cures them, with their cause, and without a URL that they may hold."""
    with pytest.raises(kind, match=words) as caught, translated(PUBLIC):
        raise error
    assert caught.value.__cause__ is error
    assert "s3cret" not in str(caught.value)


def test_cancellation_passes() -> None:
    """A cancelled request is no failed request."""
    with pytest.raises(asyncio.CancelledError), translated(PUBLIC):
        raise asyncio.CancelledError


async def test_every_request_keeps_the_pace() -> None:
    """Whatever it is for: a token, a manifest, a blob, a redirect."""
    steps: list[int] = []

    class Counting(Pace):
        async def step(self) -> None:
            steps.append(1)
            raise ProtocolViolation("far enough")

    transport = Transport(PUBLIC, tls=None, pace=Counting(1.0), user_agent="test")
    with pytest.raises(ProtocolViolation, match="far enough"):
        await transport.send("GET", Location.parse(f"{PUBLIC}/v2/"), {})
    await transport.close()
    assert steps == [1]
