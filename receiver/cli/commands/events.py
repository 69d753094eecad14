"""``addon-sync events``."""

import json
import sys
import time
from typing import Any

import click

from receiver.addon import AddonRepository
from receiver.cli.command import Command
from receiver.cli.completion import addons, senders
from receiver.cli.entries import HEADER, WIDTHS, row
from receiver.cli.options import load_settings, moment, output_option, settings_options
from receiver.cli.output import Table, print_json, print_table
from receiver.cli.running import view
from receiver.document import outward
from receiver.sync.documents import entry_document
from receiver.sync.engine import Report
from receiver.sync.request import EventsRequest
from receiver.tasks.journal import Arrival, Done, Entry, Wanted

_VERDICTS = ("accepted", "duplicate", "ignored", "quarantined", "refused", "replayed")
_HIGHEST = 2**62


@click.command("events", cls=Command)
@click.option(
    "--addon",
    metavar="ADDON",
    shell_complete=addons,
    help="only what concerns this addon (the last part of its repository)",
)
@click.option(
    "--sender",
    metavar="NAME",
    shell_complete=senders,
    help="only deliveries of this sender, such as distribution or zot",
)
@click.option("--verdict", type=click.Choice(_VERDICTS), help="only deliveries that were judged so")
@click.option("--kind", type=click.Choice(["delivery", "sync", "poll", "operation"]), help="only entries of this kind")
@click.option("--since", metavar="DURATION", help="only from the last DURATION, such as 2h")
@click.option("--until", metavar="DURATION", help="only from longer than DURATION ago")
@click.option("--all", "everything", is_flag=True, help="also what was ignored: blobs, pulls, other repositories")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="the last so many")
@click.option("--before", type=int, metavar="NUMBER", help="only entries before this one: to page on")
@click.option(
    "--follow",
    "-f",
    is_flag=True,
    help="first the last ones (--limit), then what happens, until Ctrl-C; 'serve' must run",
)
@output_option
@settings_options(local=True)
def command(output: str, **options: Any) -> int:
    """List what arrived and what was done: every delivery with its verdict, every sync, poll and operation.

    The oldest comes first. What was ignored is left out, unless --all or --verdict ignored asks for it. The number of a
    delivery is what 'addon-sync replay --id' takes. Numbers grow, but not by one: a delivery takes as many as it has
    bytes, so a gap is no lost entry.

    \b
    Examples:
      addon-sync events
      addon-sync events --addon monitoring --since 24h
      addon-sync events --verdict refused
      addon-sync events --follow --all
    """
    asked = {name: options.pop(name) for name in ("addon", "sender", "verdict", "kind", "since", "until")}
    limit, before, follow = options.pop("limit"), options.pop("before"), options.pop("follow")
    if before is not None and not 0 <= before <= _HIGHEST:
        raise click.UsageError(f"--before {before}: no entry has such a number")
    asked["quiet"] = not options.pop("everything") and asked["verdict"] is None
    settings = load_settings(options, output=output, local=True)
    request = EventsRequest(
        wanted=_wanted(asked, settings.repository_prefix), limit=limit, before=before, follow=follow
    )
    entries: list[Entry] = []
    table = Table(HEADER, widths=WIDTHS)

    def add(report: Report) -> None:
        if isinstance(report, Arrival | Done):
            entries.append(report)

    def tell(report: Report) -> None:
        if isinstance(report, Arrival | Done):
            _print_one(report, output, table)

    try:
        view(settings, request, command="events", report=tell if follow else add)
    except KeyboardInterrupt:
        if not follow:
            raise
        return 0
    if not follow:
        _print(entries, output)
    return 0


def _wanted(asked: dict[str, Any], prefix: str) -> Wanted:
    now = time.time()
    addon, kind = asked["addon"], asked["kind"]
    return Wanted(
        repository=None if addon is None else str(AddonRepository.named(addon, prefix=prefix).name),
        sender=asked["sender"],
        verdict=asked["verdict"],
        kind=None if kind == "delivery" else kind,
        arrivals=True if kind == "delivery" else None,
        since=moment("--since", asked["since"], now=now),
        until=moment("--until", asked["until"], now=now),
        quiet=asked["quiet"],
    )


def _print(entries: list[Entry], output: str) -> None:
    if output == "json":
        print_json([outward(entry_document(entry)) for entry in entries])
    elif entries:
        print_table(HEADER, [row(entry) for entry in entries])
    else:
        print_table(("nothing of that is in the journal",), [])


def _print_one(entry: Entry, output: str, table: Table) -> None:
    if output == "json":
        sys.stdout.write(json.dumps(outward(entry_document(entry))) + "\n")
    else:
        table.print_next(row(entry))
    sys.stdout.flush()
