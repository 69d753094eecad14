"""Who gets which credential, and for how long."""

import asyncio
import json
import logging
from collections.abc import Mapping
from urllib.parse import parse_qs

import pytest

from receiver.errors import AccessDenied, ProtocolViolation, Unavailable
from receiver.registry.auth import Authorizer, Credentials, IdentityToken
from receiver.registry.location import Location, Origin

REGISTRY = Origin("https", "h", 443)
PASSWORD = "pa55word"
CREDENTIALS = Credentials(username="robot", password=PASSWORD)
BEARER = 'Bearer realm="https://h/token",service="s",scope="repository:everything:*"'
SCOPE = "repository:addons/x:pull"


class TokenService:
    """Hands out numbered tokens and remembers how it was asked."""

    def __init__(self, *answers: object) -> None:
        self.asked: list[tuple[Location, Mapping[str, str]]] = []
        self.forms: list[bytes | None] = []
        self.answers = list(answers)

    async def __call__(self, location: Location, headers: Mapping[str, str], form: bytes | None) -> bytes:
        self.asked.append((location, headers))
        self.forms.append(form)
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if self.answers else {"token": f"t{len(self.asked)}", "expires_in": 100}
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def authorizer(
    service: TokenService,
    *,
    credentials: Credentials | IdentityToken | None = CREDENTIALS,
    registry: Origin = REGISTRY,
    listed: str | None = None,
    clock: Clock | None = None,
) -> Authorizer:
    services = [] if listed is None else [Location.parse(listed).origin]
    return Authorizer(
        registry, credentials=lambda: credentials, token_services=services, fetch=service, clock=clock or Clock()
    )


async def test_nothing_is_sent_before_it_is_asked_for() -> None:
    """No credential goes out with a first request."""
    assert authorizer(TokenService()).header(SCOPE) is None


async def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    """One question to the token service for as long as its token holds."""
    clock, service = Clock(), TokenService()
    auth = authorizer(service, clock=clock)

    assert await auth.renew(SCOPE, refused=None, challenges=BEARER) == "Bearer t1"
    clock.now += 94
    assert auth.header(SCOPE) == "Bearer t1"
    clock.now += 2
    assert auth.header(SCOPE) is None


async def test_a_token_is_kept_for_five_minutes_at_most() -> None:
    """Whatever the service says of it (hazards "short cache")."""
    clock, service = Clock(), TokenService({"access_token": "t", "expires_in": 10**9})
    auth = authorizer(service, clock=clock)
    await auth.renew(SCOPE, refused=None, challenges=BEARER)
    clock.now += 301

    assert auth.header(SCOPE) is None


async def test_a_token_is_for_one_scope() -> None:
    """What was given for one repository is not sent with a request for another, and the scope asked for is ours."""
    service = TokenService()
    auth = authorizer(service)
    await auth.renew(SCOPE, refused=None, challenges=BEARER)

    assert auth.header("repository:addons/y:pull") is None
    (location, headers) = service.asked[0]
    assert location.query == "service=s&scope=repository%3Aaddons%2Fx%3Apull"
    assert headers == {"Authorization": CREDENTIALS.basic()}


async def test_requests_that_wait_together_ask_once() -> None:
    """Four layers of an addon are refused at the same moment: one token for all."""
    service = TokenService()
    auth = authorizer(service)

    headers = await asyncio.gather(*(auth.renew(SCOPE, refused=None, challenges=BEARER) for _ in range(4)))

    assert headers == ["Bearer t1"] * 4
    assert len(service.asked) == 1


async def test_a_refused_token_is_replaced() -> None:
    """Revoked before its time: a new one is asked for."""
    auth = authorizer(TokenService())
    first = await auth.renew(SCOPE, refused=None, challenges=BEARER)

    assert await auth.renew(SCOPE, refused=first, challenges=BEARER) == "Bearer t2"


async def test_the_password_stays_at_the_registry_s_origin() -> None:
    """A token service at another port of the same host is asked without it."""
    service = TokenService()
    await authorizer(service).renew(SCOPE, refused=None, challenges='Bearer realm="https://h:8443/token"')

    assert service.asked[0][1] == {}


@pytest.mark.parametrize("credentials", [CREDENTIALS, IdentityToken("identity")])
async def test_a_listed_token_service_gets_the_credentials(credentials: Credentials | IdentityToken) -> None:
    """At another host, which the operator has named: exactly that origin, not its neighbour."""
    service = TokenService()
    auth = authorizer(service, credentials=credentials, listed="https://auth.example:5001")
    await auth.renew(SCOPE, refused=None, challenges='Bearer realm="https://auth.example:5001/token"')

    assert service.asked[0][1] or service.forms[0]
    for neighbour in ("https://auth.example/token", "https://auth.example:5002/token", "https://x.auth.example:5001/"):
        with pytest.raises(AccessDenied, match="ADDON_SYNC_TOKEN_SERVICES"):
            await auth.renew("other", refused=None, challenges=f'Bearer realm="{neighbour}"')
    assert len(service.asked) == 1


