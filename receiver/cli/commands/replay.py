"""``addon-sync replay``."""

import io
import logging
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import click

from receiver.catalog.names import tellable
from receiver.cli.command import Command
from receiver.cli.completion import addons, files, senders
from receiver.cli.options import load_settings, moment, output_option, settings_options
from receiver.cli.output import print_table
from receiver.cli.progress import reading
from receiver.cli.results import Results
from receiver.cli.running import run_all
from receiver.config import Settings
from receiver.document import outward, replaced
from receiver.errors import ConfigError, quoted
from receiver.sync.downgrade import is_lower
from receiver.sync.engine import Planned, Report
from receiver.sync.recollection import replayed
from receiver.sync.replay import read
from receiver.sync.replayed import Replayed
from receiver.sync.request import RememberRequest, ReplayRequest, Request
from receiver.tasks.journal import Aside
from receiver.webhook.event import Decoded

_log = logging.getLogger(__name__)

_BATCH = 512
"""Events of which notes go into the journal at a time."""
_MOST_DIGITS = 18


@click.command("replay", cls=Command)
@click.argument("file", required=False, shell_complete=files)
@click.option("--id", "ids", multiple=True, metavar="ID", help="a delivery by its number, or by an event's identifier")
@click.option("--since", metavar="DURATION", help="from the journal: what arrived in the last DURATION, such as 2h")
@click.option("--until", metavar="DURATION", help="from the journal: only what arrived longer than DURATION ago")
@click.option(
    "--addon", metavar="ADDON", shell_complete=addons, help="only this addon (the last part of its repository)"
)
@click.option(
    "--sender", metavar="NAME", shell_complete=senders, help="from the journal: only deliveries of this sender"
)
@click.option("--failed", is_flag=True, help="addons whose last sync failed, parked ones too")
@click.option("--quarantined", is_flag=True, help="deliveries that could not be parsed when they came")
@click.option("--dry-run", is_flag=True, help="only show what each would lead to")
@output_option
@settings_options()
def command(file: str | None, ids: tuple[str, ...], output: str, **options: Any) -> int:
    """Feed missed events in again, from FILE ('-' is standard input), the journal, or what failed.

    Each event is a hint: the addon that it names is compared with the registry anew, and a lower version than the
    installed one is installed when the registry still wants it after a minute. FILE holds JSON documents, one a line
    or spread over lines: envelopes or single events, as registries send them. A replayed event keeps its identifier,
    and the journal says whence it came. What cannot be read is reported by its line, does not stop the rest, and makes
    the exit code 1.

    \b
    Examples:
      addon-sync replay events.jsonl
      addon-sync replay --since 2h --dry-run
      addon-sync replay --id 48213
      addon-sync replay --failed
    """
    chosen = {name: options.pop(name) for name in ("since", "until", "addon", "sender", "failed", "quarantined")}
    dry_run = options.pop("dry_run")
    any_stored = bool(ids or any(chosen[name] for name in ("since", "until", "sender", "quarantined")))
    if (file is not None) == bool(ids or any(chosen.values())):
        raise click.UsageError(
            "give a FILE ('-' for standard input), or some of --id, --since, --until, --addon, --sender, --failed, "
            "--quarantined"
        )
    if ids and any(chosen[name] for name in ("since", "until", "sender", "quarantined")):
        raise click.UsageError("--id names deliveries: leave --since, --until, --sender and --quarantined out")
    settings = load_settings(options, output=output)
    results, planned = Results(), list[Planned]()

    def add(report: Report) -> None:
        if isinstance(report, Planned):
            planned.append(report)
        else:
            results.add(report)

    requests: Iterator[Request] = iter([_from_journal(ids, chosen, dry_run=dry_run)])
    if file is not None:
        requests = _from_file(file, _lines(file), settings, results, dry_run=dry_run)
    run_all(settings, requests, command="replay", report=add)
    if not dry_run:
        if results.replayed is not None and not results.replayed.repositories:
            _log.info("%s; nothing was replayed", _nothing(file, only_failed=chosen["failed"] and not any_stored))
        return results.finish(output)
    if results.replayed is not None:
        # The engine knows of a file which addons it names, and not how often.
        planned = [
            replaced(plan, events=results.replayed.repositories.get(plan.status.repository, 0)) for plan in planned
        ]
    if output == "text":
        _print(planned)
    return results.finish(output, more={"planned": [_document(plan) for plan in planned]}, counts=False)


def _nothing(file: str | None, *, only_failed: bool) -> str:
    """Why there was nothing to replay."""
    if file is not None:
        return "it holds no event for an addon"
    return "no addon's last sync failed" if only_failed else "no stored event fits"


