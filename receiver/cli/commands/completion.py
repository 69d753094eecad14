"""``addon-sync completion``."""

import click

from receiver.cli.command import Command
from receiver.cli.completion import script
from receiver.errors import ConfigError


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish", "powershell"]))
@click.pass_context
def command(context: click.Context, shell: str) -> int:
    """Print what makes SHELL complete commands, flags, senders, and the addons and releases that this host has.

    bash from 4.4, zsh, fish, PowerShell from 5.1 (with click from 8.5). Names of addons come from the state folder, so
    the account of the shell must be able to read it, and K2S_INSTALL_DIR or a flag must tell where it is.

    \b
    Examples:
      eval "$(addon-sync completion bash)"
      addon-sync completion bash > /etc/bash_completion.d/addon-sync
      addon-sync completion zsh > "${fpath[1]}/_addon-sync"
      addon-sync completion fish > ~/.config/fish/completions/addon-sync.fish
      addon-sync completion powershell | Out-String | Invoke-Expression
    """
    found = script(shell, context.find_root().command, "addon-sync")
    if found is None:
        raise ConfigError(f"the click that is installed here cannot do this for {shell}: update it to 8.5 or later")
    click.echo(found.encode(), nl=False)
    return 0
