"""``addon-sync doctor``."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from receiver.cli.command import Command
from receiver.cli.completion import senders
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.output import paragraph, print_json, print_table, terminal_width
from receiver.cli.terminal import State, painted
from receiver.config import Settings
from receiver.diagnosis.finding import Finding, Standing, counts
from receiver.diagnosis.settings import Row, source_of
from receiver.diagnosis.snippet import Snippet, secret_words, snippet
from receiver.errors import ConfigError, ProtocolViolation
from receiver.lock import StateLock
from receiver.registry.location import Location


@click.command("doctor", cls=Command)
@click.option(
    "--sender",
    metavar="NAME",
    shell_complete=senders,
    help="print the configuration that makes this registry notify us",
)
@click.option(
    "--address", metavar="ADDRESS", help="with --sender: how the registry reaches us, host:port or https://host"
)
@click.option("--all", "everything", is_flag=True, help="list the settings that have their defaults, too")
@click.option("--notify/--no-notify", default=True, help="send the running receiver a notification that does no harm")
@output_option
@settings_options(serve=True)
def command(
    sender: str | None, address: str | None, everything: bool, notify: bool, output: str, **options: Any
) -> int:
    """Look at settings, folders, registry, endpoint and journal: what is wrong, and what to do about it.

    Exit code 1 where something is broken. Give it the settings of serve, and run it as the account of serve. Nothing
    is changed by the command itself. The notification is for an addon that is installed, and so a hint to look at it,
    which brings an update that is waiting; where nothing is installed, it is for a repository that is not ours.

    With --sender, standard output is what a registry must be told, ready to paste, and standard error where to put it
    and what to mind. It holds no secret.

    \b
    Examples:
      addon-sync doctor --config addon-sync.yaml
      addon-sync doctor --output json
      addon-sync doctor --sender distribution --address receiver.example.local:8080
    """
    if sender is not None:
        _check_sender(sender)
    elif address is not None:
        raise click.UsageError("--address goes with --sender")
    settings = load_settings(options, output=output, local=sender is not None)
    if sender is not None:
        return _print_snippet(settings, sender, address, output)
    from receiver.cli.checkup import examine  # noqa: PLC0415 - the help needs no probes

    report = asyncio.run(examine(settings, notify=notify))
    found = counts(report.findings)
    if output == "json":
        print_json(
            {
                "summary": {standing.value: number for standing, number in found.items()},
                "settings": [asdict(row) for row in report.settings],
                "findings": [asdict(finding) for finding in report.findings],
                "addons": [asdict(looked) for looked in report.addons],
            }
        )
    else:
        _print_settings(report.settings, everything=everything)
        _print_findings(report.findings)
    return 1 if found[Standing.BROKEN] else 0


def _print_settings(rows: list[Row], *, everything: bool) -> None:
    shown = [row for row in rows if everything or row.source != "default"]
    print_table(
        ("SETTING", "VALUE", "FROM"),
        [(row.name, "-" if row.value is None else row.value, f"{row.source} {row.where}".rstrip()) for row in shown],
    )
    if len(shown) < len(rows):
        sys.stdout.write(f"{len(rows) - len(shown)} others have their defaults: --all\n")
    sys.stdout.write("\n")


def _print_findings(findings: list[Finding]) -> None:
    width = terminal_width()
    column = max(len(finding.check) for finding in findings)
    for finding in findings:
        head, *rest = _lines(finding, column, width)
        mark = State(_mark(finding))
        click.echo("\n".join([painted(mark, sys.stdout) + head.removeprefix(mark), *rest]))
    summary = ", ".join(f"{number} {standing}" for standing, number in counts(findings).items())
    sys.stdout.write(f"\n{summary}\n")


def _lines(finding: Finding, column: int, width: int) -> Iterator[str]:
    """A finding, its remedy below it; a terminal's lines are broken at words."""
    head = f"{_mark(finding):<7}  {finding.check:<{column}}  "
    indent = " " * len(head)
    yield from paragraph(head, finding.text, width=width)
    if finding.remedy is not None:
        yield from paragraph(f"{indent}-> ", finding.remedy, width=width)


def _mark(finding: Finding) -> str:
    return str(finding.standing if finding.standing is Standing.OK else finding.standing.upper())


def _check_sender(sender: str) -> None:
    from receiver.webhook.decode import BY_KEY  # noqa: PLC0415 - the table of senders, for this option only

    if sender not in BY_KEY:
        raise click.UsageError(f"--sender: {sender[:80]!r} is none; there are {', '.join(sorted(BY_KEY))}")


def _print_snippet(settings: Settings, sender: str, address: str | None, output: str) -> int:
    origin, doubt = _origin(settings, address)
    found = snippet(sender, origin)
    own = source_of(settings, f"senders.{sender}") if sender in settings.senders else None
    token = source_of(settings, "ADDON_SYNC_TOKEN") if settings.token.configured else None
    secret = secret_words(sender, found.secret, token=token, own=own)
    notes = [secret, *([] if doubt is None else [doubt]), *_prefix_note(settings, found), *found.traps]
    if output == "json":
        document = asdict(found)
        del document["traps"], document["secret"]
        print_json({"sender": sender, **document, "notes": notes})
        return 0
    sys.stderr.write(f"{found.title}\n{found.place}\n\n")
    sys.stderr.flush()
    sys.stdout.write(found.configuration)
    sys.stdout.flush()
    sys.stderr.write("\n" + "".join(f"- {note}\n" for note in notes))
    return 0


def _prefix_note(settings: Settings, found: Snippet) -> Iterator[str]:
    if settings.repository_prefix.count("/") != found.prefix.count("/"):
        yield (
            f"ADDON_SYNC_REPOSITORY_PREFIX is {settings.repository_prefix}; with this registry it looks like "
            f"{found.prefix} as a rule: what stands before the addon's name in the name that you pull by."
        )


def _origin(settings: Settings, address: str | None) -> tuple[str, str | None]:
    """Where the registry reaches us, and what to say of a guess."""
    scheme = "http" if settings.tls_cert is None else "https"
    if address is not None:
        return _judged(address, scheme), None
    host, port = settings.listen.host, settings.listen.port
    if port == 0:
        port = _port_of_serve(settings)
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104 - where others listen
        name = socket.gethostname()
        return _judged(
            f"{name}:{port}", scheme
        ), f"{name} is this host's own name; if the registry has another: --address."
    written = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    doubt = None
    if settings.listen.loopback:
        doubt = (
            f"{host} is reached from this machine only: for a registry elsewhere set ADDON_SYNC_LISTEN, or --address."
        )
    return _judged(written, scheme), doubt


def _judged(address: str, scheme: str) -> str:
    try:
        location = Location.parse(address if "://" in address else f"{scheme}://{address}")
    except ProtocolViolation as error:
        raise ConfigError(
            f"--address: {address[:200]!r}: expected host:port, http://host:port or https://host"
        ) from error
    if location.target != "/":
        raise ConfigError(f"--address: {address[:200]!r}: without a path, which is always the same")
    return str(location.origin)


def _port_of_serve(settings: Settings) -> int:
    holder = StateLock(settings.state_dir, install_dir=settings.install_dir).holder()
    if holder is None or holder.listen is None:
        raise ConfigError("ADDON_SYNC_LISTEN has port 0, and serve does not run: tell the port by --address")
    return Location.parse(holder.listen).origin.port
