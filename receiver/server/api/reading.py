"""What is known: addons, the journal, the queue. Nothing changes by asking, and no answer reads the whole journal."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from aiohttp import web

from receiver.addon import AddonRepository
from receiver.document import decode
from receiver.errors import NotInstalled, RegistryError
from receiver.server.answers import refusal
from receiver.server.api import shapes
from receiver.server.api.endpoint import Call, document
from receiver.server.api.parameters import read_number
from receiver.server.api.stream import Stream
from receiver.server.control import Commands
from receiver.sync.documents import entry_document, story_document
from receiver.sync.outcome import Surveyed
from receiver.sync.request import EventsRequest, MissedRequest
from receiver.sync.status import is_unknown
from receiver.sync.unannounced import MissedPush
from receiver.sync.views import Views
from receiver.tasks.journal import Entry, Kept, Wanted

_KEPT: tuple[Kept, ...] = ("accepted", "quarantined")


class Reading:
    """Answers from ``views``; ``prefix`` is what the names of addon repositories begin with."""

    def __init__(self, views: Views, commands: Commands, stream: Stream, *, prefix: str) -> None:
        self._views = views
        self._commands = commands
        self._stream = stream
        self._prefix = prefix

    async def addons(self, call: Call) -> web.StreamResponse:
        """Where each addon stands."""
        found, failure = await self._views.look(ask=call.query["ask"])
        error = None if failure is None else failure.error
        return document(shapes.AddonList(addons=tuple(found), error=error))

    async def addon(self, call: Call) -> web.StreamResponse:
        """One addon, and why it is as it is."""
        if not call.segment:
            return refusal(404, "there is nothing here")
        story = await self._views.story(call.segment)
        if is_unknown(story.status) and not story.entries:
            raise NotInstalled(f"nothing is known of {story.status.repository}; GET /v1/addons lists what is")
        return document(story_document(story))

    async def events(self, call: Call) -> web.StreamResponse:
        """A page of the journal."""
        request = EventsRequest(wanted=self._wanted(call.query), limit=call.query["limit"], before=call.query["before"])
        page = await self._views.page(request)
        events = tuple(entry_document(entry) for entry in page.entries)
        return document(shapes.EventPage(events=events, before=page.before))

    async def event(self, call: Call) -> web.StreamResponse:
        """One entry of the journal."""
        entry = await self._entry(call.segment)
        if entry is None:
            return refusal(404, "the journal has no such entry (any more)")
        stored = await self._views.delivery(entry.id) if getattr(entry, "verdict", None) in _KEPT else None
        return document(
            shapes.EventDetail(
                event=entry_document(entry),
                headers=None if stored is None else decode(stored.headers or b"{}", dict[str, str]),
                body=None if stored is None else stored.body.decode("utf-8", "replace"),
            )
        )

    async def tasks(self, _: Call) -> web.StreamResponse:
        """The queue."""
        return document(shapes.TaskList(tasks=tuple(await self._views.tasks())))

    async def parked(self, _: Call) -> web.StreamResponse:
        """What is not tried again by itself."""
        return document(shapes.ParkedList(parked=tuple(await self._views.parked())))

    async def missed(self, _: Call) -> web.StreamResponse:
        """The registry, compared with the journal and the catalogue now."""
        found = []
        async with aclosing(self._commands.execute(MissedRequest())) as reports:
            async for report in reports:
                if isinstance(report, Surveyed) and report.error is not None:
                    raise RegistryError(report.error)
                if isinstance(report, MissedPush):
                    found.append(report)
        return document(shapes.MissedList(missed=tuple(found)))

    async def stream(self, call: Call) -> web.StreamResponse:
        """Entries of the journal as they come."""
        return await self._stream.open(call, self._wanted(call.query))

    async def _entry(self, segment: str) -> Entry | None:
        try:
            number = read_number(segment, least=0, most=2**62)
        except ValueError:
            return None
        return await self._views.entry(number)

    def _wanted(self, query: Mapping[str, Any]) -> Wanted:
        addon, kind = query["addon"], query["kind"]
        return Wanted(
            repository=None if addon is None else str(AddonRepository.named(addon, prefix=self._prefix).name),
            sender=query["sender"],
            verdict=query["verdict"],
            kind=None if kind == "delivery" else kind,
            arrivals=True if kind == "delivery" else None,
            since=query.get("since"),
            until=query.get("until"),
        )
