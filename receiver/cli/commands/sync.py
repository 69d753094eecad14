"""``addon-sync sync``."""

import logging
from typing import Any

import click

from receiver.cli.command import Command
from receiver.cli.completion import addons
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.results import Results
from receiver.cli.running import run
from receiver.sync.request import SyncRequest

_log = logging.getLogger(__name__)


@click.command("sync", cls=Command)
@click.argument("addon", nargs=-1, shell_complete=addons)
@click.option("--check-digest/--no-check-digest", default=False, help="skip addons whose digest is installed already")
@click.option("--allow-downgrade", is_flag=True, help="install a lower version than the installed one at once")
@output_option
@settings_options()
def command(addon: tuple[str, ...], check_digest: bool, allow_downgrade: bool, output: str, **options: Any) -> int:
    """Pull and install ADDONs now (the last part of their repositories), or all that the registry has.

    A lower version than the installed one is installed when the registry still wants it after a minute.

    \b
    Examples:
      addon-sync sync
      addon-sync sync monitoring ingress-nginx
      addon-sync sync --check-digest
    """
    settings = load_settings(options, output=output)
    results = Results(named=bool(addon))
    run(
        settings,
        SyncRequest(addons=addon, force=not check_digest, allow_downgrade=allow_downgrade),
        command="sync",
        report=results.add,
    )
    if results.is_empty:
        _log.info("the registry has no repository below %s", settings.repository_prefix)
    return results.finish(output)
