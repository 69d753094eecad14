"""``addon-sync replay``."""

import io
import logging
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import click

from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.results import Results
from receiver.cli.running import run
from receiver.config import Settings
from receiver.errors import ConfigError
from receiver.notation import parse_duration
from receiver.sync.replay import Replayed, read
from receiver.sync.request import ReplayRequest

_log = logging.getLogger(__name__)


@click.command("replay")
@click.argument("file", required=False)
@click.option("--since", metavar="DURATION", help="from the journal: what arrived in the last DURATION, such as 2h")
@click.option("--until", metavar="DURATION", help="from the journal: only what arrived longer than DURATION ago")
@click.option("--addon", metavar="ADDON", help="only this addon (the last part of its repository)")
@click.option("--failed", is_flag=True, help="addons whose last sync failed, parked ones too")
@click.option("--quarantined", is_flag=True, help="deliveries that could not be parsed when they came")
@output_option
@settings_options()
def command(
    file: str | None,
    since: str | None,
    until: str | None,
    addon: str | None,
    failed: bool,
    quarantined: bool,
    output: str,
    **options: Any,
) -> int:
    """Feed missed events in again, from FILE ('-' is standard input), the journal, or what failed.

    Each event is a hint: the addon that it names is compared with the registry anew. FILE holds JSON documents, one a
    line or spread over lines: envelopes or single events, as registries send them.

    \b
    Examples:
      addon-sync replay events.jsonl
      addon-sync replay --since 2h
      addon-sync replay --failed
    """
    journal = since is not None or until is not None or (addon is not None and not failed and not quarantined)
    if (file is not None) == (journal or failed or quarantined):
        raise click.UsageError(
            "give a FILE ('-' for standard input), or some of --since, --until, --addon, --failed, --quarantined"
        )
    settings = load_settings(options, output=output)
    results = Results()
    request = ReplayRequest(
        since=_moment("--since", since),
        until=_moment("--until", until),
        addon=addon,
        journal=journal,
        failed=failed,
        quarantined=quarantined,
    )
    if file is not None:
        request = _from_file(file, settings, results)
    run(settings, request, command="replay", report=results.add)
    return results.finish(output)


def _moment(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return time.time() - parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text!r}: {error}") from error


def _lines(file: str) -> TextIO:
    """UTF-8 whatever the system prefers, without the mark that PowerShell puts before it; no byte is an error here."""
    source = sys.stdin.buffer if file == "-" else Path(file).open("rb")  # noqa: SIM115 - the caller closes it
    return io.TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape")


def _from_file(file: str, settings: Settings, results: Results) -> ReplayRequest:
    found = Replayed()
    try:
        with _lines(file) as lines:
            read(lines, prefix=settings.repository_prefix, found=found)
    except OSError as error:
        raise ConfigError(f"{file!r} cannot be read: {error.strerror}") from error
    _log.info(
        "%d documents hold %d events for %d addons, %d are of no concern, %d cannot be read",
        found.documents,
        found.events,
        len(found.repositories),
        found.ignored,
        len(found.problems),
    )
    results.add(found)
    return ReplayRequest(repositories=tuple(sorted(found.repositories)))
