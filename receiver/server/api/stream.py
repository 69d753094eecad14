"""``GET /v1/stream``: journal entries as they come, as server-sent events (HTML Standard, section 9.2).

The number of an entry is the ``id`` of its event, so that a browser that lost the connection goes on without a gap.
Signs of life carry one too, of the last entry that was looked at, told or not.
"""

import contextlib
import logging
from contextlib import aclosing

from aiohttp import web

from receiver.document import encode, outward
from receiver.errors import QueueUnavailable
from receiver.server.answers import refusal
from receiver.server.api.endpoint import Call
from receiver.server.api.following import Follower, Following, Source
from receiver.server.api.parameters import LAST_EVENT_ID
from receiver.server.connections import Connection
from receiver.sync.documents import entry_document
from receiver.tasks.journal import Entry, Wanted, matches

_log = logging.getLogger(__name__)

MOST_STREAMS = 64
"""At a time: each holds one of the 512 places for connections, which senders must not miss."""
HEARTBEAT = 15.0
"""Seconds: proxies close a connection on which nothing comes for 30 or 60."""
_AGAIN = 2000
"""Milliseconds after which a browser comes back."""
_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "Server": "addon-sync",
    "X-Accel-Buffering": "no",  # nginx would hold events back
}


class Stream:
    """The streams that are open."""

    def __init__(self, source: Source, *, most: int = MOST_STREAMS, heartbeat: float = HEARTBEAT) -> None:
        self._source = source
        self.following = Following(source, most=most)
        self._heartbeat = heartbeat

    async def open(self, call: Call, wanted: Wanted) -> web.StreamResponse:
        """Send what is ``wanted`` until the reader goes away, or takes nothing for too long."""
        if self.following.is_full:
            return refusal(503, "too many streams are open: close one, or ask /v1/events", headers={"Retry-After": "5"})
        try:
            after = await self._start(call)
        except ValueError as error:
            return refusal(400, f"Last-Event-ID: {error}")
        response = web.StreamResponse(headers=_HEADERS)
        if call.request.method == "HEAD":
            return response
        follower = Follower()
        if isinstance(call.request.protocol, Connection):
            call.request.protocol.when_gone(follower.end)
        with contextlib.suppress(ConnectionResetError):
            await response.prepare(call.request)
            await response.write(f"retry: {_AGAIN}\nid: {after}\n\n".encode())
            try:
                await self._send(response, follower, after, wanted)
            except QueueUnavailable as error:
                # Too late for another answer: the reader comes back, and is told then.
                _log.error("a stream of journal entries has ended: %s", error)
            await response.write_eof()
        return response

    async def _send(self, response: web.StreamResponse, follower: Follower, after: int, wanted: Wanted) -> None:
        pieces = self.following.follow(follower, after=after, heartbeat=self._heartbeat)
        async with aclosing(pieces):
            async for number, entries in pieces:
                told = [entry for entry in entries if matches(entry, wanted)]
                if told:
                    await response.write(b"".join(event(entry) for entry in told))
                if not entries:
                    await response.write(f": still here\nid: {number}\n\n".encode())

    async def _start(self, call: Call) -> int:
        given = call.request.headers.get(LAST_EVENT_ID.name)
        if given is not None:
            number: int = LAST_EVENT_ID.read(given, 0.0)
            return number
        after: int | None = call.query["after"]
        return await self._source.newest() if after is None else after


def event(entry: Entry) -> bytes:
    """One event; its data is one line, since JSON escapes line ends."""
    found = outward(entry_document(entry))
    return f"id: {entry.id}\nevent: {found['kind']}\ndata: ".encode() + encode(found) + b"\n\n"
