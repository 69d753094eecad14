"""Flags from the table of settings, and the settings from flags."""

import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import click

from receiver.cli.command import SettingOption
from receiver.cli.completion import files
from receiver.cli.terminal import obeys_escapes
from receiver.config import Settings, load
from receiver.errors import ConfigError
from receiver.log import configure
from receiver.notation import parse_duration
from receiver.setting import Setting
from receiver.settings_table import SETTINGS

F = TypeVar("F", bound=Callable[..., Any])

_LOCAL = {"K2S_INSTALL_DIR", "ADDON_SYNC_STATE_DIR", "ADDON_SYNC_LOG_FORMAT"}
_SYNC_ONLY = {
    "K2S_INSTALL_DIR",
    "ADDON_SYNC_CONCURRENCY",
    "ADDON_SYNC_JOURNAL_AGE",
    "ADDON_SYNC_JOURNAL_SIZE",
    "ADDON_SYNC_KEEP_RELEASES",
    "ADDON_SYNC_MAX_ADDON_SIZE",
    "ADDON_SYNC_MAX_FILES",
    "ADDON_SYNC_MAX_LAYER_SIZE",
    "ADDON_SYNC_REPAIR_DRIFT",
    "ADDON_SYNC_REPOSITORIES",
    "ADDON_SYNC_SEMVER_RANGE",
    "ADDON_SYNC_STATE_DIR",
    "ADDON_SYNC_TAG_POLICY",
}
_SERVE_ONLY = {
    "ADDON_SYNC_POLL_INTERVAL_MIN",
    "ADDON_SYNC_POLL_INTERVAL_MAX",
    "ADDON_SYNC_LISTEN",
    "ADDON_SYNC_TOKEN",
    "ADDON_SYNC_API_TOKEN",
    "ADDON_SYNC_TLS_CERT",
    "ADDON_SYNC_TLS_KEY",
    "ADDON_SYNC_TLS_CLIENT_CA",
    "ADDON_SYNC_MAX_BODY_SIZE",
    "ADDON_SYNC_POLL_INTERVAL",
    "ADDON_SYNC_FLUX_WEBHOOK",
    "ADDON_SYNC_FLUX_TOKEN",
}

_NOT_REMOTE = _SERVE_ONLY | _SYNC_ONLY


def settings_options(
    *, serve: bool = False, local: bool = False, remote: bool = False, only: Collection[str] | None = None
) -> Callable[[F], F]:
    """Add ``--config`` and a flag for each setting that the command uses; they arrive as keyword arguments.

    ``local``: the command asks no registry; ``remote``: it has to do with a registry, and with no catalogue; ``only``
    names them one by one.
    """

    def decorate(function: F) -> F:
        for setting in reversed([setting for setting in SETTINGS if setting.has_flag]):
            if _uses(setting.name, serve=serve, local=local, remote=remote) if only is None else setting.name in only:
                function = _option(setting)(function)
        config = click.Path(dir_okay=False, path_type=Path)
        about = "YAML file of settings; keys as the flags, with '_'"
        return click.option("--config", type=config, cls=SettingOption, help=about)(function)

    return decorate


def _uses(name: str, *, serve: bool, local: bool, remote: bool) -> bool:
    if local:
        return name in _LOCAL
    return name not in (_NOT_REMOTE if remote else set() if serve else _SERVE_ONLY)


def _option(setting: Setting) -> Callable[[F], F]:
    name = f"{setting.key}_file" if setting.secret else setting.key
    placeholder = "PATH" if setting.secret else setting.placeholder
    complete = _COMPLETIONS.get(placeholder)
    return click.option(
        setting.flag, name, metavar=placeholder, cls=SettingOption, help=_help(setting), shell_complete=complete
    )


def _bools(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 - click's
    return [word for word in ("true", "false") if word.startswith(incomplete)]


_COMPLETIONS = {"PATH": files, "BOOL": _bools}
"""What a shell completes, by what stands for the value in help texts."""


def _help(setting: Setting) -> str:
    text = f"file that holds the {setting.help}" if setting.secret else setting.help
    default = f" [default: {setting.default}]" if setting.default else ""
    if setting.windows is not None:
        default = f" [default on Windows: {setting.windows}]"
    return f"{text}{default}  ({setting.name}{'_FILE' if setting.secret else ''})"


def load_settings(
    options: dict[str, Any],
    *,
    registry: str | None = None,
    output: str = "text",
    local: bool = False,
    remote: bool = False,
) -> Settings:
    """Judge the settings and set up the log; with JSON on standard output, log lines go to standard error.

    ``registry``: the command's own argument, which is over all settings.

    Raises:
        ConfigError: the text names the setting.
    """
    stream = sys.stderr if output == "json" else sys.stdout
    coloured = obeys_escapes(stream)
    configure(style="text", stream=stream, coloured=coloured)
    file = options.pop("config", None)
    flags = {key: value for key, value in options.items() if value is not None}
    settings = load(
        flags=flags, environment=os.environ, file=file, registry=registry, local_only=local, remote_only=remote
    )
    configure(style=settings.log_format, stream=stream, coloured=coloured)
    return settings


def moment(option: str, text: str | None, *, now: float) -> float | None:
    """A time so long before ``now`` as ``text`` says, in seconds since the epoch.

    Raises:
        ConfigError: it is no duration; the text names ``option``.
    """
    if text is None:
        return None
    try:
        return now - parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text!r}: {error}") from error


def output_option(function: F) -> F:
    """Add ``--output text|json``."""
    choice = click.Choice(["text", "json"])
    return click.option("--output", type=choice, default="text", show_default=True, help="for people or for programs")(
        function
    )
