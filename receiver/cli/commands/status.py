"""``addon-sync status``."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from receiver.addon import AddonRepository
from receiver.cli.command import Command
from receiver.cli.completion import addons
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.output import ago, print_json, print_table
from receiver.cli.running import view
from receiver.cli.terminal import State
from receiver.cli.unheard_of import is_unheard_of, unheard_of
from receiver.document import outward
from receiver.errors import NotInRegistry, NotInstalled
from receiver.sync.engine import Report
from receiver.sync.outcome import Surveyed
from receiver.sync.request import StatusRequest
from receiver.sync.status import AddonStatus, EventFacts

_log = logging.getLogger(__name__)


@click.command("status", cls=Command)
@click.argument("addon", required=False, shell_complete=addons)
@click.option("--offline", is_flag=True, help="do not ask the registry: what it wanted when it was last asked")
@output_option
@settings_options()
def command(addon: str | None, offline: bool, output: str, **options: Any) -> int:
    """Tell what is desired, installed, queued, failed and why; for all addons or for ADDON.

    'addon-sync why ADDON' tells the story behind it.

    \b
    Examples:
      addon-sync status
      addon-sync status monitoring
      addon-sync status --offline --output json
    """
    settings = load_settings(options, output=output, local=offline)
    if addon is not None:
        AddonRepository.named(addon, prefix=settings.repository_prefix)
    rows, failures = list[AddonStatus](), list[Surveyed]()

    def add(report: Report) -> None:
        if isinstance(report, AddonStatus):
            rows.append(report)
        elif isinstance(report, Surveyed):
            failures.append(report)

    served = view(settings, StatusRequest(addon=addon, ask=not offline), command="status", report=add)
    for failure in failures:
        _log.error("what the registry wants is not known: %s", failure.error)
    if addon is not None:
        _refuse_unknown(rows, settings.catalogue)
    if output == "json":
        print_json(outward(rows))
    elif addon is not None and rows:
        _print_one(rows[0], settings.state_dir / "backups")
    else:
        _print(rows, settings.state_dir / "backups", asked=not (offline or failures))
    if output == "text" and not served and any(row.next_attempt is not None for row in rows):
        click.echo("'addon-sync serve' does not run: what is queued waits for it, or for the next sync or poll")
    return 0


def _refuse_unknown(rows: list[AddonStatus], catalogue: Path) -> None:
    """Who names an addon that nobody knows has most likely mistyped it; a registry that is away may know it.

    Raises:
        NotInstalled: neither this host nor the registry, where it was asked, knows one of ``rows``.
    """
    for row in rows:
        if not is_unheard_of(row, catalogue):
            continue
        if row.desired is None:
            raise unheard_of(row)
        if row.desired.error_kind == NotInRegistry.__name__:
            raise NotInstalled(
                f"{row.desired.error}; nothing is installed from it, queued or in the journal either: "
                "'addon-sync status' lists what is known"
            )


def _print(rows: list[AddonStatus], backups: Path, *, asked: bool) -> None:
    if not rows:
        print_table((f"nothing is installed{', desired' if asked else ''} or queued",), [])
        return
    now = time.time()
    print_table(
        ("ADDON", "STATE", "INSTALLED", "SINCE", "DESIRED", "LAST EVENT", "NEXT", "REMARKS"),
        [
            (
                row.repository,
                State(row.standing),
                row.installed.tag if row.installed else "-",
                ago(row.installed.installed, now=now) if row.installed else "",
                (row.desired.tag if row.desired else None) or "?",
                _event(row.last_event, now),
                _coming(row.next_attempt, now),
                "; ".join(_remarks(row, backups)),
            )
            for row in rows
        ],
        optional=("LAST EVENT", "SINCE", "NEXT", "DESIRED"),
    )


def _print_one(row: AddonStatus, backups: Path) -> None:
    now = time.time()
    installed, desired, sync = row.installed, row.desired, row.last_sync
    lines = [
        ("state", State(row.standing)),
        (
            "installed",
            f"{installed.tag}, {installed.digest}, {ago(installed.installed, now=now)}" if installed else "-",
        ),
        ("desired", f"{desired.tag}, {desired.digest}" if desired and desired.digest else "not known"),
        ("last event", _event(row.last_event, now) or "none in the journal"),
        ("last sync", f"{sync.outcome}, asked for by {sync.trigger}, {ago(sync.ended, now=now)}" if sync else "-"),
        ("last look", ago(row.last_look, now=now) or "-"),
        ("next look", _coming(row.next_look, now) or "nothing is planned"),
        ("attempts", str(row.attempts) if row.attempts else ""),
        ("remarks", "; ".join(_remarks(row, backups))),
        ("remedy", row.remedy or ""),
    ]
    print_table((row.repository, ""), [line for line in lines if line[1]])


def _coming(when: float | None, now: float) -> str:
    """What is planned for a time that has passed waits for who does it."""
    return "due" if when is not None and when < now else ago(when, now=now)


def _event(event: EventFacts | None, now: float) -> str:
    if event is None:
        return ""
    who = f" by {event.actor}" if event.actor else ""
    what = " deleted" if event.deleted else ""
    return f"{event.tag or event.verdict}{what}{who}, {ago(event.received, now=now)}"


def _remarks(row: AddonStatus, backups: Path) -> Iterator[str]:
    if row.error:
        yield row.error
    if row.hold is not None:
        yield f"held: {row.hold.reason}"
    if row.installed is not None and row.installed.replaced:
        yield f"{len(row.installed.replaced)} edited files that it replaced are in {backups}"
