"""``/v1/sync``, ``/v1/rollback``, ``/v1/status`` and the like: how commands work through a running receiver.

They have an address of their own, on loopback, so that neither TLS nor strangers at the other one stand between. The
credential is written to the state folder at every start, for those who may read it: who can do that may change the
catalogue anyway. Answers are JSON lines, one report each, as they happen.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from aiohttp import web

from receiver.document import InvalidDocument
from receiver.errors import InvalidNameError, ReceiverError, Unauthenticated
from receiver.server.answers import refusal
from receiver.server.body import read_body
from receiver.server.connections import Limits
from receiver.server.credentials import Credentials
from receiver.server.routes import Handler, Routes
from receiver.sync.engine import Report
from receiver.sync.request import Request
from receiver.sync.wire import REQUESTS, End, Failure, read_request, write_report

_MOST_BODY = 16 * 1024 * 1024
"""Bytes of a request, whatever senders may send: the names of all addons, or the notes of a replayed file."""
_SIGN_OF_LIFE = 15.0
"""Seconds without a report, after which an empty line is sent."""


class Commands(Protocol):
    """What carries out the requests."""

    def execute(self, request: Request) -> AsyncGenerator[Report, None]:
        """See `receiver.sync.engine.Engine.execute`."""
        ...


class Control:
    """The endpoints; ``token`` is the only credential."""

    def __init__(self, commands: Commands, *, token: str, limits: Limits) -> None:
        self._commands = commands
        self._credentials = Credentials(lambda: (token,))
        self._limits = limits

    def routes(self) -> Routes:
        """The paths."""
        return {f"/v1/{kind}": {"POST": self._guarded(self._request(kind))} for kind in REQUESTS}

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.BaseRequest) -> web.StreamResponse:
            try:
                self._credentials.check(request.headers.getall("Authorization", []))
            except Unauthenticated as error:
                response = refusal(401, str(error), headers={"WWW-Authenticate": "Bearer"})
                response.force_close()
                return response
            return await handler(request)

        return guarded

    def _request(self, kind: str) -> Handler:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            try:
                body = await read_body(request, limit=_MOST_BODY, seconds=self._limits.body_seconds)
                wanted = read_request(kind, body)
            except (InvalidDocument, ReceiverError) as error:
                return refusal(400, str(error))
            except ConnectionAbortedError as error:
                # Nobody is left to answer, or the rest of the body would be taken for the next request.
                request.protocol.force_close()
                return refusal(408, str(error))
            return await self._stream(request, wanted)

        return handle

    async def _stream(self, request: web.BaseRequest, wanted: Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Server": "addon-sync"})
        await response.prepare(request)
        # Who asked may go away; what was asked for is queued and happens all the same.
        with contextlib.suppress(ConnectionResetError):
            try:
                async with aclosing(self._commands.execute(wanted)) as reports:
                    while (report := await self._next(response, reports)) is not None:
                        await response.write(write_report(report))
                await response.write(write_report(End()))
            except ReceiverError as error:
                usage = isinstance(error, InvalidNameError)
                await response.write(write_report(Failure(error=str(error), usage=usage)))
            await response.write_eof()
        return response

    async def _next(self, response: web.StreamResponse, reports: AsyncGenerator[Report, None]) -> Report | None:
        """The next report, None after the last; signs of life until it comes, which also tell that nobody listens."""
        coming = asyncio.ensure_future(anext(reports, None))
        try:
            while not (await asyncio.wait({coming}, timeout=_SIGN_OF_LIFE))[0]:
                await response.write(b"\n")
            return coming.result()
        finally:
            if not coming.done():
                coming.cancel()
                await asyncio.wait({coming})
