"""The one correction that is made to a request before it is parsed."""

import pytest

from receiver.server.head import HeadFilter

HEAD = b"POST /v1/notifications HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\n"
ONE = HEAD + b"Content-Length: 2\r\n\r\n{}"
TWO = HEAD + b"content-TYPE: c/d\r\nContent-Length: 2\r\n\r\n{}"


def test_the_first_content_type_stays() -> None:
    """aiohttp would answer 400, and the sender would repeat it for ever."""
    assert HeadFilter().feed(TWO) == ONE


@pytest.mark.parametrize("size", range(1, len(TWO)))
def test_a_head_in_pieces_is_the_same_head(size: int) -> None:
    """The network cuts where it likes."""
    head = HeadFilter()
    assert b"".join(head.feed(TWO[at : at + size]) for at in range(0, len(TWO), size)) == ONE


@pytest.mark.parametrize(
    "received",
    [
        ONE,
        b"POST / HTTP/1.1\r\nHost: a\r\n\r\nx\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST / HTTP/1.1\r\nContent-Type: a\r\nContent-Type: b\r\n Content-Length: 5\r\n\r\n",
        b"POST / HTTP/1.1\r\nX-Content-Type: a\r\nContent-Type-X: b\r\nContent-Type: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\r\n\r\n",
    ],
    ids=["one", "in the body", "lengths", "folded", "look-alikes", "no POST", "TLS", "blank"],
)
def test_everything_else_passes_as_it_came(received: bytes) -> None:
    """What frames a message is never touched, and what is no POST does not even wait."""
    assert HeadFilter().feed(received) == received


def test_a_body_passes_at_once_and_the_next_head_is_looked_at() -> None:
    """A body may look like anything."""
    head = HeadFilter()
    assert head.feed(TWO) == ONE
    assert head.feed(b"POST ") == b"POST "
    head.expect_head()
    assert head.feed(TWO) == ONE


def test_an_endless_head_is_not_held_for_ever() -> None:
    """aiohttp has limits for it, and refuses."""
    head = HeadFilter()
    assert head.feed(b"POST /" + b"a" * 30_000) == b""
    assert len(head.feed(b"a" * 10_000)) == 40_006
    assert head.feed(b"more") == b"more"
    assert not head.is_whole


def test_a_deadline_is_needed_until_the_head_is_whole() -> None:
    """Whoever keeps the deadline asks this; for other methods than POST the answer is always no."""
    head = HeadFilter()

    def after(received: bytes) -> bool:
        head.feed(received)
        return head.is_whole

    assert [after(TWO[:-9]), after(TWO[-9:])] == [False, True]
    head.expect_head()
    assert [head.is_whole, after(b"GET / HTTP/1.1\r\n\r\n")] == [False, False]
