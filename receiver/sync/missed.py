"""Pushes that no event announced: found by a poll, counted, and told with what is most likely wrong with the sender."""

import asyncio
import logging
from collections.abc import Callable
from typing import Literal

from receiver.errors import QueueUnavailable
from receiver.sync.heard import LOOK_BACK, Heard, heard, in_words, questions, remedy
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.ports import Clock
from receiver.tasks.journal import Arrival, Journal, Wanted, announces
from receiver.tasks.task import Trigger

_log = logging.getLogger(__name__)

_ARRIVALS = 64
"""Of an addon, the newest first, among which an announcement is looked for."""
Reason = Literal["unannounced", "sender restarted", "gap"]
"""Why events are known or feared to be lost; the labels of a metric."""


class MissedEvents:
    """A listener of the workers' reports; ``missed`` is told each time.

    ``grace`` seconds are left to the event: a poll at the start is faster than a registry that tries again.
    """

    def __init__(self, *, journal: Journal, clock: Clock, missed: Callable[[Reason], None], grace: float = 0.0) -> None:
        self._journal = journal
        self._clock = clock
        self._missed = missed
        self._grace = grace
        self._asking: set[asyncio.Task[None]] = set()

    def __call__(self, report: Outcome | Surveyed) -> None:
        """Judge a release that a poll has brought."""
        if isinstance(report, Outcome) and report.status == "installed" and report.trigger is Trigger.POLL:
            if report.digest == report.replaced_digest:
                return  # a repair: nobody pushed anything
            task = asyncio.create_task(self._judge(report), name=f"missed {report.repository}")
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _judge(self, outcome: Outcome) -> None:
        since = max(outcome.replaced or 0.0, self._clock() - LOOK_BACK)
        await asyncio.sleep(self._grace)
        try:
            if await self._is_announced(since, outcome.repository):
                return
            fault = _fault(await self._heard(), await self._age())
        except QueueUnavailable as error:
            _log.error("whether an event was missed cannot be told: %s", error)
            return
        self._missed("unannounced")
        name, tag = outcome.repository, outcome.tag
        _log.warning("%s: %s was found by a poll, and no event had announced it: %s", name, tag, fault)

    async def _is_announced(self, since: float, repository: str) -> bool:
        wanted = Wanted(repository=repository, verdict="accepted", since=since, trials=False)
        page = await self._journal.entries(wanted, limit=_ARRIVALS)
        events = [event for entry in page.entries if isinstance(entry, Arrival) for event in entry.events]
        return any(announces(event, repository) for event in events)

    async def _heard(self) -> Heard:
        arrivals: list[Arrival] = []
        for wanted, most in questions(self._clock() - LOOK_BACK):
            page = await self._journal.entries(wanted, limit=most)
            arrivals += [entry for entry in page.entries if isinstance(entry, Arrival)]
        return heard(arrivals)

    async def _age(self) -> float:
        """Seconds since the first entry of the journal."""
        first = next(iter(await self._journal.entries_after(Wanted(), number=-1, limit=1)), None)
        if first is None:
            return 0.0
        return self._clock() - (first.received if isinstance(first, Arrival) else first.activity.at)


def _fault(heard: Heard, age: float) -> str:
    """What is most likely wrong, by what else arrived; ``age``: for how many seconds anything could."""
    began = f"since addon-sync began here ({in_words(age)} ago)"
    within = "within a day" if age >= LOOK_BACK else began
    refused = ""
    if heard.last_refused is not None:
        last = heard.last_refused
        refused = (
            f"{heard.refused} arrived {within} and were refused, the last from {last.address or 'nobody knows where'}: "
            f"{last.reason}; {remedy(last.reason)}"
        )
    if heard.last is not None:
        lost = (
            f"others arrived {within}, so this one was lost on the way (Distribution keeps its queue in memory; others "
            "try once), or its sender leaves this repository out"
        )
        return f"{lost}; or it is among those that were not let in: {refused}" if refused else lost
    if refused:
        return refused
    if heard.ignored:
        return (
            f"{heard.ignored} arrived {within}, and all were ignored ({heard.why_ignored}): does the registry send its "
            "pushes, and is ADDON_SYNC_REPOSITORY_PREFIX what stands before the addons' names?"
        )
    before = "" if age >= LOOK_BACK else "was it pushed before that? Else "
    return (
        f"none at all arrived {within}: {before}are notifications switched on in the registry, with this address and a "
        "valid token? See docs/how-to/connect-a-registry.md"
    )
