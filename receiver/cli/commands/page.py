"""``addon-sync page``."""

from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import click

from receiver.cli.command import Command
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.output import print_json
from receiver.config import Settings
from receiver.errors import ConfigError
from receiver.lock import Holder, StateLock


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How to get to the page: its address, and where what it asks for is."""

    url: str
    credential: str
    where: str
    word: str | None = None
    """The credential itself, where it was asked for and is known here."""


@click.command("page", cls=Command)
@click.option("--show-credential", is_flag=True, help="print the credential too, where this host made it")
@output_option
@settings_options(local=True)
def command(show_credential: bool, output: str, **options: Any) -> int:
    """Print the address of the page of the running 'serve', and how to sign in to it.

    \b
    Examples:
      addon-sync page
      addon-sync page --show-credential
    """
    settings = load_settings(options, output=output, local=True)
    holder = _serving(settings)
    way = _way(holder, settings, show=show_credential)
    if output == "json":
        print_json(asdict(way))
        return 0
    click.echo(way.url)
    click.echo(f"Sign in with {way.credential}: {way.where}")
    if way.word is not None:
        click.echo(way.word)
    return 0


def _serving(settings: Settings) -> Holder:
    """Who serves now.

    Raises:
        ConfigError: nobody does, or without a page.
    """
    lock = StateLock(settings.state_dir)
    # A note may be left of a process that is gone: only while the lock is held it means something.
    if lock.try_acquire(command="page"):
        lock.release()
        raise ConfigError(f"nobody serves on {settings.state_dir}: start 'addon-sync serve'")
    holder = lock.holder()
    if holder is None or holder.listen is None:
        raise ConfigError(f"{holder or 'another process'} works on {settings.state_dir} and does not serve (yet)")
    if holder.sign_in is None:
        raise ConfigError(
            f"{holder} has no page: others can reach {holder.listen}, so that it needs ADDON_SYNC_API_TOKEN"
        )
    return holder


def _way(holder: Holder, settings: Settings, *, show: bool) -> _Way:
    url = _from_here(holder.listen or "")
    if holder.sign_in != "token":
        where = "where it was set for 'serve', the word or the file stands; it is not kept elsewhere"
        return _Way(url=url, credential=str(holder.sign_in), where=where)
    note = settings.state_dir / "engine.json"
    return _Way(
        url=url,
        credential="the credential of this host's commands",
        where=f"'token' in {note}, new at every start of 'serve'; --show-credential prints it",
        word=holder.token if show else None,
    )


def _from_here(url: str) -> str:
    """``url`` for a browser on this host: one that stands for every address of it is none to go to."""
    parts = urlsplit(url)
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(parts.hostname or "")  # noqa: S104 - it is compared
    return f"{parts.scheme}://{host}:{parts.port}/" if host else f"{url}/"
