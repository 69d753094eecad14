"""Carries out an operator's change of one addon and says what became of it."""

import logging
from typing import Any

from receiver.cli.options import load_settings
from receiver.cli.output import print_json
from receiver.cli.running import run
from receiver.document import outward
from receiver.report import describe_change
from receiver.sync.engine import Report
from receiver.sync.operations import Changed
from receiver.sync.request import OperatorRequest

_log = logging.getLogger(__name__)


def change(request: OperatorRequest, *, command: str, output: str, options: dict[str, Any]) -> int:
    """Carry out ``request``, which answers with one `Changed`; the exit code.

    Raises:
        ReceiverError: it could not be done; the text says why.
    """
    settings = load_settings(options, output=output, local=True)
    changes: list[Changed] = []

    def add(report: Report) -> None:
        if isinstance(report, Changed):
            changes.append(report)
            _log.info("%s", describe_change(report), extra={"addon": report.repository})
            if report.warning:
                _log.warning("%s: %s", report.repository, report.warning, extra={"addon": report.repository})

    run(settings, request, command=command, report=add)
    if output == "json":
        print_json(outward(changes))
    return 0
