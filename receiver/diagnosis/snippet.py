"""The configuration to paste, for each sender: package data with a place for the address. Never a secret.

A snippet is data, so that its words are the registry's own: ``senders/<name>.toml``, by the names under which the
credentials of senders are configured.
"""

import os
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Literal

PATH = "/v1/notifications"
_ADDRESS = "{{URL}}"

Proof = Literal["token", "signature", "path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """What to tell a registry so that it notifies us. ``TOKEN`` and ``SECRET`` stand for what the operator has."""

    title: str
    place: str
    """Where the configuration goes."""
    language: str
    secret: Proof
    """How the sender shows who it is."""
    prefix: str
    """An example of what stands before the addons' names."""
    configuration: str
    traps: tuple[str, ...]


def snippet(sender: str, origin: str) -> Snippet:
    """The snippet of ``sender``, one of `receiver.webhook.decode.BY_KEY`, for a receiver at ``origin``."""
    text = resources.files("receiver.diagnosis").joinpath("senders", f"{sender}.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    configuration = document.pop("configuration").replace(_ADDRESS, origin + PATH)
    return Snippet(configuration=configuration, traps=tuple(document.pop("traps")), **document)


def secret_words(sender: str, proof: Proof, *, token: str | None, own: str | None) -> str:
    """What ``TOKEN`` or ``SECRET`` stands for; ``token`` and ``own``: where the shared one and the sender's are."""
    word = "TOKEN" if proof == "token" else "SECRET"
    if own is not None:
        return f"{word} stands for what is configured by {own}."
    if proof == "token":
        if token is not None:
            return f"{word} stands for what is configured by {token}."
        return f"No token is configured. Make one, and give its file to serve by --token-file: {_making('token.txt')}"
    return (
        f"No secret is configured for this sender. Make one, {_making(f'{sender}.txt')}, and name the file in the "
        f"settings file (--config): senders: {{{sender}_file: …/{sender}.txt}}"
    )


def _making(file: str) -> str:
    """What puts a secret into ``file``, for the eyes of its owner; on Windows the folder says whose these are."""
    command = f'python -c "import secrets; print(secrets.token_urlsafe(32))" > {file}'
    return command if os.name == "nt" else f"(umask 077; {command})"
