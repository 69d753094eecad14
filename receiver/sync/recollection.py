"""What a replay feeds in again: deliveries of the journal, by today's rules, and what failed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from receiver.addon import AddonRepository
from receiver.document import InvalidDocument, convert, parse
from receiver.errors import DeliveryError
from receiver.sync.heard import kept
from receiver.sync.ports import Clock
from receiver.sync.replayed import Replayed
from receiver.sync.request import ReplayRequest
from receiver.tasks.journal import Aside, Journal, StoredDelivery
from receiver.tasks.queue import TaskQueue
from receiver.tasks.task import EVERYTHING, State
from receiver.webhook.decode import decode
from receiver.webhook.event import Decoded, Delivery, PushEvent

_BATCH = 256
"""Notes of replayed deliveries that are written in one transaction."""
_TURN = 64 * 1024
"""Bytes of deliveries after which others have their turn: the journal gives thousands at once, and to decode them all
took a quarter of a second, in which no sender was answered."""
_LEAST = 2048
"""Bytes that a delivery counts at least: some 30 small ones take a turn, half a millisecond."""


class Recollection:
    """Reads what a request means, and notes in the journal which events are fed in again."""

    def __init__(self, *, queue: TaskQueue, journal: Journal, prefix: str, clock: Clock) -> None:
        self._queue = queue
        self._journal = journal
        self._prefix = prefix
        self._clock = clock

    async def collect(self, request: ReplayRequest) -> Replayed:
        """What ``request`` names. With ``dry_run`` nothing is noted.

        Raises:
            InvalidNameError: a name in the request is none.
            QueueUnavailable: the journal cannot be read, or not written.
        """
        found = Replayed()
        for name in request.repositories:
            found.repositories.setdefault(AddonRepository.parse(name, prefix=self._prefix).name, 1)
        wanted = AddonRepository.named(request.addon, prefix=self._prefix).name if request.addon else None
        if request.failed or request.parked:
            await self._failed(found, wanted, only_parked=not request.failed)
        notes: list[Aside] = []
        async for delivery in self._deliveries(request, found, wanted):
            decoded = self._decode_again(delivery, found, wanted)
            if decoded is None:
                continue
            if decoded.events and not request.dry_run:
                notes.append(replayed(decoded.events, origin=f"delivery {delivery.id}", at=self._clock()))
            if len(notes) >= _BATCH:
                await self._journal.replayed(notes)
                notes = []
        if notes:
            await self._journal.replayed(notes)
        return found

    async def _failed(self, found: Replayed, wanted: str | None, *, only_parked: bool) -> None:
        for task in await self._queue.tasks():
            failed = task.state is State.PARKED or (task.attempts > 0 and not only_parked)
            if failed and task.repository != EVERYTHING and wanted in {None, task.repository}:
                found.repositories.setdefault(task.repository, 0)

    async def _deliveries(
        self, request: ReplayRequest, found: Replayed, wanted: str | None
    ) -> AsyncIterator[StoredDelivery]:
        wanted_ids = set(request.event_ids)
        for number in request.numbers:
            delivery = await self._journal.delivery(number)
            if delivery is None:
                wanted_ids.add(str(number))  # some senders count their events
            else:
                yield delivery
        if request.journal or request.quarantined or wanted_ids:
            missing = set(wanted_ids)
            stored = self._journal.deliveries(
                since=request.since,
                until=request.until,
                # What could not be parsed names no repository yet.
                repository=None if request.quarantined else wanted,
                verdict="quarantined" if request.quarantined and not request.journal else None,
                sender=request.sender,
            )
            weight = 0
            async for delivery in stored:
                weight += max(len(delivery.body), _LEAST)
                if weight >= _TURN:
                    weight = 0
                    await asyncio.sleep(0)
                known = {event.event_id for event in delivery.events if event.event_id is not None}
                if not wanted_ids or known & wanted_ids:
                    missing -= known
                    yield delivery
            for name in sorted(missing):
                what = f"event {name}" if name in request.event_ids else f"delivery {name}, nor of an event {name},"
                found.problems.append(f"the journal keeps no body of {what} (any more)")

    def _decode_again(self, delivery: StoredDelivery, found: Replayed, wanted: str | None) -> Decoded | None:
        """What the delivery says by today's rules: what could not be parsed when it came may be understood now."""
        found.documents += 1
        where = f"delivery {delivery.id}"
        try:
            headers = convert(parse(delivery.headers or b"{}"), dict[str, str])
            decoded = decode(Delivery(headers=headers, body=delivery.body), prefix=self._prefix)
        except (DeliveryError, InvalidDocument) as error:
            found.problems.append(f"{where} from {delivery.sender}: {error}")
            return None
        events = tuple(event for event in decoded.events if wanted in {None, event.repository.name})
        decoded = replace(decoded, events=events)
        found.add(decoded, where=where)
        return decoded


def replayed(events: tuple[PushEvent, ...], *, origin: str, at: float) -> Aside:
    """The note of events that are fed in again ``at`` (seconds since the epoch): with their identifiers, and whence."""
    told = tuple(kept(event) for event in events)
    return Aside(received=at, answered=at, sender=events[0].sender, verdict="replayed", origin=origin, events=told)
