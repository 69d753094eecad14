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
    assert head.feed(TWO[:-1]) == ONE[:-1]
    assert head.feed(b"}") == b"}"
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


@pytest.mark.parametrize("size", [*range(1, 2 * len(TWO)), 10_000])
def test_requests_one_after_another_are_looked_at_each(size: int) -> None:
    """A proxy need not wait for an answer before it sends the next one, and cuts where it likes."""
    head = HeadFilter()
    sent = TWO * 4
    assert b"".join(head.feed(sent[at : at + size]) for at in range(0, len(sent), size)) == ONE * 4


def test_an_answer_in_between_changes_nothing() -> None:
    """The end of a body is counted, not guessed from when it was answered."""
    for at in range(1, len(TWO)):
        head = HeadFilter()
        passed = head.feed(TWO + TWO[:at])
        head.expect_head()
        assert passed + head.feed(TWO[at:] + TWO) == ONE * 3


@pytest.mark.parametrize(
    "field",
    [
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2",
        b"Content-Length: 2\r\nContent-Length: 2",
        b"Content-Length: +2",
        b"Content-Length: 2, 2",
        b"Content-Length:\r\n 2",
        b"Content-Length: 9999999999999",
        b"X: y",
    ],
)
def test_a_body_without_a_plain_length_ends_with_its_answer(field: bytes) -> None:
    """Where aiohttp might see another end, nothing that follows is touched until it has answered."""
    first = b"POST / HTTP/1.1\r\n" + field + b"\r\n\r\n{}"
    head = HeadFilter()
    assert head.feed(first + TWO) == first + TWO
    assert head.feed(TWO) == TWO
    head.expect_head()
    assert head.feed(TWO) == ONE


def test_a_body_of_nothing_is_followed_by_the_next_head() -> None:
    """Its length is known: none."""
    empty = HEAD + b"content-type: c\r\nContent-Length: 0\r\n\r\n"
    assert HeadFilter().feed(empty + TWO) == HEAD + b"Content-Length: 0\r\n\r\n" + ONE


def test_a_body_that_looks_like_a_head_is_not_touched() -> None:
    """Only what is beyond its length is one."""
    inner = TWO + b"POST "
    outer = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner
    for size in (1, 7, 10_000):
        head = HeadFilter()
        sent = outer + TWO
        assert b"".join(head.feed(sent[at : at + size]) for at in range(0, len(sent), size)) == outer + ONE
