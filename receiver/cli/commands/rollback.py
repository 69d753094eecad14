"""``addon-sync rollback``."""

from typing import Any

import click

from receiver.cli.changes import change
from receiver.cli.command import Command
from receiver.cli.completion import addons, releases
from receiver.cli.options import output_option, settings_options
from receiver.sync.request import RollbackRequest


@click.command("rollback", cls=Command)
@click.argument("addon", shell_complete=addons)
@click.option(
    "--to",
    metavar="DIGEST|VERSION",
    shell_complete=releases,
    help="one of 'addon-sync history ADDON'; without it, the one before",
)
@output_option
@settings_options()
def command(addon: str, to: str | None, output: str, **options: Any) -> int:
    """Bring back an earlier release of ADDON from this host, and hold it.

    It needs no registry: the last releases are kept with all that it takes. Until 'addon-sync release ADDON' nothing
    newer is installed. Files that were edited are kept in the backups.

    \b
    Examples:
      addon-sync rollback monitoring
      addon-sync rollback monitoring --to v1.2.0
      addon-sync rollback monitoring --to sha256:4f2a9c
    """
    return change(RollbackRequest(addon=addon, to=to), command="rollback", output=output, options=options)
