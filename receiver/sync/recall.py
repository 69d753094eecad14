"""The last that is known of each addon and of polls, kept in memory: what is asked again and again is read once."""

import asyncio
from collections.abc import Collection, Iterable, Mapping

from receiver.document import replaced
from receiver.sync.chronicle import LOOKED
from receiver.sync.seen import has_looked, outcome_of
from receiver.tasks.journal import Arrival, Done, Entry, Journal, Latest, Wanted, concerned, is_trial

_MOST_NEWS = 512
"""Entries to catch up with; beyond them it is cheaper to ask for each addon."""
_MOST_SYNCS = 50
"""Of an addon, among which the last that the registry answered is looked for."""
_POLLS = 100
"""Looked through at once for the last one that could compare: an outage may have left thousands after it."""


class Recall:
    """`Journal.latest`, of which only the first answer takes two questions for each addon.

    What the journal has trimmed since is still remembered: that it was the last is as true as before.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[str, Latest] = {}
        self._until = -1
        """The number of the entry up to which it is all known."""
        self._looks: dict[str, Done | None] = {}
        self._look: Done | None = None
        self._has_sought = False
        """Whether ``look`` is known, be it that there was none."""
        self._asking = asyncio.Lock()

    async def latest(self, repositories: Collection[str]) -> Mapping[str, Latest]:
        """The last that is known of each.

        Raises:
            QueueUnavailable: the journal cannot be read.
        """
        async with self._asking:
            return await self._latest(repositories)

    async def looks(self, repositories: Collection[str]) -> Mapping[str, Done]:
        """The last sync of each that the registry answered, also where later ones could not ask; not all have one.

        Raises:
            QueueUnavailable: the journal cannot be read.
        """
        async with self._asking:
            latest = await self._latest(repositories)
            for name in repositories:
                if name not in self._looks:
                    self._looks[name] = await self._last_look(name, latest[name].sync)
            return {name: look for name in repositories if (look := self._looks[name]) is not None}

    async def _latest(self, repositories: Collection[str]) -> Mapping[str, Latest]:
        await self._catch_up()
        missing = [name for name in repositories if name not in self._known]
        if missing:
            # What comes in between is seen again when catching up, which changes nothing.
            self._known.update(await self._journal.latest(missing))
        return {name: self._known[name] for name in repositories}

    async def _last_look(self, repository: str, last: Done | None) -> Done | None:
        if last is None or _is_look(last):
            return last
        page = await self._journal.entries(Wanted(repository=repository, kind="sync"), limit=_MOST_SYNCS)
        return next((entry for entry in page.entries if isinstance(entry, Done) and _is_look(entry)), None)

    async def look(self) -> Done | None:
        """The last poll that could compare, however many failed since.

        Raises:
            QueueUnavailable: the journal cannot be read.
        """
        async with self._asking:
            await self._catch_up()
            if not self._has_sought:
                self._look = await self._sought()
                self._has_sought = True
            return self._look

    async def _sought(self) -> Done | None:
        before: int | None = None
        while True:
            page = await self._journal.entries(Wanted(kind="poll"), limit=_POLLS, before=before)
            for entry in page.entries:
                if isinstance(entry, Done) and entry.activity.outcome == LOOKED:
                    return entry
            if (before := page.before) is None:
                return None

    async def _catch_up(self) -> None:
        if not self._known and not self._has_sought:
            self._until = await self._journal.newest()
            return
        news = await self._journal.entries_after(Wanted(), number=self._until, limit=_MOST_NEWS)
        if len(news) >= _MOST_NEWS:
            self._known.clear()
            self._looks.clear()
            self._has_sought = False
            self._until = await self._journal.newest()
        elif news:
            self._apply(news)
            self._until = news[-1].id

    def _apply(self, news: Iterable[Entry]) -> None:
        for entry in news:
            if isinstance(entry, Arrival):
                if is_trial(entry):
                    continue
                for name in concerned(entry) & self._known.keys():
                    self._known[name] = replaced(self._known[name], event=entry)
            elif entry.activity.kind == "poll":
                if entry.activity.outcome == LOOKED:
                    self._look = entry
            elif entry.activity.kind == "sync" and (known := self._known.get(entry.activity.repository or "")):
                name = entry.activity.repository or ""
                self._known[name] = replaced(known, sync=entry)
                if name in self._looks and _is_look(entry):
                    self._looks[name] = entry


def _is_look(done: Done) -> bool:
    sync = outcome_of(done)
    return sync is not None and has_looked(sync)
