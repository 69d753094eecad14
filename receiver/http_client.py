"""aiohttp's client, imported without the certificates of the system.

At its import aiohttp makes two TLS contexts and has them read every certificate of the system, a tenth of what a whole
`addon-sync sync` takes to begin, and which a registry without TLS never needs. So they stay empty. Whoever speaks TLS
gives each request a context of its own; who forgets it trusts nobody, and fails.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def _no_certificates() -> Iterator[None]:
    def nothing(*_arguments: Any, **_named: Any) -> None:
        """Read no certificate."""

    names = ("load_default_certs", "set_default_verify_paths")
    own = {name: vars(ssl.SSLContext)[name] for name in names if name in vars(ssl.SSLContext)}
    try:
        for name in names:
            setattr(ssl.SSLContext, name, nothing)
        yield
    finally:
        for name in names:
            if name in own:
                setattr(ssl.SSLContext, name, own[name])
            else:
                delattr(ssl.SSLContext, name)


with _no_certificates():
    import aiohttp

__all__ = ["aiohttp"]
