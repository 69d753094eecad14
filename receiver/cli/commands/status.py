"""``addon-sync status``."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
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
        _print(rows, settings.state_dir / "backups")
    return 0


async def _rows(
    settings: Settings, view: QueueView, wanted: AddonRepository | None, *, offline: bool
) -> list[AddonStatus]:
    from receiver import app  # noqa: PLC0415 - the help needs no client

    local = await asyncio.to_thread(app.local_facts, settings)
    desired: dict[str, DesiredFacts] = {}
    if not offline:
        named = [wanted.name] if wanted else sorted({*local.installed, *(task.repository for task in view.tasks)})
        desired = await app.desired_facts(settings, named, discover=wanted is None)
    rows = statuses(installed=local.installed, desired=desired, tasks=view.tasks, holds=local.holds)
    if wanted is not None:
        rows = [row for row in rows if row.repository == wanted.name]
    return rows


def _print(rows: list[AddonStatus], backups: Path) -> None:
    if not rows:
        print_table(("nothing is installed, desired or queued",), [])
        return
    now = time.time()
    print_table(
        ("ADDON", "STATE", "INSTALLED", "SINCE", "DESIRED", "NEXT", "REMARKS"),
        [
            (
                row.repository,
                row.standing,
                row.installed.tag if row.installed else "-",
                ago(row.installed.installed, now=now) if row.installed else "",
                (row.desired.tag if row.desired else None) or "?",
                ago(row.next_attempt, now=now),
                "; ".join(_remarks(row, backups)),
            )
            for row in rows
        ],
    )


def _remarks(row: AddonStatus, backups: Path) -> Iterator[str]:
    if row.error:
        yield row.error
    if row.hold is not None:
        yield f"held: {row.hold.reason}"
    if row.installed is not None and row.installed.replaced:
        yield f"{len(row.installed.replaced)} edited files that it replaced are in {backups}"


def _document(row: AddonStatus) -> dict[str, Any]:
    document = {**asdict(row), "next_attempt": iso(row.next_attempt)}
    if row.hold is not None:
        document["hold"] = {**asdict(row.hold), "since": iso(row.hold.since)}
    if row.installed is not None:
        document["installed"] = {**asdict(row.installed), "installed": iso(row.installed.installed)}
    return document
