"""``addon-sync import``; the module's name has an underscore, since Python keeps the word for itself."""

import logging
from pathlib import Path
from typing import Any

import click

from receiver.cli.command import Command
from receiver.cli.completion import addons
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.output import print_json
from receiver.cli.running import run
from receiver.document import outward
from receiver.report import describe_import
from receiver.sync.engine import Report
from receiver.sync.importing import Imported
from receiver.sync.request import ImportRequest

_log = logging.getLogger(__name__)


@click.command("import", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("addon", nargs=-1, shell_complete=addons)
@click.option("--allow-downgrade", is_flag=True, help="install a lower version than the installed one, too")
@click.option("--hold", is_flag=True, help="leave the addons at these releases until 'addon-sync release'")
@output_option
@settings_options()
def command(file: Path, addon: tuple[str, ...], allow_downgrade: bool, hold: bool, output: str, **options: Any) -> int:
    """Install ADDONs, or all, from FILE, the .oci.tar of an export. Asks no registry.

    Definitions only, judged and installed as from a registry, and kept for rollback. Container images and packages in
    the file are left to 'k2s addons import'. An addon that is held stays as it is. Where a registry has another
    release, the next sync or poll goes back to that one, unless the addon is held.

    \b
    Examples:
      addon-sync import K2s-1.4.0-addons-all.oci.tar
      addon-sync import K2s-1.4.0-addons-all.oci.tar monitoring 'ingress nginx'
      addon-sync import K2s-1.4.0-addons-monitoring.oci.tar --hold
    """
    settings = load_settings(options, output=output, local=True)
    found: list[Imported] = []

    def add(report: Report) -> None:
        if isinstance(report, Imported):
            found.append(report)
            level, text = describe_import(report)
            _log.log(level, "%s", text, extra={"addon": report.repository})

    path = file.absolute()
    request = ImportRequest(path=str(path), addons=addon, allow_downgrade=allow_downgrade, hold=hold)
    run(settings, request, command="import", report=add)
    _summarise(found, path)
    if output == "json":
        print_json(outward(found))
    return 1 if any(imported.status == "failed" for imported in found) else 0


def _summarise(found: list[Imported], path: Path) -> None:
    left = [f"{imported.addon} ({', '.join(imported.left_out)})" for imported in found if imported.left_out]
    if left:
        _log.info("not imported here: %s; 'k2s addons import' takes them from %s", "; ".join(left), path)
    counts = [sum(1 for imported in found if imported.status == status) for status in ("installed", "held", "failed")]
    _log.info("Addon import completed. Imported: %d, Held: %d, Failed: %d", *counts)
