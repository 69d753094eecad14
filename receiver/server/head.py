"""Takes a doubled Content-Type out of a request before aiohttp sees it. Pure.

Distribution adds a Content-Type that is configured for an endpoint to its own, so it may arrive twice. aiohttp answers
that with 400 (from 3.13.4 on, aio-libs/aiohttp#12240, and no setting changes it), and Distribution repeats what was
answered with 400 for ever, ahead of all other events. Only Content-Type is touched, which frames nothing; whatever else
is doubled stays aiohttp's to refuse.
"""

_END = b"\r\n\r\n"
_METHOD = b"POST "
_MAX_HELD = 32 * 1024
"""Bytes of a head that are held back; a longer one passes as it is."""


class HeadFilter:
    """Passes the bytes of a connection on; the head of a POST once it is whole, with the first Content-Type only.

    What follows a head passes untouched until `expect_head`. A client that sends the next request without waiting for
    an answer gets past this, which no sender does.
    """

    __slots__ = ("_expecting", "_held", "is_whole")

    def __init__(self) -> None:
        self._expecting = True
        self._held = b""
        self.is_whole = False
        """Whether the head of this request is known to have passed whole. Of methods other than POST it never is."""

    def expect_head(self) -> None:
        """The request is answered: what comes next is another head."""
        self._expecting = True
        self.is_whole = False

    def feed(self, received: bytes) -> bytes:
        """What to pass on now; nothing while a head is incomplete."""
        if not self._expecting:
            return received
        received = self._held + received
        if not _METHOD.startswith(received[: len(_METHOD)]):
            # Also what is no HTTP at all, such as TLS: its answer must not wait for the end of a head.
            return self._pass(received)
        end = received.find(_END)
        if end < 0 and len(received) <= _MAX_HELD:
            self._held = received
            return b""
        self.is_whole = end >= 0
        return self._pass(_with_one_content_type(received, end))

    def _pass(self, received: bytes) -> bytes:
        self._expecting = False
        self._held = b""
        return received


def _with_one_content_type(received: bytes, end: int) -> bytes:
    head = received[: max(end, 0)]
    if head.lower().count(b"\r\ncontent-type:") < 2:
        return received
    lines = head.split(b"\r\n")
    if any(line.startswith((b" ", b"\t")) for line in lines):
        # A folded line (RFC 9112 section 5.2) would be left to belong to another field: not for us to judge.
        return received
    first = next(line for line in lines if _is_content_type(line))
    kept = [line for line in lines if line is first or not _is_content_type(line)]
    return b"\r\n".join(kept) + received[end:]


def _is_content_type(line: bytes) -> bool:
    return line[:13].lower() == b"content-type:"
