"""Writes down in the journal what was done, and reads it again: syncs, polls, what operators asked for."""

import asyncio
import logging

from receiver.document import InvalidDocument, convert, encode, parse
from receiver.errors import QueueUnavailable
from receiver.sync.importing import Imported
from receiver.sync.operations import Changed, Verified
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.ports import Clock
from receiver.tasks.journal import Activity, Journal

_log = logging.getLogger(__name__)

LOOKED = "looked"
"""The outcome of a poll that could compare."""
_SAME_FAILURE = 3600.0
"""Seconds in which a poll that fails as the one before is not written down again: an outage has thousands of them."""

Deed = Outcome | Surveyed | Changed | Verified | Imported


_OPERATIONS: dict[str, type[Deed]] = {
    "failed": Verified,
    "repaired": Verified,
    "imported": Imported,
    "not imported": Imported,
}
"""What an operation with this outcome was; else an operator's change."""


class Chronicle:
    """A listener of workers and operations. What is told in one moment is written in one go."""

    def __init__(self, journal: Journal, *, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._told: list[Activity] = []
        self._writing: asyncio.Task[None] | None = None
        self._failed: tuple[str | None, float] = (None, 0.0)
        """How the last poll failed, and when that was written."""

    def __call__(self, deed: Deed) -> None:
        """Write it down, soon."""
        if isinstance(deed, Verified) and not deed.repaired and deed.error is None:
            return  # a look changes nothing
        if isinstance(deed, Surveyed) and self._is_told(deed):
            return
        self._told.append(written(deed, at=self._clock()))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="chronicle")

    def _is_told(self, polled: Surveyed) -> bool:
        """Whether ``polled`` failed as the one before, which was written down not long ago."""
        error, at = self._failed
        if polled.error is not None and polled.error == error and abs(self._clock() - at) < _SAME_FAILURE:
            return True
        self._failed = (polled.error, self._clock())
        return False

    async def settle(self) -> None:
        """All that was told is written."""
        if self._writing is not None:
            await asyncio.wait({self._writing})

    async def _write(self) -> None:
        while self._told:
            some, self._told = self._told, []
            try:
                await self._journal.record(some)
            except QueueUnavailable as error:
                _log.error("what was done could not be written into the journal (%d entries): %s", len(some), error)


def written(deed: Deed, *, at: float) -> Activity:
    """The entry for ``deed``, which ended ``at`` (seconds since the epoch)."""
    document = encode(deed)
    if isinstance(deed, Outcome):
        return Activity(at=at, kind="sync", outcome=deed.status, repository=str(deed.repository), document=document)
    if isinstance(deed, Surveyed):
        outcome = "failed" if deed.error is not None else LOOKED
        return Activity(at=at, kind="poll", outcome=outcome, repository=None, document=document)
    if isinstance(deed, Imported):
        outcome = "imported" if deed.status == "installed" else "not imported"
    else:
        outcome = deed.action if isinstance(deed, Changed) else ("failed" if deed.error else "repaired")
    return Activity(at=at, kind="operation", outcome=outcome, repository=str(deed.repository), document=document)


def read(activity: Activity) -> Deed | None:
    """What was done; None where another version wrote it in a way that this one cannot read."""
    shape: type[Deed] = Outcome if activity.kind == "sync" else Surveyed
    if activity.kind == "operation":
        shape = _OPERATIONS.get(activity.outcome, Changed)
    try:
        return convert(parse(activity.document), shape)
    except InvalidDocument as error:
        _log.debug("an entry of the journal cannot be read: %s", error)
        return None
