"""What a request for syncs came to: its outcomes, its errors, and the counts. For people, programs and exit codes."""

from collections.abc import Sequence

from receiver.document import Value
from receiver.report import summary
from receiver.sync.engine import Planned, Report
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.replayed import Replayed


class Summary(Value, frozen=True, kw_only=True):
    """How many addons came to what."""

    synced: int
    skipped: int
    failed: int


class Result(Value, frozen=True, kw_only=True):
    """What became of each addon, as far as it is known."""

    summary: Summary
    errors: Sequence[str]
    """Why not all addons could be looked at."""
    addons: Sequence[Outcome]
    planned: Sequence[Planned]
    """What a replay would lead to, where only that was asked."""
    replayed: Replayed | None
    left_out: int
    """Outcomes and plans that are counted and not listed."""


class Tally:
    """Takes reports in. ``named``: addons were asked for by name, so one that is not in the registry is a failure.

    ``most`` outcomes are listed; of more, only the number is kept.
    """

    def __init__(self, *, named: bool = False, most: int | None = None) -> None:
        self._named = named
        self._most = most
        self._counts = (0, 0, 0)
        self._errors: list[str] = []
        self._outcomes: list[Outcome] = []
        self._planned: list[Planned] = []
        self._replayed: Replayed | None = None
        self._left_out = 0

    def __len__(self) -> int:
        return len(self._outcomes) + len(self._planned)

    def add(self, report: Report) -> None:
        """Take a report."""
        if isinstance(report, Outcome):
            self._count(summary([report]) if not self.is_failure(report) else (0, 0, 1))
            if self._has_room():
                self._outcomes.append(report)
        elif isinstance(report, Planned):
            if self._has_room():
                self._planned.append(report)
        elif isinstance(report, Surveyed):
            self._survey(report)
        elif isinstance(report, Replayed):
            self._replay(report)

    def is_failure(self, outcome: Outcome) -> bool:
        """Whether somebody must know."""
        return outcome.status == "failed" or (outcome.status == "absent" and self._named)

    @property
    def has_failed(self) -> bool:
        """Whether anything did, or could not be read."""
        return bool(self._counts[2] or (self._replayed is not None and self._replayed.problems))

    def result(self) -> Result:
        """All of it so far."""
        synced, skipped, failed = self._counts
        return Result(
            summary=Summary(synced=synced, skipped=skipped, failed=failed),
            errors=tuple(self._errors),
            addons=tuple(self._outcomes),
            planned=tuple(self._planned),
            replayed=self._replayed,
            left_out=self._left_out,
        )

    def _has_room(self) -> bool:
        full = self._most is not None and len(self) >= self._most
        self._left_out += full
        return not full

    def _count(self, more: tuple[int, int, int]) -> None:
        synced, skipped, failed = (before + after for before, after in zip(self._counts, more, strict=True))
        self._counts = (synced, skipped, failed)

    def _survey(self, surveyed: Surveyed) -> None:
        self._count((0, surveyed.unchanged, 0))
        if surveyed.error is not None:
            self._count((0, 0, 1))
            self._errors.append(surveyed.error)

    def _replay(self, replayed: Replayed) -> None:
        if self._replayed is None:
            self._replayed = replayed
        else:
            self._replayed.documents += replayed.documents
            self._replayed.problems += replayed.problems
