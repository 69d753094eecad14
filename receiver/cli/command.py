"""Commands and groups as ours are: settings apart from a command's own options, and the near name of a mistyped one."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem


class SettingOption(click.Option):
    """A flag that gives a setting: the same for many commands, and listed behind those of the command itself."""

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """The value, unless it was forgotten, and the next flag is in its place.

        Raises:
            BadOptionUsage: it was; click would complain of what follows that flag.
        """
        flags = {name for parameter in ctx.command.get_params(ctx) for name in parameter.opts}
        if isinstance(value, str) and value.partition("=")[0] in flags:
            flag = self.opts[0]
            example = f", as in {flag} true" if self.metavar == "BOOL" else ""
            raise click.BadOptionUsage(flag, f"{flag} needs a value{example}; after it comes {value}", ctx)
        return super().process_value(ctx, value)


def own_options(command: click.Command) -> list[click.Option]:
    """What only this command has."""
    return [
        option
        for option in command.params
        if isinstance(option, click.Option) and not isinstance(option, SettingOption)
    ]


def setting_options(command: click.Command) -> list[SettingOption]:
    """The flags of settings."""
    return [option for option in command.params if isinstance(option, SettingOption)]


class Command(click.Command):
    """A command that lists the flags of settings by themselves."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """First what the command is about."""
        options = [parameter for parameter in self.get_params(ctx) if isinstance(parameter, click.Option)]
        own = [option for option in options if not isinstance(option, SettingOption)]
        settings = [option for option in options if isinstance(option, SettingOption)]
        _write(ctx, formatter, "Options", own)
        _write(ctx, formatter, "Settings (flag over environment over --config over default)", settings)


class Group(click.Group, Command):
    """A command with commands of its own."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or an error that names the one that was probably meant."""
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-") and not ctx.resilient_parsing:
            import difflib  # noqa: PLC0415 - only for the error

            near = difflib.get_close_matches(args[0], names, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
            raise click.UsageError(f"No such command {args[0]!r}: {meant}", ctx)
        return super().resolve_command(ctx, args)


def _write(ctx: click.Context, formatter: click.HelpFormatter, title: str, parameters: Sequence[click.Option]) -> None:
    records = [record for parameter in parameters if (record := parameter.get_help_record(ctx)) is not None]
    if records:
        with formatter.section(title):
            formatter.write_dl(records)


def item(name: str, about: str = "") -> CompletionItem[str]:
    """What a shell may put in; click's script for fish ends ``about`` at a comma."""
    return CompletionItem(name, help=about.replace(",", ";") or None)


def write_commands(formatter: click.HelpFormatter, commands: Mapping[str, str]) -> None:
    """A list of names with what they stand for."""
    with formatter.section("Commands"):
        formatter.write_dl(list(commands.items()))
