"""The page of the manual, ``addon-sync.1``: all commands and settings on one page, in the macros of man(7).

Made from what ``--help`` is made from. click-man was considered: it writes a page for each command, with all settings
on each, and does not find commands that are imported when they are called.
"""

import inspect
import re
from collections.abc import Iterable, Iterator

import click

from receiver import __version__
from receiver.cli.command import own_options, setting_options
from receiver.cli.main import cli
from receiver.setting import Setting
from receiver.settings_table import SETTINGS

_NOTE = '.\\" Written by scripts/generate-reference from the code; a test compares it.'
_EXIT = (
    ("0", "done, also where there was nothing to do"),
    ("1", "at least one addon failed, something is broken, or the command was interrupted"),
    ("2", "usage or configuration"),
)
_FILES = (
    ("<K2S_INSTALL_DIR>/addons", "the catalogue"),
    ("<K2S_INSTALL_DIR>/.addon-sync", "queue, journal, blobs, staging and backups, unless ADDON_SYNC_STATE_DIR is set"),
)


def contexts(command: click.Command = cli, parent: click.Context | None = None) -> Iterator[click.Context]:
    """Every command and the commands in it, in the order of the help, as contexts that know their whole names."""
    if isinstance(command, click.Group):
        name = command.name if parent else "addon-sync"
        with click.Context(command, info_name=name, parent=parent, **command.context_settings) as context:
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None, name
                yield click.Context(found, info_name=name, parent=context)
                yield from contexts(found, context)


def words(command: click.Command) -> tuple[str, list[str]]:
    """What a command says of itself, and its examples."""
    text, _, examples = inspect.cleandoc(command.help or "").partition("\b")
    return text.strip(), [line.strip() for line in examples.strip().splitlines()[1:]]


def man() -> str:
    """``deploy/linux/man/addon-sync.1``."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    text, examples = words(cli)
    head, *_ = text.partition("\n")
    yield _NOTE
    yield f'.TH ADDON\\-SYNC 1 "" "addon\\-sync {__version__}" "User Commands"'
    yield from (".nh", ".ad l")  # a flag that is broken cannot be copied
    yield from (".SH NAME", f"addon\\-sync \\- {_escaped(head[0].lower() + head.rstrip('.')[1:])}")
    yield from (".SH SYNOPSIS", ".B addon\\-sync", ".I COMMAND", "[\\fIOPTIONS\\fR] [\\fIARGS\\fR]")
    yield from (".SH DESCRIPTION", *_paragraphs(text))
    yield ".SH COMMANDS"
    for context in contexts():
        yield from _command(context)
    yield ".SH SETTINGS"
    yield _escaped("Flag over environment over --config FILE (YAML) over default.")
    for setting in SETTINGS:
        yield from _item(_names(setting), _meaning(setting))
    yield from (".SH EXIT STATUS", *_items(_EXIT))
    yield from (".SH FILES", *_items(_FILES))
    yield from (".SH EXAMPLES", *_examples(examples))


def _command(context: click.Context) -> Iterator[str]:
    command = context.command
    text, examples = words(command)
    yield f".SS {_escaped(context.command_path)}"
    yield from (".B " + _escaped(context.command_path), _escaped(" ".join(command.collect_usage_pieces(context))))
    yield from (".PP", *_paragraphs(text))
    for option in own_options(command):
        names, about = option.get_help_record(context) or ("", "")
        yield from _item(names, about)
    settings = [option.opts[0] for option in setting_options(command)]
    if settings:
        yield from (".PP", _escaped(f"Settings: {', '.join(settings)}."))
    yield from (".PP", *_examples(examples))


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text)):
        if number:
            yield ".PP"
        yield _escaped(" ".join(paragraph.split()))


def _items(items: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in items:
        yield from _item(term, text)


def _item(term: str, text: str) -> Iterator[str]:
    yield from (".TP", f".B {_escaped(term)}", _escaped(" ".join(text.split())))


def _examples(lines: Iterable[str]) -> Iterator[str]:
    yield from (".RS 4", ".EX", *(_escaped(line) for line in lines), ".EE", ".RE")


def _names(setting: Setting) -> str:
    variable = f"{setting.name}, {setting.name}_FILE" if setting.secret else setting.name
    return f"{setting.flag} {setting.placeholder}, {variable}" if setting.has_flag else variable


def _meaning(setting: Setting) -> str:
    default = f" Default: {setting.default}." if setting.default else ""
    windows = f" Default on Windows: {setting.windows}." if setting.windows is not None else ""
    return f"{setting.help[0].upper()}{setting.help[1:]}.{default}{windows}"


def _escaped(text: str) -> str:
    """``text`` as text: no dash that becomes a hyphen, no escape, no request, nothing but ASCII."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("'", "\\(aq")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti").replace("`", "\\(ga")
    text = "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in text)
    return f"\\&{text}" if text.startswith(".") else text
