"""Challenges that are answered, and those that are traps (hazards, "Realm SSRF")."""

import pytest

from receiver.blobs import BlobStore
from receiver.errors import (
    AccessDenied,
    ProtocolViolation,
    RateLimited,
    RegistryError,
    Unavailable,
)
from receiver.registry.auth import IdentityToken
from receiver.registry.location import Location
from tests.support import registry_faults as faults
from tests.support.fake_registry import FakeRegistry
from tests.support.pulling import CREDENTIALS, LAYER, NAME, PASSWORD, client_of, fetch, sent
from tests.support.push import push_files


@pytest.mark.parametrize("bearer", [False, True])
async def test_a_challenge_is_answered(bearer: bool, store: BlobStore) -> None:
    """Basic and token: every kind of question works, and the password is never volunteered."""
    with FakeRegistry(basic=("robot", PASSWORD), bearer=bearer) as server:
        pushed = push_files(server.url, NAME, "v1.0.0", LAYER)
        async with client_of(server, credentials=lambda: CREDENTIALS) as client:
            assert await client.repositories() == [NAME]
            assert await client.tags(NAME) == ["v1.0.0"]
            assert await client.resolve(NAME, "v1.0.0") == pushed
            assert (await client.manifest(NAME, pushed)).digest == pushed
            await fetch(client, store)

        assert "Authorization" not in sent(server, "GET catalogue")[0]
        # One challenge for the registry with Basic, one a scope (catalogue, repository) with tokens.
        refused = sum("Authorization" not in seen.headers for seen in server.seen if "/v2/" in seen.target)
        pushes = sum(seen.kind.startswith(("POST", "PUT")) for seen in server.seen)
        assert refused - pushes == (2 if bearer else 1)
        assert server.requests["GET token"] == (2 if bearer else 0)


async def test_a_revoked_token_is_replaced_once() -> None:
    """A 401 to a token that was good: one new token, one repetition."""
    with FakeRegistry(bearer=True) as server:
        push_files(server.url, NAME, "v1.0.0", LAYER)
        async with client_of(server) as client:
            await client.tags(NAME)
            server.revoke_tokens()
            assert await client.tags(NAME) == ["v1.0.0"]
        assert server.requests["GET token"] == 2


async def test_refusals_for_ever_end() -> None:
    """A new token each time, and 401 all the same: two requests (J7)."""
    with FakeRegistry(bearer=True) as server:
        challenge = f'Bearer realm="{server.url}/token"'
        server.lie("GET tags", faults.status(401, WWW_Authenticate=challenge))
        async with client_of(server) as client:
            with pytest.raises(AccessDenied):
                await client.tags(NAME)
        assert server.requests["GET tags"] == 2


@pytest.mark.parametrize(
    "realm",
    [
        "http://evil.example/token",
        "http://169.254.169.254/",
        "http://localhost:{port}/token",
        "file:///token",
        "/token",
        "",
    ],
)
async def test_a_realm_elsewhere_is_never_asked(realm: str) -> None:
    """Nothing leaves for another host, not even without the password (J1 to J5)."""
    with FakeRegistry() as server:
        header = f'Bearer realm="{realm.format(port=server.port)}",service="x"'
        server.lie("GET tags", faults.status(401, WWW_Authenticate=header))
        async with client_of(server, credentials=lambda: CREDENTIALS) as client:
            with pytest.raises((AccessDenied, ProtocolViolation)) as caught:
                await client.tags(NAME)
        assert server.requests["GET token"] == 0
        assert PASSWORD not in str(caught.value)


async def test_a_token_service_does_not_redirect() -> None:
    """It gets the password, so it is where it is."""
    with FakeRegistry() as evil, FakeRegistry(basic=("robot", PASSWORD), bearer=True) as server:
        server.lie("GET token", faults.redirected(f"{evil.url}/token"))
        async with client_of(server, credentials=lambda: CREDENTIALS) as client:
            with pytest.raises(ProtocolViolation, match="token service"):
                await client.tags(NAME)
        assert not evil.seen


async def test_a_token_answer_without_an_end_is_refused() -> None:
    """One MiB (hazards "Limits")."""
    with FakeRegistry(bearer=True) as server:
        server.lie("GET token", faults.endless())
        async with client_of(server) as client:
            with pytest.raises(ProtocolViolation, match="longer than"):
                await client.tags(NAME)


async def test_a_wrong_password_is_sent_once() -> None:
    """The account is not brought nearer to being locked."""
    with FakeRegistry(basic=("robot", "another")) as server:
        async with client_of(server, credentials=lambda: CREDENTIALS) as client:
            with pytest.raises(AccessDenied, match="ADDON_SYNC_REGISTRY"):
                await client.tags(NAME)
            with pytest.raises(AccessDenied) as caught:
                await client.tags(NAME)
        assert sum("Authorization" in headers for headers in sent(server, "GET tags")) == 2
        assert PASSWORD not in repr(caught.value)


