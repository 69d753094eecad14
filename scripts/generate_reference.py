"""Write the reference of settings, commands and hazards, and templates, from the code, so that none drifts from it."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import click
import yaml

from receiver.cli.main import COMMANDS, cli
from receiver.diagnosis.snippet import snippet
from receiver.packaging import flux
from receiver.setting import Setting
from receiver.settings_table import SETTINGS
from receiver.webhook.decode import SENDERS
from receiver.webhook.proof import Proof, SecretPath, Signature, Token, Verbatim
from receiver.webhook.sender import Sender
from scripts import generate_hardening

ROOT = Path(__file__).parents[1]
_NOTE = "<!-- Written by scripts/generate-reference from the code; a test compares it. -->"
_NOTATION = """\
Flag over environment over `--config FILE` over default. An environment variable that is set to nothing counts as not
set. An unknown key in the file, a key that stands twice, a value of the wrong type or an unreadable file ends the
command with exit code 2 and a line that names it. A setting without a flag is given by variable or file.

| notation | examples |
|---|---|
| BOOL | `true`, `$true`, `1`, `false`, `$false`, `0`; any case |
| DURATION | `90s`, `5m`, `1h30m`, `250ms`, `30d`; `0` |
| SIZE | `64MiB`, `1GiB`, `4096` (bytes) |
| COUNT | `4`; from 1 |
| LIST | comma separated; in YAML also a list |
| ADDRESS | `127.0.0.1:8080`, `[::1]:0`, `:8080` (all addresses) |

A secret is given by the variable or, better, by a file: append `_FILE` to the variable or `_file` to the YAML key. The
file is read again when it changes. There is no flag for the secret itself, since other users see command lines.

```yaml
# addon-sync.yaml
registry_url: oci://registry.local:30500
token_file: /etc/addon-sync/token
poll_interval: 10m
repositories: [addons/monitoring, addons/ingress-nginx]
```
"""
_SENDERS = """\
## Credentials of senders

In the YAML file only. Each key takes a text or a list of texts, all valid at once; with `_file` behind it, a file with
one on each line, which is read again when it changes.

```yaml
senders:
  ghcr: [the secret of the webhook, the one before]
  harbor_file: /etc/addon-sync/harbor
  dockerhub_file: /etc/addon-sync/dockerhub
```

