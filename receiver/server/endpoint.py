"""``POST /v1/notifications`` as HTTP: credential before body, limits, and the few answers that a sender may get.

A body is read before the credential is known only where a signature over it came with the headers.

Only 401, 413 and 503 refuse (contract "HTTP"): Distribution repeats whatever else is refused for ever, and holds back
all later events behind it.
"""

import logging
from collections.abc import Callable, Mapping
from functools import lru_cache

from aiohttp import web

from receiver.document import encode
from receiver.errors import NO_CERTIFICATE, Oversized, QueueUnavailable, Unauthenticated
from receiver.server.answers import accepted, refusal
from receiver.server.body import read_body
from receiver.server.connections import Connection, Limits
from receiver.server.credentials import refused
from receiver.server.gate import Gate, Grant, Headers, Signed
from receiver.server.notifications import Notifications, Outcome
from receiver.server.tls import shows_certificate
from receiver.webhook.decode import HEADERS
from receiver.webhook.event import Delivery

_log = logging.getLogger(__name__)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class NotificationEndpoint:
    """The handler; ``notifications`` decides what becomes of what was let in.

    ``certified``: only those are, besides, whose connection showed a client certificate.
    """

    def __init__(self, *, gate: Gate, notifications: Notifications, limits: Limits, certified: bool = False) -> None:
        self._gate = gate
        self._notifications = notifications
        self._limits = limits
        self._certified = certified

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one delivery."""
        return await self._answer(request, self._gate.admit)

    async def below(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one delivery with a secret as the last segment of its path."""
        return await self._answer(request, lambda _: self._gate.admit_path(request.path.rpartition("/")[2]))

    async def _answer(self, request: web.BaseRequest, admit: Callable[[Headers], Grant | Signed]) -> web.StreamResponse:
        if self._certified and not shows_certificate(request):
            return self._refused(request, refused(), NO_CERTIFICATE)
        try:
            grant = admit(request.headers)
            body = await self._body(request)
            if isinstance(grant, Signed):
                grant = grant.verify(body)
            delivery = Delivery(headers=_kept(request.headers), body=body, address=_address(request))
            outcome = await self._notifications.take(delivery, grant)
        except Unauthenticated as error:
            return self._refused(request, error, str(error))
        except Oversized as error:
            return self._refused(request, error, str(error))
        except QueueUnavailable as error:
            # Without its cause: a path or a database message is not for senders.
            _log.error("A notification could not be made durable, the sender must repeat it: %s", error)
            retry_after = {"Retry-After": str(self._limits.retry_after)}
            self._notifications.refused(_address(request), "unavailable", "it could not be made durable")
            return refusal(503, "the notification could not be stored", headers=retry_after)
        except ConnectionAbortedError as error:
            return self._dropped(request, error)
        return accepted(request, _body(outcome.accepted, outcome.ignored, outcome.quarantined))

    async def _body(self, request: web.BaseRequest) -> bytes:
        expect = request.headers.get("Expect")
        if expect and expect.lower() == "100-continue" and (request.content_length or 0) <= self._limits.body:
            # Asked for by clients with large bodies, such as curl (RFC 9110 section 10.1.1).
            await request.writer.write(_CONTINUE)
        return await read_body(request, limit=self._limits.body, seconds=self._limits.body_seconds)

    def _refused(self, request: web.BaseRequest, error: Unauthenticated | Oversized, reason: str) -> web.Response:
        """Answer with ``error``, and tell the operator the ``reason``."""
        is_stranger = isinstance(error, Unauthenticated)
        verdict, headers = ("unauthenticated", {"WWW-Authenticate": "Bearer"}) if is_stranger else ("oversized", {})
        agent = request.headers.get("User-Agent", "")
        self._notifications.refused(_address(request), verdict, reason, agent=agent)
        _log.debug("Refused a notification from %s: %s", request.remote, reason)
        return refusal(error.status, str(error), headers=headers)

    def _dropped(self, request: web.BaseRequest, error: ConnectionAbortedError) -> web.Response:
        """Close without a word: whatever was answered, a sender might take it for accepted."""
        self._notifications.refused(_address(request), "cut off", str(error))
        _log.debug("Dropped a notification from %s: %s", request.remote, error)
        request.protocol.force_close()
        return web.Response(status=408)


def _address(request: web.BaseRequest) -> str:
    connection = request.protocol
    return connection.address if isinstance(connection, Connection) else ""


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that decoding reads. What is not ASCII is escaped: lone surrogates cannot be stored."""
    return {
        name: value if value.isascii() else ascii(value)[1:-1]
        for name in HEADERS
        if (value := headers.get(name)) is not None
    }


@lru_cache(maxsize=64)
def _body(accepted: int, ignored: int, quarantined: int) -> bytes:
    return encode(Outcome(accepted, ignored, quarantined))
