"""``addon-sync history``."""

import time
from typing import Any

import click

from receiver.addon import AddonRepository
from receiver.catalog.record import AddonRecord, held_text
from receiver.catalog.records import Records
from receiver.cli.command import Command
from receiver.cli.completion import addons
from receiver.cli.entries import pushed
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.output import ago, print_json, print_table, printable
from receiver.cli.running import view
from receiver.cli.terminal import State
from receiver.document import iso, outward
from receiver.errors import NotInstalled
from receiver.sync.engine import Report
from receiver.sync.request import HistoryRequest
from receiver.sync.views import ReleaseFacts


@click.command("history", cls=Command)
@click.argument("addon", shell_complete=addons)
@output_option
@settings_options(local=True)
def command(addon: str, output: str, **options: Any) -> int:
    """List the releases of ADDON that are kept on this host: which is installed, and who pushed each.

    The newest arrival comes first. Needs no registry. Each can be brought back by 'addon-sync rollback ADDON --to'.

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
    releases: list[ReleaseFacts] = []

    def add(report: Report) -> None:
        if isinstance(report, ReleaseFacts):
            releases.append(report)

    view(settings, HistoryRequest(addon=addon), command="history", report=add)
    if output == "json":
        print_json(_document(record, releases))
    else:
        _print(record, releases)
    return 0


def _print(record: AddonRecord, releases: list[ReleaseFacts]) -> None:
    now = time.time()
    print_table(
        ("TAG", "VERSION", "DIGEST", "PUSHED", "ARRIVED", "STATE"),
        [
            (
                release.tag,
                release.version or "",
                release.digest[7:19],
                pushed(release.event, now),
                ago(release.arrived, now=now),
                State("installed" if release.installed else "kept"),
            )
            for release in releases
        ],
        optional=("PUSHED", "VERSION"),
    )
    if record.installed is None:
        click.echo("not installed")
    if record.hold is not None:
        click.echo(printable(held_text(record.leaf, record.hold)))


def _document(record: AddonRecord, releases: list[ReleaseFacts]) -> dict[str, Any]:
    installed = record.installed
    return {
        "repository": record.repository,
        "installed": None
        if installed is None
        else {"tag": installed.tag, "digest": installed.digest, "installed": iso(installed.installed)},
        "hold": None if record.hold is None else {"since": iso(record.hold.since), "reason": record.hold.reason},
        "releases": outward(releases),
    }
