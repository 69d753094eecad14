"""A content digest. Only SHA-256: what other algorithms a registry may offer is not for us to trust."""

import hashlib
import re
from typing import Self

from receiver.document import Value
from receiver.errors import UnsupportedContent

# image-spec descriptor.md "Digests"; \Z and not $, which would let a newline pass (as in CVE-2024-3727).
_PATTERN = re.compile(r"sha256:([a-f0-9]{64})\Z")


class Digest(Value, frozen=True, order=True):
    """``sha256:`` and 64 lower-case hexadecimal digits; safe in a path and in a URL."""

    hex: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Judge ``text``.

        Raises:
            UnsupportedContent: anything but a well-formed SHA-256 digest.
        """
        match = _PATTERN.match(text)
        if match is None:
            raise UnsupportedContent(f"not a sha256 digest: {text[:80]!r}")
        return cls(match[1])

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Compute the digest of ``content``."""
        return cls(hashlib.sha256(content).hexdigest())

    def __str__(self) -> str:
        return f"sha256:{self.hex}"
