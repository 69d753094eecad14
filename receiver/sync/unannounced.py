"""Pushes that no event announced, found by comparing the registry with the journal and the catalogue."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Literal

from receiver.addon import AddonRepository, parse_version
from receiver.catalog.record import AddonRecord
from receiver.document import Moment, Value
from receiver.errors import NotInRegistry
from receiver.sync.ports import Registry
from receiver.sync.survey import Survey
from receiver.sync.syncer import Desired, Syncer
from receiver.tasks.journal import Arrival, Event, Journal, Wanted

_MOST_ARRIVALS = 512
"""Of an addon, the newest first, in which a push is looked for."""
_MOST_TAGS = 20
"""Newer tags of an addon that are looked at besides the wanted one."""
_SIDE_BY_SIDE = 4

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

        async def look(repository: AddonRepository) -> list[MissedPush]:
            async with gate:
                return await self._missed(repository)

        for found in await asyncio.gather(*(look(repository) for repository in await self._survey.discover())):
            for push in found:
                yield push

    async def _missed(self, repository: AddonRepository) -> list[MissedPush]:
        try:
            desired = await self._syncer.look(repository)
        except NotInRegistry:
            return []  # the last tag was deleted; what is installed stays
        record = await self._syncer.record(repository)
        page = await self._journal.entries(Wanted(repository=repository.name, arrivals=True), limit=_MOST_ARRIVALS)
        arrivals = [entry for entry in page.entries if isinstance(entry, Arrival)]
        announced = _announced(repository, arrivals)
        if await self._is_older_than_the_journal(record, desired):
            return []
        found = []
        for tag in _suspects(desired, announced):
            digest = str(desired.digest)
            if tag != desired.choice.tag:
                digest = str(await self._registry.resolve(repository.name, tag))
            if not any(_announces(event, tag, digest) for event in announced):
                found.append(_push(repository, desired, record, tag, digest))
        return found

    async def _is_older_than_the_journal(self, record: AddonRecord | None, desired: Desired) -> bool:
        """Whether what is wanted was installed before anything that the journal still knows: then nobody can tell."""
        if record is None or record.installed is None or record.installed.digest != str(desired.digest):
            return False
        oldest = (await self._journal.health()).oldest
        return oldest is None or record.installed.installed < oldest


def _announced(repository: AddonRepository, arrivals: Sequence[Arrival]) -> list[Event]:
    """The events for ``repository`` that senders have sent; what a person replayed announces nothing."""
    return [
        event
        for arrival in arrivals
        if arrival.verdict != "replayed"
        for event in arrival.events
        if event.repository == repository.name
    ]


def _suspects(desired: Desired, announced: Sequence[Event]) -> list[str]:
    """The wanted tag, and the versions above the highest that was ever announced: pushed since, one after the other."""
    known = [version for event in announced if event.tag and (version := parse_version(event.tag)) is not None]
    if not known:
        return [desired.choice.tag]
    above = [(version, tag) for tag in desired.tags if (version := parse_version(tag)) is not None]
    newer = sorted((pair for pair in above if pair[0] > max(known)), key=lambda pair: (pair[0], pair[1]))
    return list(dict.fromkeys([*(tag for _, tag in newer[-_MOST_TAGS:]), desired.choice.tag]))


def _announces(event: Event, tag: str, digest: str) -> bool:
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
