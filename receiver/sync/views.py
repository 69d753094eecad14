"""Answers: where addons stand and why, what arrived and was done, what is parked. Nothing changes by asking."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence

from receiver.addon import AddonRepository
from receiver.catalog.record import KeptRelease
from receiver.document import Moment, Value
from receiver.errors import InvalidNameError, NotInstalled, ReceiverError
from receiver.sync.chronicle import read
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.ports import Catalogue, Clock
from receiver.sync.recall import Recall
from receiver.sync.request import (
    EventsRequest,
    HealthRequest,
    HistoryRequest,
    ParkedRequest,
    StatusRequest,
    TasksRequest,
    ViewRequest,
    WhyRequest,
)
from receiver.sync.seen import (
    event_facts,
    first_announcements,
    last_seen,
    look_times,
    outcome_of,
    poll_of,
    sync_facts,
    sync_of,
)
from receiver.sync.status import (
    AddonStatus,
    DesiredFacts,
    EventFacts,
    Facts,
    HoldFacts,
    InstalledFacts,
    statuses,
)
from receiver.sync.story import Story, steps
from receiver.sync.survey import Survey
from receiver.tasks.journal import Arrival, Done, Entry, Health, Journal, Page, StoredDelivery, Wanted
from receiver.tasks.queue import TaskQueue
from receiver.tasks.task import EVERYTHING, State, Task

_STORY_ENTRIES = 30
_MOST_CAUSES = 10
_MOST_SYNCS = 50
"""Of an addon, among which the last that changed something is looked for."""
_MOST_ARRIVALS = 512
"""Of one addon, in which the announcements of its kept releases are looked for."""
_FOLLOWED = 256
"""Entries read at once while following."""
_HEARTBEAT = 15.0
"""Seconds without news after which the journal is read all the same."""


class Parked(Value, frozen=True):
    """A task that is not tried again by itself."""

    repository: str
    digest: str | None
    error: str | None
    attempts: int
    since: Moment


class ReleaseFacts(Value, frozen=True):
    """A release that is kept; ``arrived`` in seconds since the epoch."""

    tag: str
    version: str | None
    digest: str
    arrived: Moment
    installed: bool
    event: EventFacts | None = None
    """The first delivery that announced this digest; None where none did, or it is not in the journal any more."""


class QueueHealth(Value, frozen=True):
    """How queue and journal are."""

    tasks: Mapping[str, int]
    """How many in each state."""
    journal: Health


View = AddonStatus | Surveyed | Story | ReleaseFacts | Arrival | Done | Parked | Task | QueueHealth


class Views:
    """Answers from queue, journal and catalogue; ``next_poll`` tells when, in seconds since the epoch."""

    def __init__(
        self,
        *,
        queue: TaskQueue,
        journal: Journal,
        catalogue: Catalogue,
        survey: Survey,
        prefix: str,
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._journal = journal
        self._recall = Recall(journal)
        self._catalogue = catalogue
        self._survey = survey
        self._prefix = prefix
        self._clock = clock
        self.next_poll: Callable[[], float | None] = lambda: None
        """Set by who polls."""

    async def answer(self, request: ViewRequest) -> AsyncGenerator[View, None]:
        """Answer ``request``.

        Raises:
            InvalidNameError: an addon has no possible name.
            QueueUnavailable, InstallError: what is known cannot be read.
        """
        if isinstance(request, EventsRequest):
            async for entry in self._events(request):
                yield entry
        else:
            for view in await self._listed(request):
                yield view

    async def _listed(
        self, request: StatusRequest | WhyRequest | HistoryRequest | ParkedRequest | TasksRequest | HealthRequest
    ) -> Sequence[View]:
        match request:
            case StatusRequest():
                found, failure = await self.look(request.addon, ask=request.ask)
                return found if failure is None else [*found, failure]
            case WhyRequest():
                return [await self.story(request.addon)]
            case HistoryRequest():
                return await self.history(request.addon)
            case ParkedRequest():
                return await self.parked()
            case TasksRequest():
                return await self._queue.tasks()
            case HealthRequest():
                return [await self.health()]

    async def statuses(self, addon: str | None = None, *, ask: bool) -> list[AddonStatus]:
        """Where ``addon`` stands, or each; without ``ask``, what is desired is what was last seen."""
        found, _ = await self.look(addon, ask=ask)
        return found

    async def look(self, addon: str | None = None, *, ask: bool) -> tuple[list[AddonStatus], Surveyed | None]:
        """As `statuses`; and, where the registry could not say which addons it has, why: others may be missing."""
        started = self._clock()
        name = None if addon is None else str(AddonRepository.named(addon, prefix=self._prefix).name)
        tasks = [task for task in await self._queue.tasks() if name in {None, task.repository}]
        installed, holds = await asyncio.to_thread(self._local, name)
        polled = poll_of(await self._recall.look())
        names = {*installed, *holds, *(task.repository for task in tasks), *([] if name is None else [name])}
        names -= {EVERYTHING}
        desired, error = await self._asked(names, discover=name is None) if ask else ({}, None)
        names |= set(desired)
        latest = await self._recall.latest(names)
        syncs = {name: sync for name, found in latest.items() if (sync := sync_of(found)) is not None}
        found = await self._recall.looks(names)
        looks = {name: look for name, done in found.items() if (look := outcome_of(done)) is not None}
        if not ask:
            desired = last_seen(installed, looks, polled)
        facts = Facts(
            installed=installed,
            desired=desired,
            tasks=tasks,
            holds=holds,
            events={name: event for name, found in latest.items() if (event := event_facts(name, found)) is not None},
            syncs={name: sync_facts(latest[name], sync) for name, sync in syncs.items()},
            looks=look_times(names, looks, polled),
            next_poll=self.next_poll(),
            named=name,
        )
        failure = None if error is None else Surveyed(started=started, duration=self._clock() - started, error=error)
        return statuses(facts), failure

    async def story(self, addon: str) -> Story:
        """All about ``addon``."""
        repository = str(AddonRepository.named(addon, prefix=self._prefix).name)
        (status,) = [row for row in await self.statuses(addon, ask=False) if row.repository == repository]
        page = await self._journal.entries(Wanted(repository=repository), limit=_STORY_ENTRIES)
        syncs = await self._syncs(repository)
        # What a look without news would hide: how the addon came to be as it is.
        told = next((sync for sync in syncs if sync.status != "unchanged"), syncs[0] if syncs else None)
        causes = await self._causes(repository, told) if told is not None else []
        later = syncs[0] if syncs and syncs[0] is not told else None
        later_causes = await self._causes(repository, later) if later is not None else []
        found = steps(status, told, causes, later, later_causes)
        return Story(status=status, steps=found, entries=page.entries)

    async def history(self, addon: str) -> list[ReleaseFacts]:
        """The releases of ``addon`` that are kept, the newest arrival first.

        Raises:
            NotInstalled: there never was one.
        """
        repository = AddonRepository.named(addon, prefix=self._prefix)
        record = await asyncio.to_thread(self._catalogue.record, str(repository.leaf))
        if record is None:
            raise NotInstalled(f"nothing was ever installed from {repository}; 'addon-sync ls' tells what is there")
        announcing = Wanted(repository=str(repository.name), arrivals=True, trials=False)
        page = await self._journal.entries(announcing, limit=_MOST_ARRIVALS)
        first = first_announcements(str(repository.name), page.entries)
        installed = record.installed.digest if record.installed is not None else None
        return [
            ReleaseFacts(
                tag=kept.tag,
                version=kept.version,
                digest=kept.digest,
                arrived=kept.arrived,
                installed=kept.digest == installed,
                event=first.get(kept.digest),
            )
            for kept in record.kept
        ]

    async def tasks(self) -> list[Task]:
        """The queue."""
        return list(await self._queue.tasks())

    async def page(self, request: EventsRequest) -> Page:
        """Entries of the journal, the newest first; fewer than the limit where others lie between."""
        return await self._journal.entries(request.wanted, limit=request.limit, before=request.before)

    async def entry(self, number: int) -> Entry | None:
        """The entry with this number."""
        found = await self._journal.entries_after(Wanted(), number=number - 1, limit=1)
        return found[0] if found and found[0].id == number else None

    async def delivery(self, number: int) -> StoredDelivery | None:
        """The delivery with this number, where its body is kept."""
        return await self._journal.delivery(number)

    async def after(self, number: int, *, limit: int) -> Sequence[Entry]:
        """Entries with numbers above ``number``, the oldest first."""
        return await self._journal.entries_after(Wanted(), number=number, limit=limit)

    async def newest(self) -> int:
        """The number of the newest entry; -1 where there is none."""
        return await self._journal.newest()

    async def news(self, seconds: float) -> None:
        """Return when there is a new entry, or after ``seconds``."""
        await self._journal.news(seconds)

    async def kept(self, addon: str) -> Sequence[KeptRelease]:
        """The releases of ``addon`` that can be brought back, the newest arrival first, the installed one included."""
        leaf = str(AddonRepository.named(addon, prefix=self._prefix).leaf)
        record = await asyncio.to_thread(self._catalogue.record, leaf)
        return () if record is None else record.kept

    async def parked(self) -> list[Parked]:
        """What is not tried again by itself."""
        return [_parked(task) for task in await self._queue.tasks() if task.state is State.PARKED]

    async def health(self) -> QueueHealth:
        """How queue and journal are."""
        counts = dict.fromkeys((state.value for state in State), 0)
        for task in await self._queue.tasks():
            counts[task.state.value] += 1
        return QueueHealth(tasks=counts, journal=await self._journal.health())

    async def _events(self, request: EventsRequest) -> AsyncGenerator[Arrival | Done, None]:
        if not request.follow:
            for entry in reversed(await self._page(request, request.before)):
                yield entry
            return
        start = await self._journal.newest()
        for entry in reversed(await self._page(request, start + 1)):
            yield entry
        seen = -1
        while True:
            seen = await self._journal.news(_HEARTBEAT, seen=seen)
            more = True
            while more:
                entries = await self._journal.entries_after(request.wanted, number=start, limit=_FOLLOWED)
                more = len(entries) == _FOLLOWED
                for entry in entries:
                    start = entry.id
                    yield entry

    async def _page(self, request: EventsRequest, before: int | None) -> list[Entry]:
        """The last entries that are wanted, however many others lie between."""
        found: list[Entry] = []
        while len(found) < request.limit:
            page = await self._journal.entries(request.wanted, limit=request.limit - len(found), before=before)
            found += page.entries
            if (before := page.before) is None:
                break
        return found

    async def _syncs(self, repository: str) -> list[Outcome]:
        """The last syncs of an addon, the newest first."""
        page = await self._journal.entries(Wanted(repository=repository, kind="sync"), limit=_MOST_SYNCS)
        deeds = [read(entry.activity) for entry in page.entries if isinstance(entry, Done)]
        return [deed for deed in deeds if isinstance(deed, Outcome)]

    async def _causes(self, repository: str, sync: Outcome) -> list[Arrival]:
        """The arrivals that a sync answers: from when it was asked for until it began."""
        wanted = Wanted(repository=repository, arrivals=True, since=sync.asked, until=sync.started + 0.001)
        page = await self._journal.entries(wanted, limit=_MOST_CAUSES)
        return [entry for entry in reversed(page.entries) if isinstance(entry, Arrival)]

    def _local(self, name: str | None) -> tuple[dict[str, InstalledFacts], dict[str, HoldFacts]]:
        installed, holds = dict[str, InstalledFacts](), dict[str, HoldFacts]()
        for record in self._catalogue.records():
            if name not in {None, record.repository}:
                continue
            if record.hold is not None:
                holds[record.repository] = HoldFacts(since=record.hold.since, reason=record.hold.reason)
            if record.installed is not None:
                installed[record.repository] = InstalledFacts(
                    tag=record.installed.tag,
                    version=record.installed.version,
                    digest=record.installed.digest,
                    installed=record.installed.installed,
                    present=self._catalogue.is_present(record),
                    replaced=tuple(self._catalogue.replaced(record)),
                )
        return installed, holds

    async def _asked(self, names: Collection[str], *, discover: bool) -> tuple[Mapping[str, DesiredFacts], str | None]:
        """What the registry wants of ``names`` and, with ``discover``, of all that it lists; errors are facts too.

        Besides, why it could not list any.
        """
        found = dict.fromkeys(name for name in names if self._is_addon(name))
        if discover:
            try:
                found |= {str(repository.name): None for repository in await self._survey.discover()}
            except ReceiverError as error:
                return {name: DesiredFacts(error=str(error)) for name in found}, str(error)
        return await self._survey.desired(list(found)), None

    def _is_addon(self, name: str) -> bool:
        try:
            AddonRepository.parse(name, prefix=self._prefix)
        except InvalidNameError:
            return False
        return True


def _parked(task: Task) -> Parked:
    return Parked(
        repository=task.repository, digest=task.digest, error=task.error, attempts=task.attempts, since=task.due
    )
