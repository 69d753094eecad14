"""One question to one judged answer: authorised, redirected, refused by what cures it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager

from receiver.document import Value, field, replaced
from receiver.errors import AccessDenied, ProtocolViolation, RegistryError
from receiver.http_client import aiohttp
from receiver.registry.answers import MAX_ERROR_BODY, Refusal, error_codes, error_for
from receiver.registry.auth import MAX_TOKEN_ANSWER, Authorizer, CredentialSource
from receiver.registry.location import Location, Origin, redirect_target
from receiver.registry.transport import Transport, translated

MAX_REDIRECTS = 3
"""Hazards "Redirects"."""
DOCUMENT_DEADLINE = 60.0
"""Seconds for a whole document of at most 4 MiB, however it trickles in."""
_ERROR_DEADLINE = 5.0
"""Seconds for an error body, of which only the codes are wanted."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_RANGE_ANSWERS = frozenset({206, 416})
_MAY_PASS = frozenset({408, 429})
"""Statuses below 500 that time cures."""


class Question(Value, frozen=True, kw_only=True):
    """A request and the words for its failure."""

    location: Location
    scope: str
    """What a token must allow, built by us: ``repository:<name>:pull``."""
    subject: str
    """For messages: the registry and what was asked of it."""
    method: str = "GET"
    accept: str = "*/*"
    offset: int = 0
    """From which byte on; then the answer may also be 206 or 416, which the asker judges."""
    remedy: str | None = None
    """What an operator can do where the registry refuses this, if that is special."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Besides those that every request has."""
    body: bytes | Callable[[], AsyncIterator[bytes]] | None = None
    """What is sent; a function gives it anew for each try."""
    body_seconds: float = 0.0
    """What sending it may take."""
    answer_seconds: float = 0.0
    """What the registry may take besides, once it has everything, where it has much to do before it answers."""


class Told(Value, frozen=True, kw_only=True):
    """The answer to a request that changes something."""

    status: int
    headers: Mapping[str, str]


