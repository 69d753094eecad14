"""``addon-sync why``."""

import sys
import time
from typing import Any

import click

from receiver.cli.command import Command
from receiver.cli.completion import addons
from receiver.cli.entries import HEADER, row
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.output import ago, paragraph, print_json, print_table, printable, terminal_width
from receiver.cli.running import view
from receiver.cli.terminal import State, painted
from receiver.cli.unheard_of import is_unheard_of, unheard_of
from receiver.document import outward
from receiver.sync.documents import story_document
from receiver.sync.engine import Report
from receiver.sync.request import WhyRequest
from receiver.sync.story import Story

_SHOWN = 10


@click.command("why", cls=Command)
@click.argument("addon", shell_complete=addons)
@output_option
@settings_options(local=True)
def command(addon: str, output: str, **options: Any) -> int:
    """Tell why ADDON is as it is: the last decision, step by step, with the facts that it used.

    What asked for it, the tags that the registry had, the one that was chosen and by which rule, the digests that were
    compared, the layers that were taken and skipped, how it ended, and what happens next. Needs no registry: these are
    the facts as they were.

    \b
    Examples:
      addon-sync why monitoring
      addon-sync why monitoring --output json
    """
    settings = load_settings(options, output=output, local=True)
    stories: list[Story] = []

    def add(report: Report) -> None:
        if isinstance(report, Story):
            stories.append(report)

    view(settings, WhyRequest(addon=addon), command="why", report=add)
    for story in stories:
        if not story.entries and is_unheard_of(story.status, settings.catalogue):
            raise unheard_of(story.status)
        if output == "json":
            print_json(outward(story_document(story)))
        else:
            _print(story)
    return 0


def _print(story: Story) -> None:
    status, now = story.status, time.time()
    installed = f", {status.installed.tag}" if status.installed is not None else ""
    width = terminal_width()
    standing = painted(State(status.standing), sys.stdout)
    click.echo(f"{printable(status.repository)}: {standing}{printable(installed)}")
    for step in story.steps:
        when = f" ({ago(step.when, now=now)})" if step.when is not None else ""
        lines = paragraph(f"  {step.title + ':':<11}", f"{step.text}{when}", width=width)
        for fact in step.facts:
            lines += paragraph(" " * 15, fact, width=width)
        click.echo("\n".join(lines))
    if story.entries:
        leaf = status.repository.rpartition("/")[2]
        title = f"The last entries of the journal ('addon-sync events --addon {leaf}' lists more):"
        click.echo("\n".join(paragraph("", title, width=width)))
        print_table(HEADER, [row(entry) for entry in reversed(story.entries[:_SHOWN])])
