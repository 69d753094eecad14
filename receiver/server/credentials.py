"""Whether a request may notify us: Bearer, or Basic with the token as its password (RFC 6750, RFC 7617). Pure."""

import base64
import binascii
from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import compare_digest

from receiver.errors import NO_CREDENTIAL, Unauthenticated

Tokens = Callable[[], tuple[str, ...]]
"""The tokens that are valid now. Asked at every request, so it must not block; the same tuple until they change."""


class Words:
    """The words of a provider, as digests that are made anew when the words change."""

    def __init__(self, provider: Tokens) -> None:
        self._provider = provider
        self._known: tuple[str, ...] = ()
        self._digests: tuple[bytes, ...] = ()

    def hold(self, digest: bytes) -> bool:
        """Whether one of the words has this `digest_of`."""
        words = self._provider()
        if words is not self._known:
            # An empty token is a mistake in a list ("a,,b") and must not be one that an empty password matches.
            self._digests = tuple(digest_of(encoded(word)) for word in words if word)
            self._known = words
        # Digests have one length, and all are compared, so the time tells neither the length nor which one matched.
        matches = False
        for valid in self._digests:
            matches |= compare_digest(digest, valid)
        return matches


class Credentials:
    """Judges ``Authorization`` headers.

    Args:
        tokens: None where no token is configured: then everybody may send. A provider that has no token to give (an
            emptied file) lets nobody in.
    """

    def __init__(self, tokens: Tokens | None) -> None:
        self._words = None if tokens is None else Words(tokens)

    def check(self, authorization: Sequence[str]) -> None:
        """Judge the values of all ``Authorization`` headers of a request.

        Raises:
            Unauthenticated: no credential, more than one, or a wrong one; the text is always the same.
        """
        if self._words is None:
            return
        presented = presented_token(authorization)
        if presented is None or not self._words.hold(digest_of(presented)):
            raise refused()


def refused() -> Unauthenticated:
    """The one refusal: it never says what was wrong."""
    return Unauthenticated(NO_CREDENTIAL)


def presented_token(authorization: Sequence[str]) -> bytes | None:
    """The token in the values of all ``Authorization`` headers; None where there is none, or more than one."""
    return _token(authorization[0]) if len(authorization) == 1 else None


def digest_of(word: bytes) -> bytes:
    """What words are compared by."""
    return sha256(word).digest()


def encoded(text: str) -> bytes:
    """The bytes of a word; header bytes that are no UTF-8 arrive as lone surrogates."""
    return text.encode("utf-8", "surrogateescape")


def _token(authorization: str) -> bytes | None:
    scheme, _, credential = authorization.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return encoded(credential.strip())
        case "basic":
            return _password(encoded(credential.strip()))
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
