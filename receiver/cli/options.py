"""Flags from the table of settings, and the settings from flags."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from receiver.config import Settings, load
from receiver.log import configure
from receiver.setting import Setting
from receiver.settings_table import SETTINGS

F = TypeVar("F", bound=Callable[..., Any])

_LOCAL = {"K2S_INSTALL_DIR", "ADDON_SYNC_STATE_DIR", "ADDON_SYNC_LOG_FORMAT"}
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
}


def settings_options(*, serve: bool = False, local: bool = False) -> Callable[[F], F]:
    """Add ``--config`` and a flag for each setting that the command uses; they arrive as keyword arguments."""

    def decorate(function: F) -> F:
        for setting in reversed([setting for setting in SETTINGS if setting.has_flag]):
            if (not local or setting.name in _LOCAL) and (serve or setting.name not in _SERVE_ONLY):
                function = _option(setting)(function)
        config = click.Path(dir_okay=False, path_type=Path)
        return click.option("--config", type=config, help="YAML file of settings; keys as the flags, with '_'")(
            function
        )

    return decorate


def _option(setting: Setting) -> Callable[[F], F]:
    name = f"{setting.key}_file" if setting.secret else setting.key
    placeholder = "PATH" if setting.secret else setting.placeholder
    return click.option(setting.flag, name, metavar=placeholder, help=_help(setting))


def _help(setting: Setting) -> str:
    text = f"file that holds the {setting.help}" if setting.secret else setting.help
    default = f" [default: {setting.default}]" if setting.default else ""
    if setting.windows is not None:
        default = f" [default on Windows: {setting.windows}]"
    return f"{text}{default}  ({setting.name}{'_FILE' if setting.secret else ''})"


def load_settings(options: dict[str, Any], *, output: str = "text", local: bool = False) -> Settings:
    """Judge the settings and set up the log; with JSON on standard output, log lines go to standard error.

    Raises:
        ConfigError: the text names the setting.
    """
    stream = sys.stderr if output == "json" else sys.stdout
    configure(style="text", stream=stream)
    file = options.pop("config", None)
    flags = {key: value for key, value in options.items() if value is not None}
    settings = load(flags=flags, environment=os.environ, file=file, local_only=local)
    configure(style=settings.log_format, stream=stream)
    return settings


def output_option(function: F) -> F:
    """Add ``--output text|json``."""
    choice = click.Choice(["text", "json"])
    return click.option("--output", type=choice, default="text", show_default=True, help="for people or for programs")(
        function
    )
