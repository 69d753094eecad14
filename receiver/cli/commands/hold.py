"""``addon-sync hold``."""

from typing import Any

import click

from receiver.catalog.names import tellable
from receiver.cli.changes import change
from receiver.cli.command import Command
from receiver.cli.completion import addons
from receiver.cli.options import output_option, settings_options
from receiver.sync.request import BY_HAND, HoldRequest


@click.command("hold", cls=Command)
@click.argument("addon", shell_complete=addons)
@click.option("--reason", default=BY_HAND, show_default=True, help="for those who wonder later")
@output_option
@settings_options(local=True)
def command(addon: str, reason: str, output: str, **options: Any) -> int:
    """Leave ADDON as it is: no event, poll or sync changes it until it is released.

    \b
    Example:
      addon-sync hold monitoring --reason 'audit until Friday'
    """
    request = HoldRequest(addon=addon, reason=tellable(reason))
    return change(request, command="hold", output=output, options=options)
