"""What is to be done, by the same requests as the commands: what takes a while becomes a job, the rest ends at once."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import cast

from aiohttp import web

from receiver.addon import AddonRepository
from receiver.errors import NotInstalled
from receiver.notation import parse_moment
from receiver.server.answers import refusal
from receiver.server.api import shapes
from receiver.server.api.endpoint import Call, document
from receiver.server.connections import Connection
from receiver.server.control import Commands
from receiver.server.jobs import Job, Jobs
from receiver.sync.operations import Changed
from receiver.sync.request import (
    DiscardRequest,
    HoldRequest,
    ReleaseRequest,
    ReplayRequest,
    Request,
    RollbackRequest,
    SyncRequest,
)
from receiver.sync.views import Views


class Asking:
    """Turns bodies into requests for ``commands``."""

    def __init__(self, views: Views, commands: Commands, *, prefix: str, clock: Callable[[], float]) -> None:
        self._views = views
        self._commands = commands
        self._prefix = prefix
        self._clock = clock
        self.jobs = Jobs(commands, clock=clock, new_name=lambda: secrets.token_hex(8))

    async def sync(self, call: Call) -> web.StreamResponse:
        """Look at addons now."""
        body: shapes.SyncBody = call.body
        self._names(body.addons)
        request = SyncRequest(addons=body.addons, force=not body.check_digest, allow_downgrade=body.allow_downgrade)
        return await self._begin(call, request, "sync", named=bool(body.addons))

    async def replay(self, call: Call) -> web.StreamResponse:
        """Feed events in again."""
        body: shapes.ReplayBody = call.body
        picked = bool(body.numbers or body.event_ids or body.failed or body.quarantined)
        filters = (body.since, body.until, body.addon, body.sender)
        if not picked and not any(filters):
            return refusal(
                400, "say what: numbers, event_ids, failed, quarantined, or which by since, until, addon, sender"
            )
        self._names(() if body.addon is None else (body.addon,))
        try:
            since, until = self._moment("since", body.since), self._moment("until", body.until)
        except ValueError as error:
            return refusal(400, str(error))
        request = ReplayRequest(
            numbers=body.numbers,
            event_ids=body.event_ids,
            sender=body.sender,
            since=since,
            until=until,
            addon=body.addon,
            journal=not picked,
            failed=body.failed,
            quarantined=body.quarantined,
            dry_run=body.dry_run,
        )
        return await self._begin(call, request, "replay")

    async def retry(self, call: Call) -> web.StreamResponse:
        """Try again what is parked."""
        found = await self._parked(call.body)
        return await self._begin(call, ReplayRequest(repositories=tuple(found)), "retry")

    async def discard(self, call: Call) -> web.StreamResponse:
        """Forget what is parked."""
        body: shapes.SomeAddons = call.body
        await self._parked(body)
        return await self._at_once(DiscardRequest(addons=body.addons))

    async def hold(self, call: Call) -> web.StreamResponse:
        """Leave an addon as it is."""
        body: shapes.HoldBody = call.body
        return await self._at_once(HoldRequest(addon=body.addon, reason=body.reason))

    async def release(self, call: Call) -> web.StreamResponse:
        """End a hold."""
        body: shapes.ReleaseBody = call.body
        return await self._at_once(ReleaseRequest(addon=body.addon))

    async def rollback(self, call: Call) -> web.StreamResponse:
        """Bring back a kept release."""
        body: shapes.RollbackBody = call.body
        return await self._at_once(RollbackRequest(addon=body.addon, to=body.to))

    async def job(self, call: Call) -> web.StreamResponse:
        """What became of a job."""
        job = self.jobs.get(call.segment)
        if job is None:
            return refusal(404, "no such job is known (any more); GET /v1/events tells what was done")
        await _wait(job, call)
        return document(_told(job))

    async def _begin(self, call: Call, request: Request, kind: shapes.JobKind, *, named: bool = False) -> web.Response:
        job = self.jobs.start(request, kind=kind, named=named)
        if job is None:
            return refusal(503, "too many jobs are running: try again later", headers={"Retry-After": "5"})
        await _wait(job, call)
        where = {"Location": f"/v1/jobs/{job.name}"}
        return document(_told(job), status=202 if job.ended is None else 200, headers=where)

    async def _at_once(self, request: Request) -> web.StreamResponse:
        # What has begun outlives who asked for it, by `receiver.sync.operations`.
        async with aclosing(self._commands.execute(request)) as reports:
            changes = [report async for report in reports if isinstance(report, Changed)]
        return document(shapes.ChangeList(changes=tuple(changes)))

    async def _parked(self, body: shapes.SomeAddons) -> list[str]:
        """The repositories that are meant: all that are parked, where none is named."""
        wanted = self._names(body.addons)
        parked = [task.repository for task in await self._views.parked()]
        absent = [name for name in wanted if name not in parked]
        if absent:
            raise NotInstalled(f"not parked: {', '.join(absent)}; GET /v1/parked lists what is")
        return wanted or parked

    def _names(self, addons: Sequence[str]) -> list[str]:
        """Their repositories.

        Raises:
            InvalidNameError: one has no possible name; nothing was asked for yet.
        """
        return [str(AddonRepository.named(addon, prefix=self._prefix).name) for addon in addons]

    def _moment(self, member: str, text: str | None) -> float | None:
        try:
            return None if text is None else parse_moment(text, now=self._clock())
        except ValueError as error:
            raise ValueError(f"{member}: {error}") from error


async def _wait(job: Job, call: Call) -> None:
    """Return when the job has ended, the time is over, or nobody waits any longer."""
    seconds: float = call.query["wait"]
    if not seconds or job.ended is not None:
        return
    gone = asyncio.Event()
    if isinstance(call.request.protocol, Connection):
        call.request.protocol.when_gone(gone.set)
    waiting = [asyncio.ensure_future(event.wait()) for event in (job.done, gone)]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()


def _told(job: Job) -> shapes.JobDocument:
    state: shapes.JobState = "running" if job.ended is None else "failed" if job.has_failed else "done"
    return shapes.JobDocument(
        id=job.name,
        kind=cast("shapes.JobKind", job.kind),
        state=state,
        asked=job.asked,
        ended=job.ended,
        error=job.error,
        result=job.tally.result(),
    )
