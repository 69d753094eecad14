"""``addon-sync push``."""

import logging
from pathlib import Path
from typing import Any

import click

from receiver.cli.command import Command
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.notation import parse_size

_log = logging.getLogger(__name__)


@click.command("push", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("registry", required=False)
@click.option("--tag", metavar="TAG", help="instead of the tags in the file")
@click.option("--latest", is_flag=True, help="besides, point the tag latest at each addon")
@click.option("--dry-run", is_flag=True, help="say what would be sent, and send nothing")
@click.option("--chunk-size", metavar="SIZE", default="32MiB", show_default=True, help="how much one request sends")
@output_option
@settings_options(remote=True)
def command(
    file: Path,
    registry: str | None,
    tag: str | None,
    latest: bool,
    dry_run: bool,
    chunk_size: str,
    output: str,
    **options: Any,
) -> int:
    """Push every addon in FILE, the .oci.tar of an export, to addons/<name>:<tag> of REGISTRY (or of REGISTRY_URL).

    Only what the registry lacks is sent. A push that broke off is repeated, and goes on where it was; tags are set when
    everything else is there.

    \b
    Examples:
      addon-sync push K2s-1.4.0-addons-monitoring.oci.tar registry.local:30500 --insecure true
      addon-sync push K2s-1.4.0-addons-all.oci.tar --dry-run
      addon-sync push K2s-1.4.0-addons-monitoring.oci.tar --tag v1.0.1 --latest
    """
    try:
        chunk = parse_size(chunk_size)
    except ValueError as error:
        raise click.UsageError(f"--chunk-size {chunk_size!r}: {error}") from error
    settings = load_settings(options, registry=registry, output=output, remote=True)
    from receiver.cli.pushing import run  # noqa: PLC0415 - with it comes the client, which --help does not need

    return run(settings, file, tag=tag, latest=latest, dry_run=dry_run, chunk_size=chunk, output=output)
