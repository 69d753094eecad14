"""The group of commands, and what an error comes to: a line that names cause and remedy, and the exit code."""

import gc
import importlib
import io
import logging
import sys

import click

from receiver import __version__
from receiver.errors import ConfigError, InvalidNameError, ReceiverError
from receiver.log import configure

_log = logging.getLogger("receiver")

_COLLECT = (20_000, 20, 20)
"""When Python looks for cycles. Its default, 700 new containers, comes with every few notifications and hundreds of
times in the imports of a start; what we make ends by counting references."""

COMMANDS = {
    "serve": "endpoint, workers and fallback poll in one process, until SIGTERM or SIGINT",
    "sync": "pull and install the named addons now, or all that the registry has",
    "poll": "one pass as the scheduled poller makes it: discover, compare, sync what changed",
    "replay": "feed missed events again: from a file or standard input, the journal, or what failed",
    "ls": "what is in the catalogue",
    "status": "what is desired, installed, queued, failed and why",
    "page": "the address of the page of a running serve, and how to sign in",
    "history": "the releases of an addon that are kept on this host",
    "rollback": "bring back an earlier release of an addon, without the registry, and hold it",
    "hold": "leave an addon as it is until it is released",
    "release": "end the hold of an addon",
    "uninstall": "remove what was delivered of an addon, and hold it",
    "verify": "compare every delivered file with what is there; --repair brings it back",
}
"""Name and short help; the module is only imported for the one that is called."""


class _Commands(click.Group):
    """Imports a command when it is needed: a scheduled job runs one, and pays for no other."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"receiver.cli.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or an error that names the one that was probably meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib  # noqa: PLC0415 - only for the error

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"No such command {args[0]!r}: {meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """The list, without importing them all."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


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
    """Run the command line. Exit codes: 0 done, 1 at least one addon failed, 2 usage or configuration."""
    gc.set_threshold(*_COLLECT)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A letter that the encoding of a pipe lacks (Windows) is written as its number, and ends no command.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(prog_name="addon-sync", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(1)
    except ReceiverError as error:
        if not _log.handlers:
            configure(style="text")
        _log.error("%s", error)
        sys.exit(2 if isinstance(error, ConfigError | InvalidNameError) else 1)
    sys.exit(code or 0)
