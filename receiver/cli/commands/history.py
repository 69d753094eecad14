"""``addon-sync history``."""

import time
from typing import Any

import click

from receiver.addon import AddonRepository
from receiver.catalog.record import AddonRecord, held_text
from receiver.catalog.records import Records
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.output import ago, print_json, print_table
from receiver.document import iso
from receiver.errors import NotInstalled


@click.command("history")
@click.argument("addon")
@output_option
@settings_options(local=True)
def command(addon: str, output: str, **options: Any) -> int:
    """List the releases of ADDON that are kept on this host, the newest arrival first, and which is installed.

    Needs neither the registry nor a running receiver. Each can be brought back by 'addon-sync rollback ADDON --to'.

    \b
    Examples:
      addon-sync history monitoring
      addon-sync history monitoring --output json
    """
    settings = load_settings(options, output=output, local=True)
    repository = AddonRepository.named(addon, prefix=settings.repository_prefix)
    record = Records(settings.state_dir / "installed").read(repository.leaf)
    if record is None:
        raise NotInstalled(f"nothing was ever installed from {repository}; 'addon-sync ls' tells what is there")
    if output == "json":
        print_json(_document(record))
    else:
        _print(record)
    return 0


def _print(record: AddonRecord) -> None:
    now = time.time()
    installed = record.installed.digest if record.installed is not None else None
    print_table(
        ("TAG", "VERSION", "DIGEST", "ARRIVED", ""),
        [
            (
                kept.tag,
                kept.version or "",
                kept.digest[7:19],
                ago(kept.arrived, now=now),
                "installed" if kept.digest == installed else "kept",
            )
            for kept in record.kept
        ],
    )
    if record.installed is None:
        click.echo("not installed")
    if record.hold is not None:
        click.echo(held_text(record.leaf, record.hold))


def _document(record: AddonRecord) -> dict[str, Any]:
    installed = record.installed
    return {
        "repository": record.repository,
        "installed": None
        if installed is None
        else {"tag": installed.tag, "digest": installed.digest, "installed": iso(installed.installed)},
        "hold": None if record.hold is None else {"since": iso(record.hold.since), "reason": record.hold.reason},
        "releases": [
            {"tag": kept.tag, "version": kept.version, "digest": kept.digest, "arrived": iso(kept.arrived)}
            for kept in record.kept
        ],
    }
