"""``addon-sync uninstall``."""

from typing import Any

import click

from receiver.cli.changes import change
from receiver.cli.command import Command
from receiver.cli.completion import addons
from receiver.cli.options import output_option, settings_options
from receiver.sync.request import UninstallRequest


@click.command("uninstall", cls=Command)
@click.argument("addon", shell_complete=addons)
@output_option
@settings_options(local=True)
def command(addon: str, output: str, **options: Any) -> int:
    """Remove what was delivered of ADDON, and hold it, so that no poll brings it back.

    Local files stay where they are; edited ones are kept in the backups. Workloads are not touched: disable the
    addon first.

    \b
    Example:
      addon-sync uninstall monitoring
    """
    return change(UninstallRequest(addon=addon), command="uninstall", output=output, options=options)
