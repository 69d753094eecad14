"""``addon-sync ls``."""

from typing import Any

import click

from receiver.catalog.listing import listing
from receiver.catalog.records import Records
from receiver.cli.command import Command
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.output import print_json, print_table
from receiver.document import outward


@click.command("ls", cls=Command)
@output_option
@settings_options(local=True)
def command(output: str, **options: Any) -> int:
    """List what is in the catalogue. Needs neither the registry nor a running receiver.

    \b
    Examples:
      addon-sync ls
      addon-sync ls --output json
    """
    settings = load_settings(options, output=output, local=True)
    rows = listing(settings.catalogue, Records(settings.state_dir / "installed"))
    if output == "json":
        print_json(outward(rows))
        return 1 if any(row.problem for row in rows) else 0
    print_table(
        ("ADDON", "IMPLEMENTATION", "VERSION", "DIGEST", "FROM", "HELD", "DESCRIPTION"),
        [
            (
                row.addon,
                row.implementation or "",
                row.version or "",
                (row.digest or "")[7:19],
                row.repository or "local",
                row.held or "",
                row.problem or row.description,
            )
            for row in rows
        ],
        optional=("FROM", "DIGEST"),
    )
    return 1 if any(row.problem for row in rows) else 0
