"""Digests: what may become a path or a URL."""

import hashlib

import pytest

from receiver.errors import UnsupportedContent
from receiver.oci.digest import Digest

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "text",
    [f"sha256:{HEX.upper()}", f"SHA256:{HEX}", f"sha256:{HEX[:-1]}", f"sha256:{HEX}0", f"sha256:{HEX}\n",
     f" sha256:{HEX}",
     f"sha512:{HEX * 2}", f"sha1:{HEX[:40]}", f"md5:{HEX[:32]}", f"sha256+b64u:{HEX}", HEX, "", "sha256:",
     "sha256:../../../etc/passwd",
     f"sha256:{'g' * 64}", f"sha256:{'١' * 64}"],
)  # fmt: skip
def test_what_is_no_sha256_digest_is_refused(text: str) -> None:
    """Hazards I7: a digest names files and URLs, so a newline or a path must not pass (CVE-2024-3727)."""
    with pytest.raises(UnsupportedContent, match="not a sha256 digest"):
        Digest.parse(text)


def test_a_digest_reads_as_it_is_written() -> None:
    """And is that of the content."""
    assert str(Digest.parse(f"sha256:{HEX}")) == f"sha256:{HEX}"
    assert Digest.of(b"x") == Digest.parse("sha256:" + hashlib.sha256(b"x").hexdigest())


def test_an_error_does_not_repeat_megabytes() -> None:
    """The text goes into logs."""
    with pytest.raises(UnsupportedContent) as caught:
        Digest.parse("x" * 1_000_000)
    assert len(str(caught.value)) < 200
