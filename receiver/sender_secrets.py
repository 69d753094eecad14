"""The section ``senders`` of the settings file: the credentials of single senders, by the names in `receiver.webhook`.

Only a file that has the section pays for the table of senders. There is no flag and no variable: a dozen more of each
would hide the others, and a file is where secrets belong.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from receiver.errors import ConfigError
from receiver.secret import Secret, lines

SECTION = "senders"
_IN_URL = re.compile(r"[A-Za-z0-9._~-]{16,}\Z")
"""Unreserved characters (RFC 3986 section 2.3), so that no proxy rewrites them; and more of them than one can guess."""


def keys() -> dict[str, tuple[type, ...]]:
    """The keys of the section, with the section before them, and the types that their values may have."""
    from receiver.webhook.decode import BY_KEY  # noqa: PLC0415 - see the module's docstring

    forms: tuple[tuple[str, tuple[type, ...]], ...] = (("", (str, list)), ("_file", (str,)))
    return {f"{SECTION}.{key}{suffix}": types for key in BY_KEY for suffix, types in forms}


def sender_secrets(values: Mapping[str, str], where: Callable[[str], str]) -> dict[str, Secret]:
    """The credentials in ``values`` by sender; ``where`` says where a key stands.

    Raises:
        ConfigError: a sender has two forms or no word, a file cannot be read, a secret does not fit into a URL.
    """
    found = [key for key in values if key.startswith(f"{SECTION}.")]
    return {key.removeprefix(f"{SECTION}."): _secret(key, values, where) for key in _without_forms(found, where)}


def _without_forms(keys: list[str], where: Callable[[str], str]) -> list[str]:
    names = [key.removesuffix("_file") for key in keys]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{where(name)} and {name}_file are both set: keep one")
    return names


def _secret(key: str, values: Mapping[str, str], where: Callable[[str], str]) -> Secret:
    text, file = values.get(key), values.get(f"{key}_file")
    path = None if file is None else Path(file)
    secret = Secret(key=key, split=lines, text=text, file=path, suffix="_file")
    place = where(key if file is None else f"{key}_file")
    if not secret.words():
        raise ConfigError(f"{place} is set and holds no word")
    if _is_path(key) and not all(_IN_URL.match(word) for word in secret.words()):
        raise ConfigError(f"{place}: it is part of a URL: give at least 16 letters, digits or any of -._~")
    return secret


def _is_path(key: str) -> bool:
    from receiver.webhook.decode import BY_KEY  # noqa: PLC0415 - see the module's docstring
    from receiver.webhook.proof import SecretPath  # noqa: PLC0415 - see the module's docstring

    return SecretPath() in BY_KEY[key.removeprefix(f"{SECTION}.")].proofs
