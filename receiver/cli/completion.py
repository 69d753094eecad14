"""What a shell may complete: names of addons, releases and senders. What is wrong with this host is no error here.

It reads the records of what is installed, as files that are replaced in one step: no lock is taken and nobody asked.
"""

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from receiver.addon import AddonRepository
from receiver.cli.command import item
from receiver.config import Settings, load
from receiver.errors import ReceiverError

Items = list[CompletionItem[str]]

_WHERE = ("K2S_INSTALL_DIR", "ADDON_SYNC_STATE_DIR")
"""All that must be known; what else is set may be wrong, or for others to read."""
_FLAGS = ("k2s_install_dir", "state_dir")


def addons(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Addons that something was installed of on this host, without those that were named already."""
    given = context.params.get(parameter.name or "")
    named = given if isinstance(given, tuple) else ()
    return _starting(incomplete, {name: "" for name in _installed(context) if name not in named})


def releases(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:  # noqa: ARG001 - click's signature
    """Releases of ADDON that are kept, by tag; by the digits of its digest where several have a tag."""
    from receiver.catalog.records import Records  # noqa: PLC0415 - only here more than names are needed

    # Of a line that ends with "--to" click reads the options only, and leaves the rest as it was written.
    settings, addon = _settings(context.params), context.params.get("addon") or next(iter(context.args), None)
    if settings is None or not isinstance(addon, str):
        return []
    try:
        leaf = AddonRepository.named(addon, prefix=settings.repository_prefix).leaf
        record = Records(settings.state_dir / "installed").read(leaf)
    except ReceiverError:
        return []
    kept = [] if record is None else record.kept
    often = Counter(release.tag for release in kept)
    names = {
        release.tag if often[release.tag] == 1 else release.digest[7:19]: f"{release.tag}, {release.digest[:19]}"
        for release in kept
    }
    return _starting(incomplete, names)


def senders(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:  # noqa: ARG001 - see above
    """Senders, as they are named in the settings and in the journal."""
    from receiver.webhook.decode import BY_KEY  # noqa: PLC0415 - the table of senders, for this option only

    return _starting(incomplete, dict.fromkeys(sorted(BY_KEY), ""))


def files(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:  # noqa: ARG001 - see above
    """Whatever the shell finds."""
    return [CompletionItem(incomplete, type="file")]


def _starting(incomplete: str, names: Mapping[str, str]) -> Items:
    return [item(name, text) for name, text in names.items() if name.startswith(incomplete)]


def _settings(params: Mapping[str, Any]) -> Settings | None:
    """Where this host keeps things, as far as that can be told."""
    flags = {key: params[key] for key in _FLAGS if params.get(key) is not None}
    environment = {name: os.environ[name] for name in _WHERE if name in os.environ}
    try:
        return load(flags=flags, environment=environment, file=params.get("config"), local_only=True)
    except (ReceiverError, OSError):
        return None


def _installed(context: click.Context) -> list[str]:
    settings = _settings(context.params)
    if settings is None:
        return []
    try:
        found = sorted(path.stem for path in (settings.state_dir / "installed").iterdir() if path.suffix == ".json")
    except OSError:
        return []
    return [name for name in found if _is_addon(name, settings.repository_prefix)]


def _is_addon(name: str, prefix: str) -> bool:
    """Others may put files there, too; a shell gets names only."""
    try:
        AddonRepository.named(name, prefix=prefix)
    except ReceiverError:
        return False
    return True


def script(shell: str, cli: click.Command, name: str) -> str | None:
    """What makes ``shell`` complete the command ``name``; None where this version of click does not know how."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415

    found = get_completion_class(shell)
    if found is None:
        return None
    made = found(cli, {}, name, f"_{name}_COMPLETE".replace("-", "_").upper())
    # Not source(): for bash that looks for a bash on this host, and its script may be for another one.
    return made.source_template % made.source_vars()