@pytest.mark.parametrize(("code", "kind"), [(400, AccessDenied), (401, AccessDenied), (403, AccessDenied)])
async def test_a_token_that_is_refused_is_the_operators_to_cure(code: int, kind: type[RegistryError]) -> None:
    """OAuth2 refuses with 400 (RFC 6749 section 5.2); the text names the settings and not the password."""
    with FakeRegistry(basic=("robot", PASSWORD), bearer=True) as server:
        server.lie("GET token", faults.status(code, body=b'{"error": "invalid_grant"}'))
        async with client_of(server, credentials=lambda: CREDENTIALS) as client:
            with pytest.raises(kind, match="ADDON_SYNC_REGISTRY_USERNAME") as caught:
                await client.tags(NAME)
        assert server.requests["GET token"] == 1
        assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(("code", "kind"), [(429, RateLimited), (408, Unavailable), (503, Unavailable)])
async def test_a_token_service_that_asks_for_time_gets_it(code: int, kind: type[RegistryError]) -> None:
    """Nothing for the operator to cure: the task is tried again later (hazards "429/503 Retry-After")."""
    with FakeRegistry(bearer=True) as server:
        server.lie("GET token", faults.status(code))
        async with client_of(server) as client:
            with pytest.raises(kind, match="token service"):
                await client.tags(NAME)


async def test_basic_over_plain_http_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """It happens only because INSECURE says so, and is said once, without the password (J8)."""
    with FakeRegistry(basic=("robot", PASSWORD)) as server:
        push_files(server.url, NAME, "v1.0.0", LAYER)
        async with client_of(server, credentials=lambda: CREDENTIALS) as client:
            await client.tags(NAME)
            await client.repositories()
    assert caplog.text.count("because INSECURE is set") == 1
    assert PASSWORD not in caplog.text


async def test_a_token_service_that_is_gone_is_no_repository_that_is_gone() -> None:
    """A 404 of the token service must not look as if the addon had been deleted."""
    with FakeRegistry(bearer=True) as server:
        server.lie("GET token", faults.status(404))
        async with client_of(server) as client:
            with pytest.raises(AccessDenied, match="token service"):
                await client.tags(NAME)


async def test_an_identity_token_opens_the_registry() -> None:
    """Exchanged by POST, and used like any other token."""
    with FakeRegistry(bearer=True, identity_token="keychain-token") as server:
        push_files(server.url, NAME, "v1.0.0", LAYER)
        async with client_of(server, credentials=lambda: IdentityToken("keychain-token")) as client:
            assert await client.tags(NAME) == ["v1.0.0"]
        async with client_of(server, credentials=lambda: IdentityToken("another")) as client:
            with pytest.raises(AccessDenied):
                await client.tags(NAME)
    assert server.requests["POST token"] == 2
    assert not any("keychain" in seen.target or "keychain" in str(seen.headers) for seen in server.seen)


async def test_a_listed_token_service_is_asked() -> None:
    """At another origin: only once it is listed does it get the credentials, and then its tokens are taken."""
    with FakeRegistry(basic=("robot", PASSWORD), bearer=True) as server:
        push_files(server.url, NAME, "v1.0.0", LAYER)
        with FakeRegistry(basic=("robot", PASSWORD), tokens_of=server) as service:
            server.realm = f"http://localhost:{service.port}/token"
            async with client_of(server, credentials=lambda: CREDENTIALS) as client:
                with pytest.raises(AccessDenied, match="ADDON_SYNC_TOKEN_SERVICES"):
                    await client.tags(NAME)
            assert not service.seen
            listed = Location.parse(server.realm).origin
            async with client_of(server, credentials=lambda: CREDENTIALS, token_services=[listed]) as client:
                assert await client.tags(NAME) == ["v1.0.0"]
            assert ["Authorization" in headers for headers in sent(service, "GET token")] == [True]


@pytest.mark.parametrize("realm", ["http://169.254.169.254/token", "http://metadata.example/token"])
async def test_a_listed_token_service_is_judged_by_its_address(realm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name on the list that leads to a forbidden address is not asked: the connector decides (hazards rule 1, J4)."""

    async def lead_astray(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        return [{"hostname": host, "host": "169.254.169.254", "port": port, "family": 2, "proto": 0, "flags": 0}]

    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", lead_astray)
    with FakeRegistry(bearer=True) as server:
        server.realm = realm
        listed = [Location.parse(realm).origin]
        async with client_of(server, credentials=lambda: CREDENTIALS, token_services=listed) as client:
            with pytest.raises((ProtocolViolation, Unavailable), match="may not name"):
                await client.tags(NAME)
