"""Takes a doubled Content-Type out of a request before aiohttp sees it. Pure.

Distribution adds a Content-Type that is configured for an endpoint to its own, so it may arrive twice. aiohttp answers
that with 400 (from 3.13.4 on, aio-libs/aiohttp#12240, and no setting changes it), and Distribution repeats what was
answered with 400 for ever, ahead of all other events. Only Content-Type is touched, which frames nothing; whatever else
is doubled stays aiohttp's to refuse.
"""

from functools import lru_cache

_END = b"\r\n\r\n"
_METHOD = b"POST "
_MAX_HELD = 32 * 1024
"""Bytes of a head that are held back; a longer one passes as it is."""
_MAX_DIGITS = 12
"""Of a length: more bytes than that are refused in any case, and short numbers are read quickly."""
_CONTENT_TYPE = b"\r\ncontent-type:"
_CONTENT_LENGTH = b"\r\ncontent-length:"


class HeadFilter:
    """Passes the bytes of a connection on; the head of a POST once it is whole, with the first Content-Type only.

    After a body of known length the next head is looked at, answered or not: a proxy may send one request after another
    without waiting. Where the length is not known (chunks, other methods), what follows passes until `expect_head`.
    """

    __slots__ = ("_expecting", "_held", "_left", "is_whole")

    def __init__(self) -> None:
        self._expecting = True
        self._held = b""
        self._left: int | None = None
        """Bytes of the body that did not pass yet; None where nobody knows."""
        self.is_whole = False
        """Whether the head of this request is known to have passed whole. Of methods other than POST it never is."""

    def expect_head(self) -> None:
        """The request is answered: where its end was not known, this is it."""
        self.is_whole = False
        if self._left is None:
            self._expecting = True

    def feed(self, received: bytes) -> bytes:
        """What to pass on now; nothing while a head is incomplete."""
        passed = b""
        while received:
            part, received = self._pass_head(received) if self._expecting else self._pass_body(received)
            passed += part
        return passed

    def _pass_head(self, received: bytes) -> tuple[bytes, bytes]:
        """A head and what is there of its body, and what comes after that."""
        received, self._held = self._held + received, b""
        if not _METHOD.startswith(received[: len(_METHOD)]):
            # Also what is no HTTP at all, such as TLS: its answer must not wait for the end of a head.
            self._expecting, self._left = False, None
            return received, b""
        end = received.find(_END)
        if end < 0 and len(received) <= _MAX_HELD:
            self._held = received
            return b"", b""
        self.is_whole = end >= 0
        is_doubled, length = _judge(received[: max(end, 0)])
        self._expecting, self._left = False, length
        rest = b""
        if length is not None:
            size = end + len(_END) + length
            received, rest = received[:size], received[size:]
            self._passed(len(received) - end - len(_END))
        return _with_one_content_type(received, end) if is_doubled else received, rest

    def _pass_body(self, received: bytes) -> tuple[bytes, bytes]:
        if self._left is None:
            return received, b""
        part, rest = received[: self._left], received[self._left :]
        self._passed(len(part))
        return part, rest

    def _passed(self, size: int) -> None:
        if self._left is not None:
            self._left -= size
            self._expecting = self._left == 0


@lru_cache(maxsize=64)
def _judge(head: bytes) -> tuple[bool, int | None]:
    """Whether a head has two Content-Types, and the length of its body. Remembered, since senders repeat themselves."""
    lower = head.lower()
    return lower.count(_CONTENT_TYPE) > 1, _body_length(lower)


def _body_length(head: bytes) -> int | None:
    """The length that a head in lower case tells; None where it tells none, or aiohttp may read it otherwise."""
    if head.count(_CONTENT_LENGTH) != 1 or b"\r\ntransfer-encoding:" in head or b"\r\n " in head or b"\r\n\t" in head:
        return None
    value = head.partition(_CONTENT_LENGTH)[2].partition(b"\r\n")[0].strip()
    return int(value) if value.isdigit() and len(value) <= _MAX_DIGITS else None


def _with_one_content_type(received: bytes, end: int) -> bytes:
    lines = received[:end].split(b"\r\n")
    if any(line.startswith((b" ", b"\t")) for line in lines):
        # A folded line (RFC 9112 section 5.2) would be left to belong to another field: not for us to judge.
        return received
    first = next(line for line in lines if _is_content_type(line))
    kept = [line for line in lines if line is first or not _is_content_type(line)]
    return b"\r\n".join(kept) + received[end:]


def _is_content_type(line: bytes) -> bool:
    return line[:13].lower() == b"content-type:"
