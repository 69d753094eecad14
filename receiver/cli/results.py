"""What became of a request: a line for each addon as it ends, the counts at the end, and the exit code."""

import logging
from collections.abc import Sequence
from typing import Any

from receiver.cli.output import print_json
from receiver.document import outward
from receiver.report import describe
from receiver.sync.engine import Report
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.replayed import Replayed
from receiver.sync.tally import Tally

_log = logging.getLogger(__name__)


class Results:
    """Collects reports; ``named``: addons were asked for by name, so one that is not in the registry is a failure."""

    def __init__(self, *, named: bool = False) -> None:
        self._tally = Tally(named=named)

    def add(self, report: Report) -> None:
        """Take a report, and say it."""
        self._tally.add(report)
        if isinstance(report, Outcome):
            level, text = describe(report)
            level = logging.ERROR if self._tally.is_failure(report) else level
            _log.log(level, "%s", text, extra={"addon": report.repository})
        elif isinstance(report, Surveyed):
            _say(report)
        elif isinstance(report, Replayed):
            for problem in report.problems:
                _log.warning("cannot be replayed: %s", problem)

    @property
    def replayed(self) -> Replayed | None:
        """What a replay has found, where there was one."""
        return self._tally.result().replayed

    @property
    def errors(self) -> Sequence[str]:
        """Why there was nothing to work on."""
        return self._tally.result().errors

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to work on, and no error that says why."""
        found = self._tally.result()
        return not (found.errors or found.addons or any((found.summary.skipped, found.summary.failed)))

    def finish(self, output: str, *, more: dict[str, Any] | None = None, counts: bool = True) -> int:
        """Print the counts, and ``more`` members of the document for programs; the exit code."""
        found = self._tally.result().summary
        if counts:
            _log.info(
                "Addon sync completed. Synced: %d, Skipped (unchanged): %d, Failed: %d",
                found.synced,
                found.skipped,
                found.failed,
            )
        if output == "json":
            print_json({**self._document(), **(more or {})})
        return 1 if self._tally.has_failed else 0

    def _document(self) -> dict[str, Any]:
        result = self._tally.result()
        document = {
            "summary": outward(result.summary),
            "errors": list(result.errors),
            "addons": outward(result.addons),
        }
        return document if result.replayed is None else {**document, "replayed": outward(result.replayed)}


def _say(surveyed: Surveyed) -> None:
    if surveyed.error is not None:
        _log.error("%s", surveyed.error)
    if surveyed.held:
        names = ", ".join(surveyed.held)
        _log.warning("held, so the registry was not asked about: %s; 'addon-sync release ADDON' ends a hold", names)
    if surveyed.absent:
        _log.info("not in the registry, what is installed of it stays: %s", ", ".join(surveyed.absent))
