"""``addon-sync verify``."""

import logging
from typing import Any

import click

from receiver.cli.command import Command
from receiver.cli.completion import addons
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.output import print_json, print_table
from receiver.cli.running import run
from receiver.document import outward
from receiver.sync.engine import Report
from receiver.sync.operations import Verified
from receiver.sync.request import VerifyRequest

_log = logging.getLogger(__name__)


@click.command("verify", cls=Command)
@click.argument("addon", nargs=-1, shell_complete=addons)
@click.option("--repair", is_flag=True, help="bring back the release that is installed; edited files go to the backups")
@output_option
@settings_options()
def command(addon: tuple[str, ...], repair: bool, output: str, **options: Any) -> int:
    """Compare every file that was delivered of ADDONs, or of all, with what is there: missing, changed, mode.

    Exit code 1 where something differs and was not repaired. Local files are nobody's business. A repair needs no
    registry, and leaves a held addon at the release that it is held at.

    \b
    Examples:
      addon-sync verify
      addon-sync verify monitoring --repair
    """
    settings = load_settings(options, output=output, local=True)
    found: list[Verified] = []

    def add(report: Report) -> None:
        if isinstance(report, Verified):
            found.append(report)

    run(settings, VerifyRequest(addons=addon, repair=repair), command="verify", report=add)
    if output == "json":
        print_json(outward(found))
    else:
        _print(found)
    return 1 if any(verified.error or (verified.drift and not verified.repaired) for verified in found) else 0


def _print(found: list[Verified]) -> None:
    rows = [
        (verified.repository, drift.path, drift.problem + (", repaired" if verified.repaired else ""))
        for verified in found
        for drift in verified.drift
    ]
    if rows:
        print_table(("ADDON", "FILE", "PROBLEM"), rows)
    for verified in found:
        if verified.error:
            _log.error("%s: %s", verified.repository, verified.error, extra={"addon": verified.repository})
        if verified.kept:
            _log.warning(
                "%s: %d changed files kept in the backups",
                verified.repository,
                len(verified.kept),
                extra={"addon": verified.repository},
            )
    _log.info("%s", _counted(found, len(rows)))


def _counted(found: list[Verified], differing: int) -> str:
    failed = sum(1 for verified in found if verified.error and not verified.drift)
    verified = len(found) - failed
    counts = [f"{verified} addons verified"]
    if failed:
        counts.append(f"{failed} could not be")
    if verified or not failed:
        repaired = sum(1 for one in found if one.repaired)
        counts += [f"{differing} files differ", f"{repaired} addons repaired"]
    return ", ".join(counts)
