"""The last that is known of each addon, kept in memory: what is asked again and again is read from the journal once."""

import asyncio
from collections.abc import Collection, Iterable, Mapping

from receiver.document import replaced
from receiver.tasks.journal import Arrival, Entry, Journal, Latest, Wanted, concerned

_MOST_NEWS = 512
"""Entries to catch up with; beyond them it is cheaper to ask for each addon."""


class Recall:
    """`Journal.latest`, of which only the first answer takes two questions for each addon.

    What the journal has trimmed since is still remembered: that it was the last is as true as before.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[str, Latest] = {}
        self._until = -1
        """The number of the entry up to which it is all known."""
        self._asking = asyncio.Lock()

    async def latest(self, repositories: Collection[str]) -> Mapping[str, Latest]:
        """The last that is known of each.

        Raises:
            QueueUnavailable: the journal cannot be read.
        """
        async with self._asking:
            await self._catch_up()
            missing = [name for name in repositories if name not in self._known]
            if missing:
                # What comes in between is seen again when catching up, which changes nothing.
                self._known.update(await self._journal.latest(missing))
            return {name: self._known[name] for name in repositories}

    async def _catch_up(self) -> None:
        if not self._known:
            self._until = await self._journal.newest()
            return
        news = await self._journal.entries_after(Wanted(), number=self._until, limit=_MOST_NEWS)
        if len(news) >= _MOST_NEWS:
            self._known.clear()
            self._until = await self._journal.newest()
        elif news:
            self._apply(news)
            self._until = news[-1].id

    def _apply(self, news: Iterable[Entry]) -> None:
        for entry in news:
            if isinstance(entry, Arrival):
                for name in concerned(entry) & self._known.keys():
                    self._known[name] = replaced(self._known[name], event=entry)
            elif entry.activity.kind == "sync" and (known := self._known.get(entry.activity.repository or "")):
                self._known[entry.activity.repository or ""] = replaced(known, sync=entry)