class RegistrySession:
    """Asks one registry."""

    def __init__(
        self,
        registry: Location,
        transport: Transport,
        *,
        credentials: CredentialSource | None,
        token_services: Collection[Origin] = (),
        clock: Callable[[], float],
    ) -> None:
        self._registry = registry.origin
        self._transport = transport
        self._authorizer = Authorizer(
            registry.origin,
            credentials=credentials,
            token_services=token_services,
            fetch=self._fetch_token,
            clock=clock,
        )

    @asynccontextmanager
    async def ask(self, question: Question) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open the answer to ``question``: its status is 200 (see `Question.offset`), its body has no encoding.

        Raises:
            RegistryError: by what cures it.
        """
        response = await self._follow(question)
        async with _closing(response):
            await self._refuse_failure(question, response)
            yield response

    async def probe(self, question: Question) -> Mapping[str, str] | None:
        """The headers of the answer to a HEAD; None where the registry answers HEAD with neither yes nor no.

        Raises:
            RegistryError: by what cures it.
        """
        response = await self._authorised(question)
        async with _closing(response):
            if response.status in _REDIRECTS | {400, 405, 501}:
                return None
            await self._refuse_failure(question, response)
            return response.headers

    async def tell(self, question: Question, *, expect: Collection[int]) -> Told:
        """Carry out a request that changes something, or asks how far that is; its status is one of ``expect``.

        No redirect is followed: content and credential belong to the registry that was configured.

        Raises:
            RegistryError: by what cures it.
        """
        response = await self._authorised(question)
        async with _closing(response):
            if response.status not in expect:
                raise await self._error(response, question.subject, question.remedy)
            await _error_body(response)  # read to its end, so that the connection serves the next request
            return Told(status=response.status, headers=response.headers)

    async def _follow(self, question: Question) -> aiohttp.ClientResponse:
        """Follow redirects by hand: only so does nothing but ``Accept`` leave for another origin.

        distribution-spec "Pulling blobs" forbids Authorization across hosts; here it is bound to the whole origin, and
        a chain that has left the registry once gets it never again.
        """
        response, current, home = await self._authorised(question), question.location, True
        for _ in range(MAX_REDIRECTS):
            if response.status not in _REDIRECTS:
                return response
            response.close()
            following = redirect_target(current, response.headers.get("Location"))
            home = home and following.origin == self._registry
            question, current = replaced(question, location=following), following
            response = await self._send(question, self._authorizer.header(question.scope) if home else None)
        if response.status in _REDIRECTS:
            response.close()
            raise ProtocolViolation(f"{question.subject}: more than {MAX_REDIRECTS} redirects")
        return response

    async def _authorised(self, question: Question) -> aiohttp.ClientResponse:
        header = self._authorizer.header(question.scope)
        response = await self._send(question, header)
        if response.status != 401 or "WWW-Authenticate" not in response.headers:
            return response
        challenges = ", ".join(response.headers.getall("WWW-Authenticate"))
        async with _closing(response):
            await _error_body(response)  # read to its end, so that the connection serves the next request
        header = await self._authorizer.renew(question.scope, refused=header, challenges=challenges)
        return await self._send(question, header)

    async def _send(self, question: Question, header: str | None) -> aiohttp.ClientResponse:
        headers = {"Accept": question.accept, **question.headers}
        if header is not None:
            headers["Authorization"] = header
        if question.offset:
            headers["Range"] = f"bytes={question.offset}-"
        body = question.body() if callable(question.body) else question.body
        return await self._transport.send(
            question.method,
            question.location,
            headers,
            body=body,
            body_seconds=question.body_seconds,
            answer_seconds=question.answer_seconds,
        )

    async def _refuse_failure(self, question: Question, response: aiohttp.ClientResponse) -> None:
        if response.status != 200 and not (question.offset and response.status in _RANGE_ANSWERS):
            raise await self._error(response, question.subject, question.remedy)
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in {"", "identity"}:
            # Identity was asked for; a decoder of the registry's choice would run before anything is verified (J20).
            raise ProtocolViolation(f"{question.subject}: the answer has a content encoding; refused")

    async def _error(self, response: aiohttp.ClientResponse, subject: str, remedy: str | None) -> RegistryError:
        return error_for(await _refusal(response), subject=subject, remedy=remedy, now=time.time())

    async def _fetch_token(self, location: Location, headers: Mapping[str, str], form: bytes | None) -> bytes:
        method = "GET" if form is None else "POST"
        response = await self._transport.send(method, location, headers, body=form)
        subject = f"token service of {self._registry}"
        async with _closing(response):
            if 400 <= response.status < 500 and response.status not in _MAY_PASS:
                # OAuth2 says 400 (RFC 6749 section 5.2); a 404 here must not be taken for a repository that is gone.
                refusal = await _refusal(response)
                raise AccessDenied(
                    f"{subject}: no token for us ({refusal}); check the credentials (ADDON_SYNC_REGISTRY_USERNAME and "
                    "ADDON_SYNC_REGISTRY_PASSWORD, else Docker's configuration)"
                )
            if response.status != 200:
                raise await self._error(response, subject, None)
            return await read_document(response, location.origin, limit=MAX_TOKEN_ANSWER, subject=subject)


async def read_document(
    response: aiohttp.ClientResponse, origin: Origin, *, limit: int, subject: str, setting: str | None = None
) -> bytes:
    """Read a whole body of at most ``limit`` bytes; ``setting`` is what changes that.

    Raises:
        ProtocolViolation: longer; at most one read more than ``limit`` was taken.
        Unavailable: cut off, or not complete in time.
    """
    body = bytearray()
    with translated(origin):
        async with asyncio.timeout(DOCUMENT_DEADLINE):
            while len(body) <= limit and (part := await response.content.readany()):
                body += part
    if len(body) > limit:
        remedy = f" ({setting})" if setting else ""
        raise ProtocolViolation(f"{subject}: the answer is longer than {limit} bytes{remedy}")
    return bytes(body)


async def _refusal(response: aiohttp.ClientResponse) -> Refusal:
    return Refusal(
        status=response.status,
        retry_after=response.headers.get("Retry-After"),
        codes=error_codes(await _error_body(response)),
    )


async def _error_body(response: aiohttp.ClientResponse) -> bytes:
    """What comes of an error body within bounds: it is for people, so its own failures do not count."""
    body = bytearray()
    try:
        async with asyncio.timeout(_ERROR_DEADLINE):
            while len(body) <= MAX_ERROR_BODY and (part := await response.content.readany()):
                body += part
    except (aiohttp.ClientError, TimeoutError, OSError):
        return b""
    return bytes(body) if len(body) <= MAX_ERROR_BODY else b""


@asynccontextmanager
async def _closing(response: aiohttp.ClientResponse) -> AsyncIterator[None]:
    """Close at the end: a body that was read to its end has given its connection back already, another is cut off."""
    try:
        yield
    finally:
        response.close()
