"""Whose page is behind a request, and by which name we are asked, by ``Origin`` and ``Host``. Pure."""

import re
from urllib.parse import urlsplit

from receiver.server.failures import is_loopback

_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]/?#@\s]+))(?::[0-9]{1,5})?\Z")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def named_host(authority: str) -> str:
    """The name or address in a ``Host`` header, in lower case and without brackets; nothing where there is none."""
    match = _HOST.match(authority)
    return "" if match is None else (match[1] or match[2]).lower()


def names_this_host(authority: str) -> bool:
    """Whether a ``Host`` header names loopback."""
    host = named_host(authority)
    return host == "localhost" or is_loopback(host)


def is_origin(origin: str, authority: str) -> bool:
    """Whether the page of an ``Origin`` header is one of the host and port that the ``Host`` header names."""
    # The scheme is the browser's word: a proxy before us may speak TLS, and we do not.
    place = _place(origin)
    return place is not None and place == _place(f"{origin.partition(':')[0].lower()}://{authority}")


def _place(url: str) -> tuple[str, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname else None
