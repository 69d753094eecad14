"""The API as the server sees it: its endpoints, and its end."""

from collections.abc import Callable, Sequence

from aiohttp import web

from receiver.document import encode
from receiver.server.answers import answer
from receiver.server.api import parameters as given
from receiver.server.api import shapes
from receiver.server.api.asking import Asking
from receiver.server.api.endpoint import Call, Endpoint, Guarded
from receiver.server.api.gate import ApiGate
from receiver.server.api.openapi import openapi
from receiver.server.api.reading import Reading
from receiver.server.api.stream import Stream
from receiver.server.connections import Limits
from receiver.server.control import Commands
from receiver.server.routes import Handler, Routes
from receiver.sync.documents import StoryDocument
from receiver.sync.views import Views

_EVENT_ID = {"type": "integer", "minimum": 0, "maximum": 2**62}
_JOB_ID = {"type": "string", "pattern": "^[0-9a-f]{16}$"}


class Api:
    """What is there while the server runs; ``gate`` says to whom."""

    def __init__(
        self,
        *,
        views: Views,
        commands: Commands,
        gate: ApiGate,
        limits: Limits,
        prefix: str,
        clock: Callable[[], float],
    ) -> None:
        self._stream = Stream(views)
        self._reading = Reading(views, commands, self._stream, prefix=prefix)
        self._asking = Asking(views, commands, prefix=prefix, clock=clock)
        self._gate = gate
        self._limits = limits
        self._clock = clock
        self.endpoints = tuple(self._table())
        self._document = encode(openapi(self.endpoints))

    def routes(self) -> Routes:
        """The paths."""
        table: dict[str, dict[str, Handler]] = {}
        for endpoint in self.endpoints:
            handler = Guarded(endpoint, gate=self._gate, limits=self._limits, clock=self._clock)
            table.setdefault(endpoint.route, {})[endpoint.method] = handler
        return table

    def end_streams(self) -> None:
        """Their readers come back to the next process."""
        self._stream.following.close()

    async def close(self) -> None:
        """Follow no job any longer."""
        await self._asking.jobs.close()

    def _table(self) -> Sequence[Endpoint]:
        return (*self._what_is_known(), *self._what_is_done(), self._about())

    def _what_is_known(self) -> Sequence[Endpoint]:
        reading = self._reading
        return (
            Endpoint(
                method="GET",
                path="/v1/addons",
                name="listAddons",
                summary="Where each addon stands",
                handle=reading.addons,
                parameters=(given.ASK,),
                answers={200: shapes.AddonList},
            ),
            Endpoint(
                method="GET",
                path="/v1/addons/{addon}",
                name="getAddon",
                summary="Where one addon stands and why: its last decision step by step, and what the journal holds",
                handle=reading.addon,
                segment=given.ADDON_SCHEMA,
                answers={200: StoryDocument},
                refusals=(404,),
            ),
            Endpoint(
                method="GET",
                path="/v1/events",
                name="listEvents",
                summary="What arrived and what was done, the newest first, a page at a time",
                handle=reading.events,
                parameters=(*given.FILTERS, given.SINCE, given.UNTIL, given.BEFORE, given.LIMIT),
                answers={200: shapes.EventPage},
            ),
            Endpoint(
                method="GET",
                path="/v1/events/{id}",
                name="getEvent",
                summary="One entry of the journal, with the body of a delivery where it is kept",
                handle=reading.event,
                segment=_EVENT_ID,
                answers={200: shapes.EventDetail},
                refusals=(404,),
            ),
            Endpoint(
                method="GET",
                path="/v1/stream",
                name="followEvents",
                summary="Entries of the journal as they come (server-sent events)",
                handle=reading.stream,
                parameters=(*given.FILTERS, given.AFTER, given.LAST_EVENT_ID),
                answers={200: "text/event-stream"},
            ),
            Endpoint(
                method="GET",
                path="/v1/tasks",
                name="listTasks",
                summary="The queue",
                handle=reading.tasks,
                answers={200: shapes.TaskList},
            ),
            Endpoint(
                method="GET",
                path="/v1/parked",
                name="listParked",
                summary="What is not tried again by itself",
                handle=reading.parked,
                answers={200: shapes.ParkedList},
            ),
            Endpoint(
                method="GET",
                path="/v1/missed",
                name="listMissed",
                summary="Pushes that no event announced, by asking the registry now",
                handle=reading.missed,
                answers={200: shapes.MissedList},
            ),
        )

    def _what_is_done(self) -> Sequence[Endpoint]:
        asking = self._asking
        rows = (
            ("/v1/hold", "holdAddon", "Leave an addon as it is", asking.hold, shapes.HoldBody),
            ("/v1/release", "releaseAddon", "End the hold of an addon", asking.release, shapes.ReleaseBody),
            ("/v1/rollback", "rollBackAddon", "Bring back a kept release", asking.rollback, shapes.RollbackBody),
            ("/v1/parked/discard", "discardParked", "Forget what is parked", asking.discard, shapes.SomeAddons),
        )
        jobs = (
            ("/v1/sync", "syncAddons", "Look at addons now", asking.sync, shapes.SyncBody, ()),
            ("/v1/replay", "replayEvents", "Feed events in again", asking.replay, shapes.ReplayBody, ()),
            ("/v1/parked/retry", "retryParked", "Try what is parked again", asking.retry, shapes.SomeAddons, (404,)),
        )
        return (
            *(
                Endpoint(
                    method="POST",
                    path=path,
                    name=name,
                    summary=summary,
                    handle=handle,
                    body=body,
                    answers={200: shapes.ChangeList},
                    refusals=(404, 409),
                )
                for path, name, summary, handle, body in rows
            ),
            *(
                Endpoint(
                    method="POST",
                    path=path,
                    name=name,
                    summary=summary,
                    handle=handle,
                    body=body,
                    parameters=(given.WAIT,),
                    answers={200: shapes.JobDocument, 202: shapes.JobDocument},
                    refusals=refusals,
                )
                for path, name, summary, handle, body, refusals in jobs
            ),
            Endpoint(
                method="GET",
                path="/v1/jobs/{id}",
                name="getJob",
                summary="What became of a job so far",
                handle=asking.job,
                segment=_JOB_ID,
                parameters=(given.WAIT,),
                answers={200: shapes.JobDocument},
                refusals=(404,),
            ),
        )

    def _about(self) -> Endpoint:
        return Endpoint(
            method="GET",
            path="/v1/openapi.json",
            name="getDocument",
            summary="This document",
            handle=self._openapi,
            answers={200: dict},
        )

    async def _openapi(self, _: Call) -> web.StreamResponse:
        return answer(self._document)
