"""``addon-sync parked``."""

import logging
import time
from typing import Any

import click
from click.core import ParameterSource

from receiver.addon import AddonRepository
from receiver.cli.command import Group
from receiver.cli.completion import addons
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.output import ago, print_json, print_table
from receiver.cli.results import Results
from receiver.cli.running import run, view
from receiver.config import Settings
from receiver.document import outward
from receiver.errors import NotInstalled
from receiver.report import describe_change
from receiver.sync.engine import Report
from receiver.sync.operations import Changed
from receiver.sync.request import DiscardRequest, ParkedRequest, ReplayRequest
from receiver.sync.views import Parked

_log = logging.getLogger(__name__)


@click.group("parked", cls=Group, invoke_without_command=True)
@output_option
@settings_options(local=True)
@click.pass_context
def command(context: click.Context, /, output: str, **options: Any) -> int:
    """List the addons that are not tried again by themselves: why, how often they were tried, since when.

    Repetition cannot cure them. A new digest is tried at once; 'retry' tries the same again, 'discard' forgets that
    it failed, so that the next look tries it.

    \b
    Examples:
      addon-sync parked
      addon-sync parked retry monitoring
      addon-sync parked discard --all
    """
    if (verb := context.invoked_subcommand) is not None:
        given = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
        if given:
            raise click.UsageError(f"--{given[0].replace('_', '-')} belongs behind {verb!r}")
        return 0
    settings = load_settings(options, output=output, local=True)
    found = _listed(settings)
    if output == "json":
        print_json(outward(found))
    elif found:
        now = time.time()
        header = ("ADDON", "DIGEST", "ATTEMPTS", "SINCE", "REASON")
        print_table(header, [_row(parked, now) for parked in found], optional=("DIGEST",))
    else:
        print_table(("nothing is parked",), [])
    return 0


def _listed(settings: Settings) -> list[Parked]:
    found: list[Parked] = []

    def add(report: Report) -> None:
        if isinstance(report, Parked):
            found.append(report)

    view(settings, ParkedRequest(), command="parked", report=add)
    return found


def _row(parked: Parked, now: float) -> tuple[str, ...]:
    digest = (parked.digest or "")[7:19]
    return (parked.repository, digest, str(parked.attempts), ago(parked.since, now=now), parked.error or "")


def _chosen(addons: tuple[str, ...], *, everything: bool, verb: str) -> None:
    if bool(addons) == everything:
        raise click.UsageError(f"give ADDONs, or --all: which parked addons shall be {verb}?")


@command.command("retry")
@click.argument("addon", nargs=-1, shell_complete=addons)
@click.option("--all", "everything", is_flag=True, help="all that are parked")
@output_option
@settings_options()
def retry(addon: tuple[str, ...], everything: bool, output: str, **options: Any) -> int:
    """Try parked ADDONs again now. A lower version than the installed one is still doubted for a minute, as ever.

    \b
    Examples:
      addon-sync parked retry monitoring
      addon-sync parked retry --all
    """
    _chosen(addon, everything=everything, verb="tried again")
    settings = load_settings(options, output=output)
    results = Results(named=bool(addon))
    wanted = {str(AddonRepository.named(name, prefix=settings.repository_prefix).name) for name in addon}
    parked = {found.repository for found in _listed(settings)}
    if missing := sorted(wanted - parked):
        raise NotInstalled(f"{', '.join(missing)}: nothing is parked; 'addon-sync parked' lists what is")
    if not parked:
        _log.info("nothing is parked")
    names = tuple(sorted(wanted or parked))
    run(settings, ReplayRequest(repositories=names), command="parked", report=results.add)
    return results.finish(output)


@command.command("discard")
@click.argument("addon", nargs=-1, shell_complete=addons)
@click.option("--all", "everything", is_flag=True, help="all that are parked")
@output_option
@settings_options(local=True)
def discard(addon: tuple[str, ...], everything: bool, output: str, **options: Any) -> int:
    """Forget that ADDONs are parked. What is installed stays; the next look tries again what the registry has then.

    That may be the same digest, and park it again: 'addon-sync hold ADDON' prevents it.

    \b
    Example:
      addon-sync parked discard monitoring
    """
    _chosen(addon, everything=everything, verb="forgotten")
    settings = load_settings(options, output=output, local=True)
    changes: list[Changed] = []

    def add(report: Report) -> None:
        if isinstance(report, Changed):
            changes.append(report)

    run(settings, DiscardRequest(addons=addon), command="parked", report=add)
    if addon and not changes:
        raise NotInstalled(f"{', '.join(addon)}: nothing is parked; 'addon-sync parked' lists what is")
    if output == "json":
        print_json([{"repository": change.repository, "digest": change.digest} for change in changes])
    else:
        for change in changes:
            click.echo(describe_change(change))
    return 0
