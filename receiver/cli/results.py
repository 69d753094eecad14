"""What became of a request: a line for each addon as it ends, the counts at the end, and the exit code."""

import logging
from dataclasses import asdict
from typing import Any

from receiver.cli.output import print_json
from receiver.documents import outcome_document
from receiver.report import describe, summary
from receiver.sync.engine import Report
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.replay import Replayed

_log = logging.getLogger(__name__)


class Results:
    """Collects reports; ``named``: addons were asked for by name, so one that is not in the registry is a failure."""

    def __init__(self, *, named: bool = False) -> None:
        self._named = named
        self._outcomes: list[Outcome] = []
        self._unchanged = 0
        self.errors: list[str] = []
        """Why there was nothing to work on."""
        self.replayed: Replayed | None = None

    def add(self, report: Report) -> None:
        """Take a report, and say it."""
        if isinstance(report, Outcome):
            self._outcomes.append(report)
            level, text = describe(report)
            _log.log(
                logging.ERROR if self._is_failure(report) else level, "%s", text, extra={"addon": report.repository}
            )
        elif isinstance(report, Surveyed):
            self._unchanged += report.unchanged
            if report.error is not None:
                self.errors.append(report.error)
                _log.error("%s", report.error)
        elif isinstance(report, Replayed):
            self._replay(report)

    def finish(self, output: str, *, more: dict[str, Any] | None = None, counts: bool = True) -> int:
        """Print the counts, and ``more`` members of the document for programs; the exit code."""
        absent = sum(1 for outcome in self._outcomes if outcome.status == "absent" and self._named)
        synced, skipped, failed = summary(self._outcomes, unchanged=self._unchanged)
        skipped, failed = skipped - absent, failed + absent + len(self.errors)
        if counts:
            _log.info("Addon sync completed. Synced: %d, Skipped (unchanged): %d, Failed: %d", synced, skipped, failed)
        if output == "json":
            print_json({**self._document(synced, skipped, failed), **(more or {})})
        problems = self.replayed.problems if self.replayed else []
        return 1 if failed or problems else 0

    def _is_failure(self, outcome: Outcome) -> bool:
        return outcome.status == "failed" or (outcome.status == "absent" and self._named)

    def _replay(self, replayed: Replayed) -> None:
        if self.replayed is None:
            self.replayed = replayed
        else:
            self.replayed.documents += replayed.documents
            self.replayed.problems += replayed.problems
        for problem in replayed.problems:
            _log.warning("cannot be replayed: %s", problem)

    def _document(self, synced: int, skipped: int, failed: int) -> dict[str, Any]:
        document: dict[str, Any] = {
            "summary": {"synced": synced, "skipped": skipped, "failed": failed},
            "errors": self.errors,
            "addons": [outcome_document(outcome) for outcome in self._outcomes],
        }
        if self.replayed is not None:
            document["replayed"] = asdict(self.replayed)
        return document
