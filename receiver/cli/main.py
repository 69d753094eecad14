"""The group of commands, and what an error comes to: a line that names cause and remedy, and the exit code."""

import gc
import importlib
import io
import keyword
import logging
import sys

import click
from click.shell_completion import CompletionItem

from receiver import __version__
from receiver.cli.command import Group, item, write_commands
from receiver.cli.terminal import obeys_escapes
from receiver.errors import ConfigError, InvalidNameError, ReceiverError
from receiver.log import configure

_log = logging.getLogger("receiver")

COMMANDS = {
    "serve": "endpoint, workers and fallback poll in one process, until SIGTERM or SIGINT",
    "sync": "pull and install the named addons now, or all that the registry has",
    "poll": "one pass as the scheduled poller makes it: discover, compare, sync what changed",
    "replay": "feed missed events again: from a file or standard input, the journal, or what failed",
    "ls": "what is in the catalogue",
    "status": "what is desired, installed, queued, failed and why",
    "why": "the last decision about an addon, step by step, with the facts that it used",
    "events": "what arrived and what was done, with every verdict; --follow to watch",
    "missed": "the pushes that no event announced; --sync installs them",
    "parked": "the addons that are not tried again by themselves; retry or discard them",
    "page": "the address of the page of a running serve, and how to sign in",
    "history": "the releases of an addon that are kept on this host, and who pushed them",
    "rollback": "bring back an earlier release of an addon, without the registry, and hold it",
    "hold": "leave an addon as it is until it is released",
    "release": "end the hold of an addon",
    "uninstall": "remove what was delivered of an addon, and hold it",
    "verify": "compare every delivered file with what is there; --repair brings it back",
    "doctor": "what is wrong with settings, folders, registry and endpoint, and what to do about it",
    "export": "pack addons of the catalogue into one file, to be pushed or carried elsewhere",
    "push": "put the addons of such a file into a registry",
    "import": "install the addons of such a file without a registry",
    "register": "print the resources by which FluxCD watches an addon, for kubectl apply",
    "completion": "what makes a shell complete commands, flags and the names of addons",
}
"""Name and short help; the module is only imported for the one that is called."""


class _Commands(Group):
    """Imports a command when it is needed: a scheduled job runs one, and pays for no other."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command: click.Command = importlib.import_module(f"receiver.cli.commands.{module}").command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Their names, without importing them all."""
        names = [item(name, text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """The list, without importing them all."""
        write_commands(formatter, COMMANDS)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="addon-sync")
def cli() -> None:
    """Keep the K2s addon catalogue of this host in step with a registry.

    Settings come from flags, the environment or a YAML file (--config), in this order; see any command's --help.

    \b
    Examples:
      addon-sync serve --registry-url oci://registry.local:30500 --insecure true
      addon-sync sync monitoring
      addon-sync status
    """


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 something failed, 2 usage or configuration."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A letter that the encoding of a pipe lacks (Windows) is written as its number, and ends no command.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(prog_name="addon-sync", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        # What was begun is finished or dropped by whoever comes next, so there is nothing to explain.
        click.echo("interrupted", err=True)
        sys.exit(1)
    except ReceiverError as error:
        if not _log.handlers:
            configure(style="text", coloured=obeys_escapes(sys.stdout))
        _log.error("%s", error)
        sys.exit(2 if isinstance(error, ConfigError | InvalidNameError) else 1)
    finally:
        # At its end Python looks several times through all that was imported for what could be freed: a tenth of what a
        # short command takes. Nothing of ours is freed by that, and the system takes the rest back.
        gc.freeze()
    sys.exit(code or 0)
