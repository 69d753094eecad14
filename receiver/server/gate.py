"""For which senders the credential of a request speaks: by its headers, its path or the signature of its body. Pure.

A token of ADDON_SYNC_TOKEN speaks for everybody, a credential under ``senders:`` for its sender only. What a delivery
is turns out when it is decoded; `Notifications.take` compares. Where nothing is configured (on loopback only, which
``serve`` sees to), those may send without a credential who could have sent a token. Who has a proof of its own must
always show it: such a sender is on the internet as a rule, and comes through a proxy on this machine. A browser may
not: it could have sent no token, and asks for whatever page is open in it.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Protocol

from receiver.errors import FROM_A_BROWSER, Unauthenticated
from receiver.server.credentials import Tokens, Words, digest_of, encoded, presented_token, refused
from receiver.webhook.decode import BY_KEY, SENDERS, UNKNOWN
from receiver.webhook.proof import SecretPath, Signature, Token, Verbatim

Grant = frozenset[str]
"""Names of senders. What nobody recognises is always among them: it is kept, and there is no credential of its own."""

EVERYBODY: Grant = frozenset({UNKNOWN, *(sender.name for sender in SENDERS)})
WITHOUT_CREDENTIAL: Grant = frozenset({UNKNOWN, *(sender.name for sender in SENDERS if Token() in sender.proofs)})
_OF_BROWSERS = ("Origin", "Sec-Fetch-Site")
"""Headers that a page cannot leave out and no registry sends (Fetch standard; W3C Fetch Metadata Request Headers)."""


class Headers(Protocol):
    """Those of a request, by name in any case."""

    def getall(self, key: str, default: list[str], /) -> list[str]:
        """All values of a header."""
        ...


class Signed:
    """What the headers claim, until the body is there."""

    __slots__ = ("_claims",)

    def __init__(self, claims: Sequence[tuple[str, Signature, bytes, tuple[str, ...]]]) -> None:
        self._claims = claims

    def verify(self, body: bytes) -> Grant:
        """Judge the signatures over ``body``.

        Raises:
            Unauthenticated: none of them is right.
        """
        names = [
            name
            for name, signature, presented, secrets in self._claims
            if _signs(secrets, body, signature.algorithm, presented)
        ]
        if not names:
            raise refused()
        return frozenset({UNKNOWN, *names})


class Gate:
    """Judges requests.

    Args:
        tokens: the shared ones; None where none is configured.
        senders: the credentials of single senders, by the names of `BY_KEY`.
    """

    def __init__(self, tokens: Tokens | None, senders: Mapping[str, Tokens]) -> None:
        self._is_open = tokens is None and not senders
        self._shared = None if tokens is None else Words(tokens)
        self._tokens: list[tuple[str, Words]] = []
        self._verbatim: list[tuple[str, str, Words]] = []
        self._signatures: list[tuple[str, Signature, Tokens]] = []
        self._paths: list[tuple[str, Words]] = []
        for key, provider in senders.items():
            self._add(key, provider)
        if self._shared is not None:
            for sender in SENDERS:
                self._add_verbatim(sender.name, self._shared)

    def _add(self, key: str, provider: Tokens) -> None:
        sender, words = BY_KEY[key], Words(provider)
        for proof in sender.proofs:
            match proof:
                case Token():
                    self._tokens.append((sender.name, words))
                case Signature():
                    self._signatures.append((sender.name, proof, provider))
                case SecretPath():
                    self._paths.append((sender.name, words))
        self._add_verbatim(sender.name, words)

    def _add_verbatim(self, name: str, words: Words) -> None:
        for proof in BY_KEY[name].proofs:
            if isinstance(proof, Verbatim):
                self._verbatim.append((name, proof.header, words))

    def admit(self, headers: Headers) -> Grant | Signed:
        """For whom a request to the usual path speaks; `Signed` where only its body can tell.

        Raises:
            Unauthenticated: no credential, or none that is right; or none is needed, and a browser asks.
        """
        if self._is_open:
            if any(headers.getall(name, []) for name in _OF_BROWSERS):
                raise Unauthenticated(FROM_A_BROWSER)
            return WITHOUT_CREDENTIAL
        token = presented_token(headers.getall("Authorization", []))
        if token is not None:
            digest = digest_of(token)
            if self._shared is not None and self._shared.hold(digest):
                return EVERYBODY
            if names := [name for name, words in self._tokens if words.hold(digest)]:
                return frozenset({UNKNOWN, *names})
        return self._by_other_headers(headers)

    def _by_other_headers(self, headers: Headers) -> Grant | Signed:
        names = [
            name
            for name, header, words in self._verbatim
            if (value := _only(headers, header)) is not None and words.hold(digest_of(encoded(value)))
        ]
        if names:
            return frozenset({UNKNOWN, *names})
        claims = [
            (name, signature, presented, provider())
            for name, signature, provider in self._signatures
            if (presented := _presented(headers, signature)) is not None
        ]
        if not claims:
            raise refused()
        return Signed(claims)

    def admit_path(self, secret: str) -> Grant:
        """For whom a request speaks whose path ends with ``secret``.

        Raises:
            Unauthenticated: nobody has this secret.
        """
        digest = digest_of(encoded(secret))
        names = [name for name, words in self._paths if words.hold(digest)]
        if not names:
            raise refused()
        return frozenset({UNKNOWN, *names})


def _only(headers: Headers, name: str) -> str | None:
    """The value of a header that is there once; of two, another reader might take the other one."""
    values = headers.getall(name, [])
    return values[0].strip() if len(values) == 1 else None


def _presented(headers: Headers, signature: Signature) -> bytes | None:
    value = _only(headers, signature.header)
    if value is None or not value.startswith(signature.prefix):
        return None
    try:
        return bytes.fromhex(value[len(signature.prefix) :])
    except ValueError:
        return None


def _signs(secrets: Sequence[str], body: bytes, algorithm: str, presented: bytes) -> bool:
    matches = False
    for secret in secrets:
        matches |= hmac.compare_digest(hmac.digest(encoded(secret), body, algorithm), presented)
    return matches
