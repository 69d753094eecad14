"""``addon-sync poll``."""

import logging
from typing import Any

import click

from receiver.cli.command import Command
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.results import Results
from receiver.cli.running import run
from receiver.sync.request import PollRequest

_log = logging.getLogger(__name__)


@click.command("poll", cls=Command)
@output_option
@settings_options()
def command(output: str, **options: Any) -> int:
    """Discover the registry's addons, compare digests, and sync what changed: one pass.

    \b
    Example:
      addon-sync poll --registry-url oci://registry.local:30500 --insecure true
    """
    settings = load_settings(options, output=output)
    results = Results()
    run(settings, PollRequest(), command="poll", report=results.add)
    if results.is_empty:
        _log.info("the registry has no repository below %s", settings.repository_prefix)
    return results.finish(output)