A credential speaks for its sender only; a token of `ADDON_SYNC_TOKEN` speaks for all. Where neither is configured,
which `serve` allows on a loopback address only, those who could have sent a token need none; all others are refused.
"""


def settings() -> str:
    """``docs/reference/settings.md``."""
    table = ["| variable | flag, YAML key | value | default | meaning |", "|---|---|---|---|---|", *map(_row, SETTINGS)]
    senders = ["| key | how the sender shows it |", "|---|---|", *map(_sender, SENDERS)]
    return "\n".join(["# Settings", "", _NOTE, "", _NOTATION, *table, "", _SENDERS, *senders]) + "\n"


def _sender(sender: Sender) -> str:
    keys = ", ".join(f"`{key}`" for key in (sender.name, *sender.aliases))
    return f"| {keys} | {'; or '.join(map(_proof, sender.proofs))} |"


def _proof(proof: Proof) -> str:
    match proof:
        case Token():
            return "`Authorization: Bearer TEXT`, or Basic with it as the password"
        case Verbatim():
            return f"`{proof.header.title()}: TEXT`, where a token of `ADDON_SYNC_TOKEN` is taken too"
        case Signature():
            prefix = f"`{proof.prefix}` and " if proof.prefix else ""
            return f"`{proof.header.title()}`: {prefix}the HMAC-{proof.algorithm.upper()} of the body, hexadecimal"
        case SecretPath():
            return "`POST /v1/notifications/TEXT`, at least 16 letters, digits or any of `-._~`"


def _row(setting: Setting) -> str:
    name = f"`{setting.name}`" + (f", `{setting.name}_FILE`" if setting.secret else "")
    key = f"`{setting.key}`" + (f", `{setting.key}_file`" if setting.secret else "")
    value = setting.placeholder
    flag = f"`{setting.flag}`, " if setting.has_flag else ""
    return f"| {name} | {flag}{key} | {value} | {_default(setting)} | {setting.help} |"


def _default(setting: Setting) -> str:
    if setting.windows is not None:
        return f"`{setting.windows}` on Windows"
    return f"`{setting.default}`" if setting.default else "none"


def commands() -> str:
    """``docs/reference/commands.md``."""
    parts = ["# Commands", "", _NOTE, "", "`addon-sync COMMAND`, or `python -m receiver COMMAND`.", ""]
    parts += ["| exit code | |", "|---|---|", "| 0 | done, also where there was nothing to do |"]
    parts += ["| 1 | at least one addon failed; `doctor`: something is broken |", "| 2 | usage or configuration |"]
    with click.Context(cli, info_name="addon-sync") as context:
        for name in COMMANDS:
            command = cli.get_command(context, name)
            assert command is not None
            parts += ["", *_command(command, click.Context(command, info_name=name, parent=context))]
    return "\n".join(parts) + "\n"


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    text, _, examples = inspect.cleandoc(command.help or "").partition("\b")
    yield from (f"## {context.command_path}", "", f"`{usage}`", "", text.strip(), "", "```sh")
    yield from (line.strip() for line in examples.strip().splitlines()[1:])
    yield from ("```", "", "| flag | meaning |", "|---|---|")
    options = [option for option in command.params if isinstance(option, click.Option)]
    own = [option for option in options if option.opts[0] not in _FLAGS]
    yield from (_option(option) for option in own)
    shared = ", ".join(f"`{option.opts[0]}`" for option in options if option.opts[0] in _FLAGS)
    yield from ("", f"Settings ([settings.md](settings.md)): {shared}.")


_FLAGS = {setting.flag for setting in SETTINGS if setting.has_flag}


def _option(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    choices = f" ({', '.join(option.type.choices)})" if isinstance(option.type, click.Choice) else ""
    value = f" {option.metavar or option.type.name.upper()}" if not option.is_flag and not choices else ""
    return f"| {names}{value}{choices} | {option.help} |"


def hardening() -> str:
    """``docs/reference/hardening.md``."""
    return generate_hardening.hardening(_NOTE)


def distribution() -> str:
    """``deploy/registries/distribution.yml``."""
    found = snippet("distribution", _PLACEHOLDER)
    head = [
        "Into the configuration of the Docker registry (Distribution 2.x and 3.x). Replace ADDRESS and TOKEN.",
        *found.traps,
    ]
    return "".join(f"# {line}\n" for line in head) + found.configuration


def zot() -> str:
    """``deploy/registries/zot.json``."""
    return snippet("zot", _PLACEHOLDER).configuration


_PLACEHOLDER = "http://ADDRESS:8080"


_TEMPLATE = """\
# Written by scripts/generate-reference from receiver/packaging/flux.py; a test compares it.
# `addon-sync register ADDON` prints it filled in. By hand: replace each word that ends with _PLACEHOLDER, and apply it.
"""


def oci_repository_template() -> str:
    """``deploy/fluxcd/per-addon/ocirepository-template.yaml``."""
    return _template(
        flux.oci_repository(
            "addon-sync-ADDON_NAME_PLACEHOLDER",
            addon="ADDON_NAME_PLACEHOLDER",
            url="oci://REGISTRY_HOST_PLACEHOLDER/addons/ADDON_NAME_PLACEHOLDER",
            insecure="INSECURE_PLACEHOLDER",
            semver=">=0.0.0-0",
            interval="1m",
        )
    )


def kustomization_template() -> str:
    """``deploy/fluxcd/per-addon/kustomization-template.yaml``."""
    return _template(flux.kustomization("addon-sync-ADDON_NAME_PLACEHOLDER", addon="ADDON_NAME_PLACEHOLDER"))


def _template(resource: flux.Resource) -> str:
    return _TEMPLATE + yaml.safe_dump(resource, sort_keys=False)


DOCUMENTS = {
    "docs/reference/settings.md": settings,
    "docs/reference/commands.md": commands,
    "docs/reference/hardening.md": hardening,
    "deploy/registries/distribution.yml": distribution,
    "deploy/registries/zot.json": zot,
    "deploy/fluxcd/per-addon/ocirepository-template.yaml": oci_repository_template,
    "deploy/fluxcd/per-addon/kustomization-template.yaml": kustomization_template,
}
"""Where each document lies, below the root of the repository."""


def main() -> None:
    """Write them."""
    for path, render in DOCUMENTS.items():
        (ROOT / path).write_text(render(), encoding="utf-8", newline="\n")
        print(path)


if __name__ == "__main__":
    main()
