"""``addon-sync register``."""

import re
import sys
from collections.abc import Callable
from typing import Any

import click

from receiver.addon import AddonRepository
from receiver.cli.options import load_settings, output_option, settings_options
from receiver.cli.output import print_json
from receiver.packaging.flux import kustomization, oci_repository, resource_name

_SETTINGS = {
    "REGISTRY_URL",
    "INSECURE",
    "ADDON_SYNC_REPOSITORY_PREFIX",
    "ADDON_SYNC_SEMVER_RANGE",
    "ADDON_SYNC_LOG_FORMAT",
}
_INTERVAL = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+\Z")
"""Durations as Flux takes them (source-controller, ``spec.interval``)."""
_SECRET = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")


def _like(
    pattern: re.Pattern[str], expected: str
) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    def judge(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
        if value is not None and pattern.match(value) is None:
            raise click.BadParameter(f"{value[:80]!r}: expected {expected}")
        return value

    return judge


@click.command("register")
@click.argument("addon", nargs=-1, required=True)
@click.option(
    "--interval",
    default="1m",
    show_default=True,
    metavar="DURATION",
    callback=_like(_INTERVAL, "a duration such as 30s, 5m or 1h30m"),
    help="how often Flux asks the registry",
)
@click.option(
    "--pull-secret",
    metavar="NAME",
    callback=_like(_SECRET, "the name of a Secret in k2s-addon-sync"),
    help="Secret (docker-registry) with the account by which Flux pulls",
)
@click.option(
    "--ca-secret",
    metavar="NAME",
    callback=_like(_SECRET, "the name of a Secret in k2s-addon-sync"),
    help="Secret with ca.crt, the authority of the registry's certificate",
)
@output_option
@settings_options(only=_SETTINGS)
def command(
    addon: tuple[str, ...],
    interval: str,
    pull_secret: str | None,
    ca_secret: str | None,
    output: str,
    **options: Any,
) -> int:
    """Print the OCIRepository and the Kustomization by which FluxCD watches each ADDON, to apply once.

    It changes nothing: the output is for kubectl. Needs no K2s on this machine, and no connection to the registry.

    \b
    Examples:
      addon-sync register monitoring --registry-url oci://registry.local:30500 --insecure true | kubectl apply -f -
      addon-sync register monitoring ingress-nginx --config addon-sync.yaml | kubectl delete -f -
    """
    import yaml  # noqa: PLC0415 - the help of this command needs none

    settings = load_settings(options, output="json", remote=True)  # errors must not reach kubectl
    named = {"secretRef": pull_secret, "certSecretRef": ca_secret}
    secrets = {field: name for field, name in named.items() if name is not None}
    documents = []
    for text in addon:
        repository = AddonRepository.named(text, prefix=settings.repository_prefix)
        name = resource_name(repository.leaf)
        url = f"oci://{settings.registry.authority}/{repository.name}"
        source = oci_repository(
            name,
            addon=str(repository.leaf),
            url=url,
            insecure=settings.registry.scheme == "http",
            semver=settings.semver_range.replace("==", "="),  # as Flux writes it
            interval=interval,
            secrets=secrets,
        )
        documents += [source, kustomization(name, addon=str(repository.leaf))]
    if output == "json":
        print_json({"apiVersion": "v1", "kind": "List", "items": documents})
    else:
        yaml.safe_dump_all(documents, sys.stdout, sort_keys=False, explicit_start=True)
    return 0
