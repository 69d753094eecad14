"""The settings with where each came from, and what they say together. Secrets are configured or not, never shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from receiver.config import Given, Settings
from receiver.diagnosis.finding import Finding, broken, ok, warning
from receiver.settings_table import SETTINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting, for people and for programs."""

    name: str
    value: str | None
    """As it was written, or the default; of a secret only whether it is configured; None where there is none."""
    source: str
    """``flag``, ``environment``, ``file`` or ``default``."""
    where: str
    """The flag, the variable, or the key and its file."""


def rows(settings: Settings) -> Iterator[Row]:
    """Every setting in the order of the table, then the credentials of senders."""
    secret = {setting.name for setting in SETTINGS if setting.secret}
    follows = _following(settings)
    for name, given in settings.given.items():
        if name in secret or name.startswith("senders."):
            yield Row(name=name, value=_configured(given), source=given.source, where=given.name)
        else:
            value = follows.get(name) if given.source == "default" else _shown(name, given)
            yield Row(name=name, value=value or given.text or None, source=given.source, where=given.name)


def _shown(name: str, given: Given) -> str | None:
    """As it was written; of the webhook without its path, which opens it (`receiver.flux.hook`)."""
    if name != "ADDON_SYNC_FLUX_WEBHOOK" or given.text is None:
        return given.text
    url = urlsplit(given.text.strip())
    return f"{url.scheme}://{url.netloc}{'/…' if url.path.strip('/') else ''}"


def _configured(given: Given) -> str:
    if given.source == "default":
        return "not configured"
    return "configured" if given.text is None else f"configured, in {given.text}"


def _following(settings: Settings) -> dict[str, str]:
    """The defaults that follow from something else."""
    docker = settings.docker_config
    return {"ADDON_SYNC_STATE_DIR": str(settings.state_dir), "DOCKER_CONFIG": "" if docker is None else str(docker)}


def secret_files(settings: Settings) -> Iterator[Path]:
    """The files that secrets are read from, and the private keys."""
    secret = {setting.name for setting in SETTINGS if setting.secret}
    for name, given in settings.given.items():
        if (name in secret or name.startswith("senders.")) and given.text is not None:
            yield Path(given.text)
    yield from (path for path in (settings.tls_key, settings.client_key) if path is not None)


def source_of(settings: Settings, name: str) -> str:
    """Where a setting came from, for a sentence."""
    given = settings.given[name]
    return f"{given.name} ({given.text})" if given.text is not None and given.source != "default" else given.name


def judge(settings: Settings) -> Iterator[Finding]:
    """What settings say together, and nothing has refused yet."""
    given = sum(1 for value in settings.given.values() if value.source != "default")
    yield ok("settings.read", f"all can be read; {given} are given, the others have their defaults")
    yield from _listener(settings)
    if settings.poll_interval == 0:
        yield warning(
            "settings.poll",
            "ADDON_SYNC_POLL_INTERVAL is 0: what no event announces is never found",
            "let it be 5m, or let a scheduler run addon-sync poll",
        )


def _listener(settings: Settings) -> Iterator[Finding]:
    named = f"ADDON_SYNC_LISTEN is {settings.listen.host or 'every address'}"
    if settings.listen.loopback:
        if not settings.token.configured and not settings.senders:
            text = "there is no ADDON_SYNC_TOKEN: every program on this machine may send notifications"
            yield warning("settings.token", text, "set ADDON_SYNC_TOKEN_FILE, and tell the registry")
        return
    if not settings.token.configured and not settings.senders:
        text = f"{named}, which others can reach, and there is no ADDON_SYNC_TOKEN: serve refuses to start"
        yield broken("settings.token", text, "set ADDON_SYNC_TOKEN_FILE, or listen on 127.0.0.1")
    if settings.tls_cert is None:
        text = f"{named} without ADDON_SYNC_TLS_CERT: tokens travel unencrypted"
        yield warning("settings.tls", text, "give the receiver a certificate, or put something with TLS in front")
