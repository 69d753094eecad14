"""Pushes that no event announced: found by a poll, counted, and told with what is most likely wrong with the sender."""

import asyncio
import logging
from collections.abc import Callable
from typing import Literal

from receiver.errors import QueueUnavailable
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.ports import Clock
from receiver.tasks.journal import Journal, Wanted
from receiver.tasks.task import Trigger

_log = logging.getLogger(__name__)

Reason = Literal["unannounced", "sender restarted", "gap"]
"""Why events are known or feared to be lost; the labels of a metric."""

_LOOK_BACK = 24 * 3600.0
"""Seconds of the journal in which an event of the addon, or of any, is looked for."""


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
        since = max(outcome.replaced or 0.0, self._clock() - _LOOK_BACK)
        await asyncio.sleep(self._grace)
        try:
            if await self._has_any(since, outcome.repository):
                return
            heard = await self._has_any(self._clock() - _LOOK_BACK, None)
        except QueueUnavailable as error:
            _log.error("whether an event was missed cannot be told: %s", error)
            return
        self._missed("unannounced")
        _log.warning("%s: %s was found by a poll, and no event had announced it: %s", *_words(outcome, heard=heard))

    async def _has_any(self, since: float, repository: str | None) -> bool:
        wanted = Wanted(repository=repository, verdict="accepted", since=since)
        return bool((await self._journal.entries(wanted, limit=1)).entries)


def _words(outcome: Outcome, *, heard: bool) -> tuple[str, str | None, str]:
    fault = (
        "others arrived within a day, so this one was lost on the way (Distribution keeps its queue in memory; others "
        "try once), or its sender leaves this repository out"
        if heard
        else "none at all arrived within a day: are notifications switched on in the registry, with this address and a "
        "valid token? See docs/how-to/connect-a-registry.md"
    )
    return outcome.repository, outcome.tag, fault