def _from_journal(ids: tuple[str, ...], chosen: dict[str, Any], *, dry_run: bool) -> ReplayRequest:
    now = time.time()
    since, until = moment("--since", chosen["since"], now=now), moment("--until", chosen["until"], now=now)
    timed = since is not None or until is not None or chosen["sender"] is not None
    only_addon = chosen["addon"] is not None and not (chosen["failed"] or chosen["quarantined"] or ids)
    return ReplayRequest(
        numbers=tuple(int(name) for name in ids if _is_number(name)),
        event_ids=tuple(name for name in ids if not _is_number(name)),
        since=since,
        until=until,
        addon=chosen["addon"],
        sender=chosen["sender"],
        # With --quarantined, the others say which of those.
        journal=(timed or only_addon) and not chosen["quarantined"],
        failed=chosen["failed"],
        quarantined=chosen["quarantined"],
        dry_run=dry_run,
    )


def _is_number(name: str) -> bool:
    """Whether it can be one of the journal: longer ones no file of SQLite's holds."""
    return name.isascii() and name.isdecimal() and len(name) <= _MOST_DIGITS


def _lines(file: str) -> TextIO:
    """UTF-8 whatever the system prefers, without the mark that PowerShell puts before it; no byte is an error here."""
    try:
        source = sys.stdin.buffer if file == "-" else Path(file).open("rb")  # noqa: SIM115 - the caller closes it
    except OSError as error:
        raise ConfigError(f"{quoted(file)} cannot be read: {error.strerror}") from error
    return io.TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape")


def _from_file(file: str, lines: TextIO, settings: Settings, results: Results, *, dry_run: bool) -> Iterator[Request]:
    """Notes of the events of ``file``, some at a time, and in the end the addons that they name."""
    found, asked = Replayed(), time.time()
    with lines, reading(lines) as told:
        documents = read(told, prefix=settings.repository_prefix, found=found)
        if dry_run:
            deque(documents, maxlen=0)
        else:
            yield from (RememberRequest(asides=notes) for notes in _batches(_notes(documents, file)))
    _log.info(
        "%d documents hold %d events for %d addons, %d are of no concern, %d cannot be read",
        found.documents,
        found.events,
        len(found.repositories),
        found.ignored,
        len(found.problems),
    )
    results.add(found)
    yield ReplayRequest(repositories=tuple(sorted(found.repositories)), dry_run=dry_run, asked=asked)


def _notes(documents: Iterable[tuple[int, Decoded]], file: str) -> Iterator[Aside]:
    """Of the events of each document, with the line that it began in; at most `_BATCH` of them in a note."""
    name = "standard input" if file == "-" else tellable(Path(file).name[-100:])
    for number, decoded in documents:
        for start in range(0, len(decoded.events), _BATCH):
            some = decoded.events[start : start + _BATCH]
            yield replayed(some, origin=f"{name}, line {number}", at=time.time())


def _batches(notes: Iterable[Aside]) -> Iterator[tuple[Aside, ...]]:
    batch, count = list[Aside](), 0
    for note in notes:
        batch.append(note)
        count += len(note.events)
        if count >= _BATCH:
            yield tuple(batch)
            batch, count = [], 0
    if batch:
        yield tuple(batch)


def _print(planned: list[Planned]) -> None:
    if not planned:
        print_table(("it would lead to nothing",), [])
        return
    rows = []
    for plan in planned:
        status = plan.status
        desired = status.desired.tag if status.desired is not None and status.desired.tag else "?"
        installed = status.installed.tag if status.installed is not None else "-"
        rows.append((status.repository, str(plan.events or ""), installed, desired, _leads_to(plan)))
    print_table(("ADDON", "EVENTS", "INSTALLED", "DESIRED", "WOULD LEAD TO"), rows)


def _leads_to(plan: Planned) -> str:
    status = plan.status
    if status.hold is not None:
        return f"nothing: it is held ({status.hold.reason})"
    desired = status.desired
    if desired is None or desired.digest is None:
        return f"a look that fails: {desired.error if desired is not None else 'the registry was not asked'}"
    installed = status.installed
    if installed is not None and installed.present and installed.digest == desired.digest:
        return "a look that finds nothing new"
    if status.error is not None:
        return f"another try of {desired.tag} ({desired.digest[:19]}), which failed: {status.error}"
    if installed is not None and is_lower(desired.tag, than=installed.version):
        return (
            f"a look that doubts {desired.tag} ({desired.digest[:19]}), which is lower than the installed "
            f"{installed.version}: it is installed if it is still wanted a minute later"
        )
    return f"an installation of {desired.tag} ({desired.digest[:19]})"


def _document(plan: Planned) -> dict[str, Any]:
    return {"status": outward(plan.status), "events": plan.events, "leads_to": _leads_to(plan)}
