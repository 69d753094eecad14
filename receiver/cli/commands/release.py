"""``addon-sync release``."""

from typing import Any

import click

from receiver.cli.changes import change
from receiver.cli.command import Command
from receiver.cli.completion import addons
from receiver.cli.options import output_option, settings_options
from receiver.sync.request import ReleaseRequest


@click.command("release", cls=Command)
@click.argument("addon", shell_complete=addons)
@output_option
@settings_options(local=True)
def command(addon: str, output: str, **options: Any) -> int:
    """End the hold of ADDON; the registry is asked what it should be.

    \b
    Example:
      addon-sync release monitoring
    """
    return change(ReleaseRequest(addon=addon), command="release", output=output, options=options)
