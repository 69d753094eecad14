"""Challenges that are answered, and those that are traps (hazards, "Realm SSRF")."""

import pytest

from receiver.blobs import BlobStore
from receiver.errors import (
    AccessDenied,
    ProtocolViolation,
)
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
