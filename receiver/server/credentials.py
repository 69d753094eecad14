"""Whether a request may notify us: Bearer, or Basic with the token as its password (RFC 6750, RFC 7617). Pure."""

import base64
import binascii
from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import compare_digest

from receiver.errors import Unauthenticated

Tokens = Callable[[], tuple[str, ...]]
"""The tokens that are valid now. Asked at every request, so it must not block; the same tuple until they change."""


class Credentials:
    """Judges ``Authorization`` headers.

    Args:
        tokens: None where no token is configured: then everybody may send. A provider that has no token to give (an
            emptied file) lets nobody in.
    """

    def __init__(self, tokens: Tokens | None) -> None:
        self._tokens = tokens
        self._known: tuple[str, ...] = ()
        self._digests: tuple[bytes, ...] = ()

    def check(self, authorization: Sequence[str]) -> None:
        """Judge the values of all ``Authorization`` headers of a request.

        Raises:
            Unauthenticated: no credential, more than one, or a wrong one; the text is always the same.
        """
        if self._tokens is None:
            return
        presented = _token(authorization[0]) if len(authorization) == 1 else None
        if presented is None or not self._is_valid(presented, self._tokens()):
            raise Unauthenticated("a valid credential is required")

    def _is_valid(self, presented: bytes, tokens: tuple[str, ...]) -> bool:
        if tokens is not self._known:
            # An empty token is a mistake in a list ("a,,b") and must not be one that an empty password matches.
            self._digests = tuple(sha256(_encoded(token)).digest() for token in tokens if token)
            self._known = tokens
        digest = sha256(presented).digest()
        # Digests have one length, and all are compared, so the time tells neither the length nor which one matched.
        matches = False
        for valid in self._digests:
            matches |= compare_digest(digest, valid)
        return matches


def _token(authorization: str) -> bytes | None:
    scheme, _, credential = authorization.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return _encoded(credential.strip())
        case "basic":
            return _password(_encoded(credential.strip()))
        case _:
            return None


def _password(credential: bytes) -> bytes | None:
    try:
        user_and_password = base64.b64decode(credential, validate=True)
    except binascii.Error:
        return None
    # Only the first colon separates, a password may hold some (RFC 7617 section 2). Without any it is empty, which no
    # token is.
    return user_and_password.partition(b":")[2]


def _encoded(text: str) -> bytes:
    # Header bytes that are no UTF-8 arrive as lone surrogates.
    return text.encode("utf-8", "surrogateescape")