async def test_an_identity_token_is_exchanged_for_an_access_token() -> None:
    """By POST with the scope that is ours, as the token specification wants it; it goes into no URL and no header."""
    service = TokenService({"access_token": "access", "expires_in": 100})
    auth = authorizer(service, credentials=IdentityToken("identity&token"))

    assert await auth.renew(SCOPE, refused=None, challenges=BEARER) == "Bearer access"
    ((location, headers),) = service.asked
    assert location.url == "https://h/token"
    assert headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert parse_qs((service.forms[0] or b"").decode()) == {
        "grant_type": ["refresh_token"],
        "client_id": ["addon-sync"],
        "scope": [SCOPE],
        "service": ["s"],
        "refresh_token": ["identity&token"],
    }


async def test_an_identity_token_is_no_password() -> None:
    """It is not sent to a service that was not listed, and is no answer to Basic; no text shows it."""
    service, token = TokenService(), IdentityToken("s3cret")
    auth = authorizer(service, credentials=token)
    await auth.renew(SCOPE, refused=None, challenges='Bearer realm="https://h:8443/token"')

    assert service.forms == [None]
    with pytest.raises(AccessDenied, match="identity token") as caught:
        await auth.renew("other", refused=None, challenges="Basic realm=r")
    assert "s3cret" not in repr(token) + str(caught.value)


async def test_without_credentials_a_token_is_asked_for_anonymously() -> None:
    """Public repositories behind a token service."""
    service = TokenService()
    await authorizer(service, credentials=None).renew(SCOPE, refused=None, challenges=BEARER)

    assert service.asked[0][1] == {}


async def test_basic_is_kept_for_every_scope() -> None:
    """After one challenge, the header goes with each request to the registry."""
    auth = authorizer(TokenService())

    assert await auth.renew(SCOPE, refused=None, challenges='Basic realm="r"') == CREDENTIALS.basic()
    assert auth.header("registry:catalog:*") == CREDENTIALS.basic()


async def test_a_password_is_asked_for_again_after_a_while() -> None:
    """A credential helper's ends after hours, and not every registry then answers with a challenge."""
    given, clock = [CREDENTIALS], Clock()
    auth = Authorizer(REGISTRY, credentials=lambda: given[0], fetch=TokenService(), clock=clock)
    await auth.renew(SCOPE, refused=None, challenges="Basic realm=r")
    given[0] = Credentials(username="robot", password="changed")
    clock.now += 299
    assert auth.header(SCOPE) == CREDENTIALS.basic()
    clock.now += 2
    assert auth.header(SCOPE) is None
    assert await auth.renew(SCOPE, refused=None, challenges="Basic realm=r") == given[0].basic()


async def test_a_refused_password_is_not_sent_again() -> None:
    """The same again would only lock the account; a changed secret is taken."""
    given = [CREDENTIALS]
    auth = Authorizer(REGISTRY, credentials=lambda: given[0], fetch=TokenService(), clock=Clock())
    refused = await auth.renew(SCOPE, refused=None, challenges="Basic realm=r")

    with pytest.raises(AccessDenied, match="refuses the user name and password"):
        await auth.renew(SCOPE, refused=refused, challenges="Basic realm=r")
    given[0] = Credentials(username="robot", password="changed")
    assert await auth.renew(SCOPE, refused=refused, challenges="Basic realm=r") == given[0].basic()


async def test_missing_credentials_are_named() -> None:
    """The text names the settings."""
    with pytest.raises(AccessDenied, match="ADDON_SYNC_REGISTRY_USERNAME"):
        await authorizer(TokenService(), credentials=None).renew(SCOPE, refused=None, challenges="Basic realm=r")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        {},
        {"token": ""},
        {"token": "a b"},
        {"token": "a\r\nX: y"},
        {"token": 5},
        {"token": "é"},
        {"token": "t", "expires_in": "x"},
    ],
)
async def test_a_token_that_is_none_is_refused(answer: object) -> None:
    """Nothing that would break out of a header, and nothing is kept of it."""
    auth = authorizer(TokenService(answer))

    with pytest.raises(ProtocolViolation):
        await auth.renew(SCOPE, refused=None, challenges=BEARER)
    assert auth.header(SCOPE) is None


async def test_a_token_service_that_fails_is_asked_again_later() -> None:
    """Its failure is the request's failure; the refused token is not used again, the next request asks anew."""
    auth = authorizer(TokenService({"token": "old"}, Unavailable("x")))
    refused = await auth.renew(SCOPE, refused=None, challenges=BEARER)

    with pytest.raises(Unavailable):
        await auth.renew(SCOPE, refused=refused, challenges=BEARER)
    assert auth.header(SCOPE) is None
    assert await auth.renew(SCOPE, refused=None, challenges=BEARER) == "Bearer t3"


async def test_secrets_are_in_no_text(caplog: pytest.LogCaptureFixture) -> None:
    """Not in a repr, an error or a log line; plain HTTP is warned of, once."""
    caplog.set_level(logging.DEBUG)
    auth = authorizer(TokenService(), registry=Origin("http", "h", 80))
    header = await auth.renew(SCOPE, refused=None, challenges="Basic realm=r")
    with pytest.raises(AccessDenied) as caught:
        await auth.renew(SCOPE, refused=header, challenges="Basic realm=r")
    await auth.renew("other", refused=header, challenges='Bearer realm="http://h/token"')

    texts = [
        repr(CREDENTIALS),
        repr(IdentityToken(CREDENTIALS.password)),
        str(caught.value),
        repr(caught.value),
        caplog.text,
    ]
    assert not any(PASSWORD in text or "robot" in text or header.removeprefix("Basic ") in text for text in texts)
    assert caplog.text.count("unencrypted") == 1
