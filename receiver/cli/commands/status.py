"""``addon-sync status``."""

import asyncio
import time
from dataclasses import asdict
from typing import Any

import click

from receiver.addon import AddonRepository
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.output import ago, iso, print_json, print_table
from receiver.cli.running import queue_view
from receiver.config import Settings
from receiver.sync.engine import QueueView
from receiver.sync.status import AddonStatus, DesiredFacts, statuses


@click.command("status")
@click.argument("addon", required=False)
@click.option("--offline", is_flag=True, help="do not ask the registry what is desired")
@output_option
@settings_options()
def command(addon: str | None, offline: bool, output: str, **options: Any) -> int:
    """Tell what is desired, installed, queued, failed and why; for all addons or for ADDON.

    \b
    Examples:
      addon-sync status
      addon-sync status monitoring
      addon-sync status --offline --output json
    """
    settings = load_settings(options, output=output)
    wanted = None
    if addon is not None:
        name = addon if addon.startswith(settings.repository_prefix) else settings.repository_prefix + addon
        wanted = AddonRepository.parse(name, prefix=settings.repository_prefix)
    rows = asyncio.run(_rows(settings, queue_view(settings), wanted, offline=offline))
    if output == "json":
        print_json([_document(row) for row in rows])
    else:
        _print(rows)
    return 0


async def _rows(
    settings: Settings, view: QueueView, wanted: AddonRepository | None, *, offline: bool
) -> list[AddonStatus]:
    from receiver import app  # noqa: PLC0415 - the help needs no client

    installed = await asyncio.to_thread(app.installed_facts, settings)
    desired: dict[str, DesiredFacts] = {}
    if not offline:
        named = [wanted.name] if wanted else sorted({*installed, *(task.repository for task in view.tasks)})
        desired = await app.desired_facts(settings, named, discover=wanted is None)
    rows = statuses(installed=installed, desired=desired, tasks=view.tasks)
    if wanted is not None:
        rows = [row for row in rows if row.repository == wanted.name]
    return rows


def _print(rows: list[AddonStatus]) -> None:
    if not rows:
        print_table(("nothing is installed, desired or queued",), [])
        return
    now = time.time()
    print_table(
        ("ADDON", "STATE", "INSTALLED", "SINCE", "DESIRED", "NEXT", "ERROR"),
        [
            (
                row.repository,
                row.standing,
                row.installed.tag if row.installed else "-",
                ago(row.installed.installed, now=now) if row.installed else "",
                (row.desired.tag if row.desired else None) or "?",
                ago(row.next_attempt, now=now),
                row.error or "",
            )
            for row in rows
        ],
    )


def _document(row: AddonStatus) -> dict[str, Any]:
    document = {**asdict(row), "next_attempt": iso(row.next_attempt)}
    if row.installed is not None:
        document["installed"] = {**asdict(row.installed), "installed": iso(row.installed.installed)}
    return document
