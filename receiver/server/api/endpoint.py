"""A row of the API's table, and what every request to it goes through: judged, read, answered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from receiver.document import decode, encode, outward
from receiver.errors import (
    AddonHeld,
    ContentError,
    DowngradeDoubted,
    InvalidManifest,
    InvalidNameError,
    NotInstalled,
    Oversized,
    ReceiverError,
    UnsafeArchive,
)
from receiver.server.answers import answer, refusal
from receiver.server.api.gate import ApiGate
from receiver.server.api.parameters import Parameter, read_query
from receiver.server.body import read_body
from receiver.server.connections import Connection, Limits

_STATUSES: tuple[tuple[type[ReceiverError], int], ...] = (
    (InvalidNameError, 400),
    (NotInstalled, 404),
    (AddonHeld, 409),
    (DowngradeDoubted, 409),
    (ContentError, 409),
    (UnsafeArchive, 409),
    (InvalidManifest, 409),
)
"""By what cures it: another request, or something that has to change first. All others, time or an operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that may be answered; ``segment`` is the last part of its path."""

    request: web.BaseRequest
    segment: str
    query: Mapping[str, Any]
    body: Any


Answering = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A row: a path, in braces what stands for its last part, and all that is to be told of it."""

    method: str
    path: str
    name: str
    """In ``camelCase``: what programs that are made from the document call it."""
    summary: str
    handle: Answering
    answers: Mapping[int, type | str]
    """Documents by status where all is well; a text is a media type."""
    segment: Mapping[str, Any] | None = None
    """The schema of the last part of the path."""
    parameters: tuple[Parameter, ...] = ()
    body: type | None = None
    refusals: tuple[int, ...] = field(default=())
    """Statuses of refusals besides those that every endpoint may give."""

    @property
    def route(self) -> str:
        """The path as `receiver.server.routes.Router` knows it."""
        return self.path[: self.path.find("{")] if "{" in self.path else self.path


class Guarded:
    """The handler of an endpoint."""

    def __init__(self, endpoint: Endpoint, *, gate: ApiGate, limits: Limits, clock: Callable[[], float]) -> None:
        self._endpoint = endpoint
        self._gate = gate
        self._limits = limits
        self._clock = clock

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Judge, read and answer."""
        refused = self._gate.judge(request)
        if refused is not None:
            return refused
        connection = request.protocol
        if isinstance(connection, Connection):
            connection.vouch()
        try:
            call = await self._read(request)
        except Oversized as error:
            return refusal(413, str(error))
        except ConnectionAbortedError as error:
            # Nobody is left to answer, or the rest of the body would be taken for the next request.
            request.protocol.force_close()
            return refusal(408, str(error))
        except ValueError as error:
            return refusal(400, str(error))
        try:
            return await self._endpoint.handle(call)
        except ReceiverError as error:
            return failure(error, retry_after=self._limits.retry_after)

    async def _read(self, request: web.BaseRequest) -> Call:
        query = read_query(request.query, self._endpoint.parameters, now=self._clock())
        body: Any = None
        if self._endpoint.body is not None:
            content = await read_body(request, limit=self._limits.body, seconds=self._limits.body_seconds)
            body = decode(content, self._endpoint.body)
        return Call(request=request, segment=request.path.rpartition("/")[2], query=query, body=body)


def document(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer with a document."""
    return answer(encode(outward(value)), status=status, headers=headers)


def failure(error: ReceiverError, *, retry_after: int) -> web.Response:
    """The answer for what could not be done."""
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 503)
    return refusal(status, str(error), headers={"Retry-After": str(retry_after)} if status == 503 else None)
