"""Credentials and tokens: who gets which, and for how long.

The password goes to the registry's own origin and to token services that the operator has listed, and nowhere else; a
token is for one repository, to pull.
"""

import asyncio
import base64
import logging
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping

from receiver.document import Document, InvalidDocument, Value, decode
from receiver.errors import AccessDenied, ProtocolViolation
from receiver.registry.challenge import (
    Challenge,
    choose,
    parse_challenges,
    refresh_form,
    token_request,
    token_service,
)
from receiver.registry.location import Location, Origin

MAX_TOKEN_ANSWER = 1024 * 1024
"""Bytes; hazards "Limits"."""
_MAX_LIFE = 300.0
"""Seconds that a token or a password is used before the registry is asked for its challenge again. A password too: a
helper's ends after hours, which some registries (Amazon ECR) say with 403 and not with a challenge."""
_MARGIN = 5.0
"""Seconds: a token is not used in its last moments."""
_DEFAULT_LIFE = 60
"""Seconds; the token specification's default for ``expires_in``."""
_TOKEN = re.compile(r"[\x21-\x7e]+\Z")

_log = logging.getLogger(__name__)


class _Unshown(Value, frozen=True):
    """What a log or an error must not tell."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Credentials(_Unshown, frozen=True, kw_only=True):
    """A user name and a password; neither is shown by ``repr``."""

    username: str
    password: str

    def basic(self) -> str:
        """The value of an ``Authorization`` header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")


class IdentityToken(_Unshown, frozen=True):
    """What Docker keeps as ``identitytoken``: a token service gives access tokens for it (RFC 6749 section 6)."""

    text: str


CredentialSource = Callable[[], Credentials | IdentityToken | None]
"""Asked in a thread whenever the registry challenges, so that a secret in a file may change; may raise AccessDenied."""
TokenFetch = Callable[[Location, Mapping[str, str], bytes | None], Awaitable[bytes]]
"""Asks a token service, with a form or without; the body of its answer, at most `MAX_TOKEN_ANSWER` bytes."""


class _TokenAnswer(Document, frozen=True, rename=None):  # this document alone spells its members in snake_case
    token: str | None = None
    access_token: str | None = None
    expires_in: int | None = None


class _Grant(_Unshown, frozen=True):
    header: str
    expires: float


class Authorizer:
    """Answers the challenges of one registry and keeps what it was given."""

    def __init__(
        self,
        registry: Origin,
        *,
        credentials: CredentialSource | None,
        token_services: Collection[Origin] = (),
        fetch: TokenFetch,
        clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._token_services = frozenset(token_services)
        self._credentials = credentials
        self._fetch = fetch
        self._clock = clock
        self._basic: _Grant | None = None
        self._tokens: dict[str, _Grant] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._warned = False

    def header(self, scope: str) -> str | None:
        """The ``Authorization`` header to send with a request of ``scope``; None before the first challenge."""
        for grant in (self._tokens.get(scope), self._basic):
            if grant is not None and grant.expires > self._clock():
                return grant.header
        return None

    async def renew(self, scope: str, *, refused: str | None, challenges: str) -> str:
        """The header that answers ``challenges`` after a 401 to ``refused``; requests that wait together ask once.

        Raises:
            AccessDenied: no credentials, the same that were just refused, or a token service that is not trusted.
            RegistryError: the token service did not answer; nothing is kept.
        """
        async with self._locks[scope]:
            current = self.header(scope)
            if current is not None and current != refused:
                return current
            self._tokens.pop(scope, None)
            challenge = choose(parse_challenges(challenges))
            answer = self._answer_bearer if challenge.scheme == "bearer" else self._answer_basic
            return await answer(challenge, scope, refused)

    async def _answer_basic(self, challenge: Challenge, scope: str, refused: str | None) -> str:
        del challenge, scope  # Basic knows neither
        credentials = await self._ask_credentials()
        if not isinstance(credentials, Credentials):
            found = "" if credentials is None else " (Docker's configuration has an identity token, which is neither)"
            raise AccessDenied(
                f"{self._registry} asks for a user name and a password{found}: set ADDON_SYNC_REGISTRY_USERNAME and "
                "ADDON_SYNC_REGISTRY_PASSWORD, or use docker login"
            )
        header = credentials.basic()
        if header == refused:
            # The same again would only bring the account nearer to being locked.
            raise AccessDenied(f"{self._registry} refuses the user name and password; check both")
        self._warn_of_plain_http()
        self._basic = _Grant(header, self._clock() + _MAX_LIFE)
        return header

    async def _answer_bearer(self, challenge: Challenge, scope: str, refused: str | None) -> str:
        del refused  # a new token is another one
        realm = token_service(challenge, registry=self._registry, allowed=self._token_services)
        service = challenge.parameters.get("service")
        # The service may be at another port of the registry's host; credentials go there only where it is listed.
        trusted = realm.origin == self._registry or realm.origin in self._token_services
        credentials = await self._ask_credentials() if trusted else None
        if credentials is not None:
            self._warn_of_plain_http()
        if isinstance(credentials, IdentityToken):
            form = refresh_form(service=service, scope=scope, token=credentials.text)
            answer = await self._fetch(realm, {"Content-Type": "application/x-www-form-urlencoded"}, form)
        else:
            headers = {"Authorization": credentials.basic()} if credentials is not None else {}
            answer = await self._fetch(token_request(realm, service=service, scope=scope), headers, None)
        grant = self._parse_grant(answer)
        now = self._clock()
        self._tokens = {known: kept for known, kept in self._tokens.items() if kept.expires > now}
        self._tokens[scope] = grant
        return grant.header

    def _parse_grant(self, body: bytes) -> _Grant:
        try:
            answer = decode(body, _TokenAnswer)
        except InvalidDocument as error:
            raise ProtocolViolation(f"the token service of {self._registry} sends no token document") from error
        token = answer.token or answer.access_token or ""
        if _TOKEN.match(token) is None:
            raise ProtocolViolation(f"the token service of {self._registry} sends no usable token")
        life = answer.expires_in if answer.expires_in is not None else _DEFAULT_LIFE
        return _Grant(f"Bearer {token}", self._clock() + min(max(life - _MARGIN, 0.0), _MAX_LIFE))

    async def _ask_credentials(self) -> Credentials | IdentityToken | None:
        return None if self._credentials is None else await asyncio.to_thread(self._credentials)

    def _warn_of_plain_http(self) -> None:
        if self._registry.scheme == "http" and not self._warned:
            self._warned = True
            _log.warning("the password for %s travels unencrypted, because INSECURE is set", self._registry)
