"""How senders prove who they are: what each registry can be told to put into its requests. Pure.

A registry offers what it offers, so each row of the table of senders names its proofs; `receiver.server.gate` judges
them. A secret in the path is the weakest (proxies write paths into their logs) and stands only where a sender can do
nothing else.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Token:
    """``Authorization: Bearer SECRET``, or Basic with the secret as the password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbatim:
    """The secret is all of the value of a header."""

    header: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A header holds ``prefix`` and the hexadecimal HMAC of the body, as its bytes came, with the secret as the key."""

    header: str
    algorithm: Literal["sha1", "sha256"]
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class SecretPath:
    """The secret is the last segment of the path."""


Proof = Token | Verbatim | Signature | SecretPath
