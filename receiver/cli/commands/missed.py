"""``addon-sync missed``."""

import time
from typing import Any

import click

from receiver.cli.command import Command
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.output import ago, print_json, print_table
from receiver.cli.results import Results
from receiver.cli.running import run
from receiver.cli.terminal import State
from receiver.document import outward
from receiver.sync.engine import Report
from receiver.sync.request import MissedRequest
from receiver.sync.unannounced import MissedPush


@click.command("missed", cls=Command)
@click.option("--sync", "and_sync", is_flag=True, help="look at those that are not installed, and install them")
@output_option
@settings_options()
def command(and_sync: bool, output: str, **options: Any) -> int:
    """List the pushes that no event announced: the registry compared with the journal and the catalogue.

    Of an addon that was announced before, every newer version counts; else the one that is wanted. A release that was
    installed before the journal began is none.

    \b
    Examples:
      addon-sync missed
      addon-sync missed --sync
    """
    settings = load_settings(options, output=output)
    pushes: list[MissedPush] = []
    results = Results()

    def add(report: Report) -> None:
        if isinstance(report, MissedPush):
            pushes.append(report)
        else:
            results.add(report)

    run(settings, MissedRequest(sync=and_sync), command="missed", report=add)
    if output == "text":
        _print(pushes, whole=not results.errors)
    if and_sync:
        return results.finish(output, more={"missed": outward(pushes)})
    if output == "json":
        print_json(outward(pushes))
    return 1 if results.errors else 0


def _print(pushes: list[MissedPush], *, whole: bool) -> None:
    """``whole``: the registry could be asked about every addon."""
    if not pushes:
        print_table(("no push was missed" if whole else "not known: the registry could not be asked",), [])
        return
    now = time.time()
    print_table(
        ("ADDON", "TAG", "DIGEST", "STATE", "SINCE"),
        [
            (
                push.repository,
                push.tag,
                push.digest[7:19],
                State(push.state),
                ago(push.installed, now=now),
            )
            for push in pushes
        ],
    )
    if not whole:
        click.echo("there may be more: not every addon could be compared with the registry")
