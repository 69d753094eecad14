"""Pushes that no event announced, found by comparing the registry with the journal and the catalogue."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Literal, TypeVar

from receiver.addon import AddonRepository, parse_version
from receiver.catalog.record import AddonRecord
from receiver.document import Moment, Value
from receiver.errors import AccessDenied, NotInRegistry, ProtocolViolation, RegistryError
from receiver.sync.chronicle import read
from receiver.sync.outcome import Outcome
from receiver.sync.ports import Registry
from receiver.sync.survey import Survey
from receiver.sync.syncer import Desired, Syncer
from receiver.sync.together import all_or_none
from receiver.tasks.journal import Arrival, Done, Event, Journal, Wanted, announces
from receiver.tasks.task import Trigger

_ARRIVALS = 512
"""Of an addon, the newest first, that are read at once while a push is looked for."""
_MOST_TAGS = 20
"""Newer tags of an addon that are looked at besides the wanted one."""
_MOST_SYNCS = 64
"""Of an addon, the newest first, among which the one that brought what is installed is looked for."""
_SIDE_BY_SIDE = 4

T = TypeVar("T")
State = Literal["not installed", "installed", "superseded"]


class MissedPush(Value, frozen=True):
    """A tag of the registry that no event in the journal announced."""

    repository: str
    tag: str
    digest: str
    state: State
    """``installed``: a poll or a person has brought it. ``superseded``: another tag is wanted by now."""
    installed: Moment | None = None
    """Since when."""


class Unannounced:
    """Looks at each addon of the registry; asks one tag and one digest of each, and those of newer tags."""

    def __init__(self, *, registry: Registry, syncer: Syncer, survey: Survey, journal: Journal) -> None:
        self._registry = registry
        self._syncer = syncer
        self._survey = survey
        self._journal = journal

    async def find(self) -> AsyncIterator[MissedPush]:
        """Every push that was missed, by addon.

        Raises:
            RegistryError: the registry cannot be asked.
            QueueUnavailable, InstallError: journal or records cannot be read.
        """
        gate = asyncio.Semaphore(_SIDE_BY_SIDE)
        oldest = (await self._journal.health()).oldest

        async def look(repository: AddonRepository) -> list[MissedPush] | RegistryError:
            async with gate:
                try:
                    return await self._missed(repository, oldest)
                except (AccessDenied, ProtocolViolation) as error:
                    return type(error)(f"{repository}: {error}")

        looks = [look(repository) for repository in await self._survey.discover()]
        failed = None
        for found in await all_or_none(looks):
            if isinstance(found, RegistryError):
                failed = failed or found
            else:
                for push in found:
                    yield push
        if failed is not None:
            raise failed

    async def _missed(self, repository: AddonRepository, oldest: float | None) -> list[MissedPush]:
        try:
            desired = await self._syncer.look(repository)
        except NotInRegistry:
            return []  # the last tag was deleted; what is installed stays
        record = await self._syncer.record(repository)
        announced = _Announced(self._journal, repository)
        await announced.read_more()
        if await self._is_older_than_the_journal(record, desired, oldest):
            return []
        found = []
        for tag in _suspects(desired, announced.events):
            digest = await self._digest(desired, tag)
            if digest is not None and not await announced.has(tag, digest):
                found.append(_push(repository, desired, record, tag, digest))
        return found

    async def _digest(self, desired: Desired, tag: str) -> str | None:
        """What ``tag`` points at; None where it was deleted meanwhile."""
        if tag == desired.choice.tag:
            return str(desired.digest)
        try:
            return str(await self._registry.resolve(desired.repository.name, tag))
        except NotInRegistry:
            return None

    async def _is_older_than_the_journal(
        self, record: AddonRecord | None, desired: Desired, oldest: float | None
    ) -> bool:
        """Whether what is wanted was announced, if at all, before anything that the journal still knows."""
        if record is None or record.installed is None or record.installed.digest != str(desired.digest):
            return False
        page = await self._journal.entries(Wanted(repository=record.repository, kind="sync"), limit=_MOST_SYNCS)
        syncs = [read(entry.activity) for entry in page.entries if isinstance(entry, Done)]
        for sync in syncs:
            if isinstance(sync, Outcome) and sync.status == "installed" and sync.digest == record.installed.digest:
                # Deliveries are forgotten sooner than syncs where they are large; that one had come is known.
                return sync.trigger is Trigger.EVENT and (oldest is None or sync.started < oldest)
        return oldest is None or record.installed.installed < oldest


class _Announced:
    """The events for a repository that senders have sent, the newest first; what a person replayed announces nothing.

    Read as far back as it takes to find one: that none is there is only true of all of them.
    """

    def __init__(self, journal: Journal, repository: AddonRepository) -> None:
        self._journal = journal
        self._wanted = Wanted(repository=repository.name, arrivals=True, trials=False)
        self._name = str(repository.name)
        self._before: int | None = None
        self._has_more = True
        self.events: list[Event] = []
        """Those that were read."""

    async def has(self, tag: str, digest: str) -> bool:
        """Whether one announced this push."""
        looked_at = 0
        while True:
            if any(_is_push(event, tag, digest) for event in self.events[looked_at:]):
                return True
            if not self._has_more:
                return False
            looked_at = len(self.events)
            await self.read_more()

    async def read_more(self) -> None:
        """Read a page."""
        page = await self._journal.entries(self._wanted, limit=_ARRIVALS, before=self._before)
        self._before, self._has_more = page.before, page.before is not None
        self.events += [
            event
            for arrival in page.entries
            if isinstance(arrival, Arrival) and arrival.verdict != "replayed"
            for event in arrival.events
            if announces(event, self._name)
        ]


def _suspects(desired: Desired, announced: Sequence[Event]) -> list[str]:
    """The wanted tag, and the versions above the highest that was ever announced: pushed since, one after the other."""
    known = [version for event in announced if event.tag and (version := parse_version(event.tag)) is not None]
    if not known:
        return [desired.choice.tag]
    above = [(version, tag) for tag in desired.tags if (version := parse_version(tag)) is not None]
    newer = sorted((pair for pair in above if pair[0] > max(known)), key=lambda pair: (pair[0], pair[1]))
    return list(dict.fromkeys([*(tag for _, tag in newer[-_MOST_TAGS:]), desired.choice.tag]))


def _is_push(event: Event, tag: str, digest: str) -> bool:
    """Some senders tell no digest (Docker Hub, Quay, Nexus): then the tag must do."""
    return event.digest == digest if event.digest is not None else event.tag == tag


def _push(
    repository: AddonRepository, desired: Desired, record: AddonRecord | None, tag: str, digest: str
) -> MissedPush:
    state: State = "not installed" if tag == desired.choice.tag else "superseded"
    since = None
    if record is not None and record.installed is not None and record.installed.digest == digest:
        state, since = "installed", record.installed.installed
    return MissedPush(repository=str(repository.name), tag=tag, digest=digest, state=state, installed=since)
