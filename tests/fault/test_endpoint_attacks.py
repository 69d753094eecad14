"""Strangers, broken senders and slow ones at the HTTP door. The numbers (W1 …) are those of the list of cases."""

import asyncio
import base64
import gzip
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from receiver.server.connections import Limits
from tests.support.endpoint import PATH, TOKEN, Endpoint, Reply, get, post, running
from tests.support.notifications import envelope, event

GUESSER = ("127.0.0.2", 0)
"""Another address than that of honest senders; of loopback too, which a test may count as any other."""
GENERIC = {"error": "a valid credential is required"}
SMALL = Limits(body=4096)
HASTY = Limits(headers_seconds=1.0, body_seconds=0.2, unread_seconds=0.2, discard_seconds=0.2)
PATIENCE = 20.0
"""Seconds for what should happen soon, on a machine that is busy with other tests."""


async def answer(endpoint: Endpoint, request: bytes) -> Reply:
    async with asyncio.timeout(PATIENCE):
        reply = await endpoint.ask(request)
    assert reply is not None
    return reply


async def until(holds: Callable[[], bool]) -> None:
    """Let the server go on until something ``holds`` that it does not tell."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - there is no event for what a client cannot see
            await asyncio.sleep(0)


async def still_serves(endpoint: Endpoint) -> bool:
    """Whether an honest sender is taken after all that."""
    return (await answer(endpoint, post(envelope(event())))).status == 202


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Authorization: Digest sample-token",),
        ("Authorization: Bearer sample-tokeN",),
        ("Authorization: Bearer \udcff\udcfe",),
        ("Authorization: Bearer grün",),
        ("Authorization: Bearer sample-token", "Authorization: Bearer other"),
        ("Authorization: Bearer other", "authorization: Bearer sample-token"),
        ("Authorization: Basic c2FtcGxlLXRva2Vu",),
        ("Authorization: Basic !!",),
        ("Authorization:",),
    ],
)
async def test_a_stranger_gets_the_generic_refusal(headers: Sequence[str]) -> None:
    """Whatever is wrong, the answer is the same, and nothing is stored (W1-W6)."""
    async with running() as endpoint:
        reply = await answer(endpoint, post(envelope(event()), *headers, token=None))
        assert (reply.status, reply.json) == (401, GENERIC)
        assert reply.headers["www-authenticate"] == "Bearer"
        assert endpoint.queue.intakes == []
        assert await still_serves(endpoint)


async def test_the_old_and_the_next_token_are_valid_until_the_old_one_is_taken_away() -> None:
    """In both schemes, a colon in the password included; the change needs no restart (W6, W7)."""
    tokens: tuple[str, ...] = ("old", "next:1")
    basic = f"Authorization: Basic {base64.b64encode(b'user:next:1').decode()}"
    async with running(tokens=lambda: tokens) as endpoint:
        for request in (post(b"{}", token="old"), post(b"{}", token="next:1"), post(b"{}", basic, token=None)):
            assert (await answer(endpoint, request)).status == 202
        tokens = ("next:1",)
        assert (await answer(endpoint, post(b"{}", token="old"))).status == 401
        assert (await answer(endpoint, post(b"{}", basic, token=None))).status == 202


async def test_a_stranger_is_answered_before_the_body_is_read() -> None:
    """Nobody without a credential makes us wait or keep bytes."""
    async with running() as endpoint, endpoint.connect() as wire:
        await wire.send(post(b"", token="wrong", length=1_000_000_000))
        async with asyncio.timeout(PATIENCE):
            reply = await wire.reply()
        assert reply is not None
        assert (reply.status, reply.headers["connection"]) == (401, "close")


async def test_a_refused_client_that_keeps_sending_is_cut_off() -> None:
    """Its body is thrown away for a while, so that it sees the answer, and not for ever."""
    async with running(HASTY) as endpoint, endpoint.connect() as wire:
        await wire.send(post(b"x" * 1000, token="wrong", length=1_000_000_000))
        async with asyncio.timeout(PATIENCE):
            assert await wire.reply() is not None
            assert await wire.is_closed()


@pytest.mark.parametrize("size", [4095, 4096])
async def test_a_body_of_the_limit_is_taken(size: int) -> None:
    """The limit itself is allowed (W9)."""
    body = envelope(event())
    async with running(SMALL) as endpoint:
        assert (await answer(endpoint, post(body + b" " * (size - len(body))))).status == 202


async def test_an_announced_body_over_the_limit_is_refused_unread() -> None:
    """The Content-Length is enough to say no (W9)."""
    async with running(SMALL) as endpoint:
        reply = await answer(endpoint, post(b"", length=4097))
        assert (reply.status, reply.headers["connection"]) == (413, "close")
        assert endpoint.queue.intakes == []


async def test_an_expected_body_over_the_limit_is_not_asked_for() -> None:
    """The first answer is the refusal, no 100."""
    async with running(SMALL) as endpoint:
        assert (await answer(endpoint, post(b"", "Expect: 100-continue", length=4097))).status == 413
        assert (await answer(endpoint, post(b"", "Expect: 100-continue", length=5, token="no"))).status == 401


async def test_an_endless_chunked_body_is_refused() -> None:
    """No length is announced, so the bytes are counted (W10)."""
    async with running(SMALL) as endpoint, endpoint.connect() as wire:
        head = post(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
        await wire.send(head)
        for _ in range(8):
            await wire.send(b"400\r\n" + b" " * 0x400 + b"\r\n")
        async with asyncio.timeout(PATIENCE):
            reply = await wire.reply()
        assert reply is not None
        assert reply.status == 413
        assert await still_serves(endpoint)


async def test_a_chunked_body_over_the_limit_is_refused_although_it_came_whole() -> None:
    """Neither is one trusted that arrives in the same packet as its head (W10)."""
    async with running(SMALL) as endpoint:
        head = post(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
        reply = await answer(endpoint, head + b"1001\r\n" + b" " * 0x1001 + b"\r\n0\r\n\r\n")
        assert reply.status == 413
        assert endpoint.queue.intakes == []


async def test_a_chunked_body_within_the_limit_is_taken() -> None:
    """Chunks are how proxies send."""
    async with running(SMALL) as endpoint:
        head = post(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
        body = envelope(event())
        reply = await answer(endpoint, head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert reply.json == {"accepted": 1, "ignored": 0, "quarantined": 0}


@pytest.mark.parametrize("start", [b"", b"POST /v1/not", b"POST / HTTP/1.1\r\nHost: a\r\nX-Slow: "])
async def test_slow_headers_end_with_the_connection(start: bytes) -> None:
    """A stranger must not hold a connection for nothing (W11)."""
    async with running(HASTY) as endpoint, endpoint.connect() as wire:
        await wire.send(start)
        async with asyncio.timeout(PATIENCE):
            assert await wire.is_closed()


@pytest.mark.parametrize("first", [get("/healthz"), post(envelope(event()))], ids=["GET", "POST"])
@pytest.mark.parametrize("start", [b"GET /healthz HTTP/1.1\r\n", b"POST /v1/not"], ids=["GET", "POST"])
async def test_slow_headers_of_a_later_request_end_with_the_connection(first: bytes, start: bytes) -> None:
    """Neither after an honest first one (W11)."""
    async with running(HASTY) as endpoint, endpoint.connect() as wire:
        await wire.send(first)
        assert await wire.reply() is not None
        await wire.send(start)
        async with asyncio.timeout(PATIENCE):
            assert await wire.is_closed()


async def test_an_idle_connection_outlives_the_deadline_for_headers() -> None:
    """A sender that keeps its connection must not lose a notification to our closing it."""
    async with running(HASTY) as endpoint, endpoint.connect() as wire:
        for _ in range(2):
            await wire.send(get("/healthz"))
            assert await wire.reply() is not None
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(HASTY.headers_seconds * 1.25):
                    await wire.is_closed()


async def test_an_idle_connection_is_closed_in_the_end() -> None:
    """Not held for ever either."""
    async with running(Limits(idle_seconds=1.0)) as endpoint, endpoint.connect() as wire:
        await wire.send(get("/healthz"))
        assert await wire.reply() is not None
        async with asyncio.timeout(PATIENCE):
            assert await wire.is_closed()


async def test_a_slow_body_is_dropped_without_an_answer() -> None:
    """aiohttp would wait for ever; any answer might be taken for an acceptance (W12)."""
    async with running(HASTY) as endpoint, endpoint.connect() as wire:
        await wire.send(post(b'{"eve', length=1000))
        async with asyncio.timeout(PATIENCE):
            assert await wire.is_closed()
        assert endpoint.queue.intakes == []
        assert endpoint.count('addon_sync_deliveries_total{sender="unknown",verdict="cut off"}') == 1


async def test_a_drip_does_not_extend_the_deadline() -> None:
    """The deadline is for the whole body, not for each byte (W12)."""
    limits = Limits(body_seconds=0.5)
    async with running(limits) as endpoint, endpoint.connect() as wire:
        await wire.send(post(b"", length=1000))
        begun = time.monotonic()

        async def drip() -> None:
            while not wire.writer.is_closing():
                wire.writer.write(b" ")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(PATIENCE):
            assert await wire.is_closed()
        dripping.cancel()
        assert time.monotonic() - begun < PATIENCE


@pytest.mark.parametrize("part", [b"", b'{"events"', envelope(event())[:-1]])
async def test_a_body_that_is_cut_off_is_not_taken(part: bytes) -> None:
    """Half a delivery is none, and not a malformed one either."""
    async with running() as endpoint:
        async with endpoint.connect() as wire:
            await wire.send(post(part, length=1000))
        assert await still_serves(endpoint)
        assert len(endpoint.queue.intakes) == 1
        await until(lambda: endpoint.count('addon_sync_deliveries_total{sender="unknown",verdict="cut off"}') == 1)


async def test_broken_chunks_are_not_taken() -> None:
    """Framing that cannot be trusted ends the connection."""
    async with running() as endpoint, endpoint.connect() as wire:
        head = post(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
        await wire.send(head + b"5\r\n{}   \r\nzz\r\n")
        async with asyncio.timeout(PATIENCE):
            reply = await wire.reply()
        assert reply is None or reply.status == 400
        assert endpoint.queue.intakes == []
        assert await still_serves(endpoint)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_a_compressed_body_is_kept_as_it_came(encoding: str) -> None:
    """A bomb is never lit; the operator sees what came (W13)."""
    bomb = gzip.compress(b" " * 50_000_000)
    async with running() as endpoint:
        reply = await answer(endpoint, post(bomb, f"Content-Encoding: {encoding}"))
        assert (reply.status, reply.json) == (202, {"accepted": 0, "ignored": 0, "quarantined": 1})
        (intake,) = endpoint.queue.intakes
        assert (intake.verdict, intake.body) == ("quarantined", bomb)
        assert json.loads(intake.headers)["content-encoding"] == encoding


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 500_000,
        b'{"a":' * 150_000,
        b'{"events": [], "events": []}',
        b'{"events": ["\\ud800"]}',
        b'{"events": ["\x00"]}',
        b"\xff\xfe",
        b"9" * 10_000,
        b"",
        b"null",
    ],
    ids=["deep list", "deep object", "twice", "surrogate", "NUL", "no UTF-8", "long number", "empty", "null"],
)
async def test_what_cannot_be_read_gets_202_and_is_kept(body: bytes) -> None:
    """Any other answer would be repeated for ever and hold back all later events (W14-W16)."""
    async with running() as endpoint:
        reply = await answer(endpoint, post(body))
        assert (reply.status, reply.json) == (202, {"accepted": 0, "ignored": 0, "quarantined": 1})
        assert endpoint.queue.intakes[0].body == body


@pytest.mark.parametrize("size", [1024 * 1024, 1024 * 1024 + 1])
async def test_the_limit_of_a_body_is_a_mebibyte(size: int) -> None:
    """The default, and one byte more (W9)."""
    body = envelope(event())
    async with running() as endpoint:
        reply = await answer(endpoint, post(body + b" " * (size - len(body))))
        assert reply.status == (202 if size == 1024 * 1024 else 413)


@pytest.mark.parametrize("count", [0, 1, 1000])
async def test_an_envelope_of_any_size_counts_each_event(count: int) -> None:
    """One bad event among them costs none of the good ones (W17)."""
    good = [event(id=str(number)) for number in range(count)]
    async with running() as endpoint:
        reply = await answer(endpoint, post(envelope(*good[: count // 2], {"id": "bad"}, *good[count // 2 :])))
        assert (reply.status, reply.json) == (202, {"accepted": count, "ignored": 0, "quarantined": 1})


@pytest.mark.parametrize(
    ("headers", "verdicts"),
    [
        (("Ce-Type: org.example.unheard-of",), {"accepted": 0, "ignored": 1, "quarantined": 0}),
        (("Content-Type: text/html",), {"accepted": 1, "ignored": 0, "quarantined": 0}),
        (("Content-Type: application/json", "Content-Type: a/b"), {"accepted": 1, "ignored": 0, "quarantined": 0}),
        ((), {"accepted": 1, "ignored": 0, "quarantined": 0}),
    ],
    ids=["ce-type", "wrong", "doubled", "none"],
)
async def test_no_type_of_a_delivery_is_refused(headers: Sequence[str], verdicts: dict[str, int]) -> None:
    """An unknown event concerns no addon; a wrong Content-Type is none of our business (W18)."""
    async with running() as endpoint:
        reply = await answer(endpoint, post(envelope(event()), *headers))
        assert (reply.status, reply.json) == (202, verdicts)


async def test_headers_that_are_no_text_can_be_stored() -> None:
    """A lone surrogate in the journal would fail at the database (W16)."""
    async with running() as endpoint:
        reply = await answer(endpoint, post(b"{}", "Content-Type: a/\udcff", "Ce-Id: gr\u00fcn"))
        assert reply.status == 202
        assert json.loads(endpoint.queue.intakes[0].headers) == {"content-type": "a/\\udcff", "ce-id": "gr\\xfcn"}


async def test_a_hostile_address_is_neither_used_nor_stored_as_an_event() -> None:
    """An event that names another registry is a hint about ours (W19)."""
    hostile = event(target={"repository": "addons/metrics", "url": "https://evil.example/v2/x", "tag": "v1"})
    async with running() as endpoint:
        await answer(endpoint, post(envelope({**hostile, "request": {"host": "evil.example"}})))
        (intake,) = endpoint.queue.intakes
        assert "evil" not in repr(intake.events)


async def test_connections_over_the_limit_are_closed_at_once() -> None:
    """Where every place is at work, a newcomer has none; one that leaves makes room."""
    async with running(Limits(connections=2)) as endpoint:
        async with endpoint.connect() as one, endpoint.connect() as two:
            for wire in (one, two):
                await wire.send(post(b"", "Expect: 100-continue", length=2))
                assert await wire.reader.readline() == b"HTTP/1.1 100 Continue\r\n"
            async with endpoint.connect() as three, asyncio.timeout(PATIENCE):
                assert await three.is_closed()
            assert endpoint.count("addon_sync_connections_refused_total") == 1
        await until(lambda: not endpoint.connections._open)
        assert await still_serves(endpoint)


async def test_idle_connections_do_not_keep_a_sender_out() -> None:
    """Thousands of them: the oldest goes for each newcomer, and a sender's own connection stays (W11)."""
    async with running(Limits(connections=100)) as endpoint, endpoint.connect() as sender:
        await sender.send(post(envelope(event())))
        assert await sender.reply() is not None
        idle = []
        for _ in range(20):
            idle += await asyncio.gather(*(asyncio.open_connection(*endpoint.address) for _ in range(100)))
            assert await still_serves(endpoint)
        assert len(endpoint.connections.places) == 100
        assert endpoint.count("addon_sync_connections_refused_total") == 0
        assert endpoint.count("addon_sync_connections_evicted_total") >= 1900
        await sender.send(post(envelope(event(id="another"))))
        reply = await sender.reply()
        assert reply is not None
        assert reply.status == 202
        for _, writer in idle:
            writer.close()


async def test_a_newcomer_from_a_senders_address_goes_after_strangers() -> None:
    """Between its connection and its first request, a flood from elsewhere must not push it out."""
    async with running(Limits(connections=10)) as endpoint:
        assert await still_serves(endpoint)
        async with endpoint.connect() as newcomer:
            strangers = [await asyncio.open_connection(*endpoint.address, local_addr=GUESSER) for _ in range(50)]
            await until(lambda: endpoint.count("addon_sync_connections_evicted_total") >= 41)
            await newcomer.send(post(envelope(event(id="late"))))
            reply = await newcomer.reply()
            assert reply is not None
            assert reply.status == 202
            for _, writer in strangers:
                writer.close()


async def test_connections_that_began_a_request_do_not_keep_a_sender_out() -> None:
    """Half a head is not work of ours."""
    async with running(Limits(connections=10)) as endpoint:
        slow = [await asyncio.open_connection(*endpoint.address) for _ in range(10)]
        for _, writer in slow:
            writer.write(b"POST /v1/not")
        assert await still_serves(endpoint)
        for _, writer in slow:
            writer.close()


async def test_an_address_that_guesses_is_barred_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """Before a byte is read, on open connections too; nobody else notices, and the operator is told once."""
    async with (
        running(Limits(failures=3), exempt=lambda _: False) as endpoint,
        endpoint.connect(local_addr=GUESSER) as wire,
    ):
        await wire.send(get("/healthz"))
        assert await wire.reply() is not None
        for _ in range(3):
            reply = await endpoint.ask(post(b"{}", token="guess"), local_addr=GUESSER)
            assert reply is not None
            assert (reply.status, reply.json) == (401, GENERIC)
        async with endpoint.connect(local_addr=GUESSER) as silent, asyncio.timeout(Limits().headers_seconds / 2):
            assert await silent.is_closed()
        await wire.send(get("/healthz"))
        async with asyncio.timeout(PATIENCE):
            assert await wire.is_closed()
        assert await still_serves(endpoint)
        assert endpoint.count("addon_sync_addresses_barred_total") == 1
        first, record = caplog.records
        assert "127.0.0.2 sent a notification with a wrong credential" in first.getMessage()
        assert record.levelno == logging.WARNING
        assert record.getMessage().startswith("127.0.0.2 presented 3 wrong credentials")


async def test_a_bar_ends_by_itself() -> None:
    """A person who mistyped need not call anybody."""
    async with running(Limits(failures=1, barred_seconds=0.2), exempt=lambda _: False) as endpoint:
        assert await endpoint.ask(post(b"{}", token="guess")) is not None
        async with asyncio.timeout(PATIENCE):
            while await endpoint.ask(get("/healthz")) is None:  # noqa: ASYNC110 - time tells
                await asyncio.sleep(0.05)
        assert await still_serves(endpoint)


async def test_who_authenticated_is_not_barred_for_what_its_neighbours_do() -> None:
    """Behind a proxy all have one address."""
    async with running(Limits(failures=3), exempt=lambda _: False) as endpoint:
        assert await still_serves(endpoint)
        for _ in range(10):
            assert await endpoint.ask(post(b"{}", token="guess")) is not None
        assert await still_serves(endpoint)
        assert endpoint.count("addon_sync_addresses_barred_total") == 0


async def test_loopback_is_not_barred() -> None:
    """Otherwise a stranger could have a proxy on this machine shut out."""
    async with running(Limits(failures=3)) as endpoint:
        for _ in range(10):
            assert await endpoint.ask(post(b"{}", token="guess")) is not None


async def test_open_endpoints_bar_nobody() -> None:
    """What needs no credential is no guess, whatever it is answered with."""
    async with running(Limits(failures=3), exempt=lambda _: False, ready=lambda: ("no disk",)) as endpoint:
        for path in ("/readyz", "/nothing", "/v1/notifications"):
            for _ in range(5):
                assert await endpoint.ask(get(path)) is not None


@asynccontextmanager
async def deaf_client(endpoint: Endpoint) -> AsyncIterator["asyncio.Task[None]"]:
    """A client that asks for ever and never reads an answer; gives the asking."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, endpoint.address)

        async def ask() -> None:
            while True:
                await loop.sock_sendall(client, get("/metrics") * 100)

        asking = asyncio.create_task(ask())
        try:
            yield asking
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)


async def test_a_client_that_takes_no_answers_is_cut_off() -> None:
    """Pipelining without reading must not hold a connection and its answers for ever."""
    async with running(HASTY) as endpoint:
        async with deaf_client(endpoint) as asking:
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(asking, PATIENCE)
        assert await still_serves(endpoint)


async def test_a_client_that_takes_no_answers_does_not_delay_the_end() -> None:
    """What cannot be sent is thrown away when the receiver stops."""
    async with running() as endpoint:
        connections = endpoint.connections
        async with deaf_client(endpoint):
            await until(lambda: any(connection.writing_paused for connection in connections.connections))
            async with asyncio.timeout(PATIENCE):
                await endpoint.server.stop(0.2)
            await until(lambda: not connections._open)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40,
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\n \r\n",
        b"POST /v1/notifications HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /v1/notifications HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 100 + b"\r\n",
        b"GET / HTTP/1.1\r\nX\x1b[31m: \x00\r\n\r\n",
    ],
    ids=[
        "TLS",
        "version",
        "blank",
        "two lengths",
        "negative",
        "smuggling",
        "long path",
        "long field",
        "many",
        "control",
    ],
)
async def test_what_is_no_http_is_refused_quietly(garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A port scanner neither fills the log nor writes in it."""
    caplog.set_level(logging.INFO)
    async with running(HASTY) as endpoint:
        async with asyncio.timeout(PATIENCE):
            reply = await endpoint.ask(garbage)
        assert reply is None or reply.status in {400, 401}
        assert caplog.records == []
        assert await still_serves(endpoint)


async def test_a_fault_of_ours_tells_the_operator_and_not_the_client(caplog: pytest.LogCaptureFixture) -> None:
    """No traceback, path or name of a class leaves the process."""

    def broken() -> Sequence[str]:
        raise RuntimeError("secret of /var/lib")

    async with running(ready=broken) as endpoint:
        reply = await answer(endpoint, get("/readyz"))
        assert (reply.status, reply.json) == (500, {"error": "fault of the receiver"})
        assert "secret of /var/lib" in caplog.text
        assert await still_serves(endpoint)


async def test_neither_token_nor_control_characters_reach_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is sent, at any level of detail."""
    caplog.set_level(logging.DEBUG)
    async with running() as endpoint:
        hostile = event(id="a", action="push", target={"repository": "addons/\x1b[2J\r\nforged"})
        await answer(endpoint, post(envelope(hostile), "Content-Type: \x7f/\u202e"))
        await answer(endpoint, post(b"{}", token="wrong-token"))
        await answer(endpoint, post(b"\x1b[31m", f"Ce-Type: {TOKEN}\x1b"))
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("receiver")]
    assert ours
    assert all(message.isprintable() for message in ours)
    assert not [message for message in ours if "token" in message]


async def test_an_absolute_target_reaches_the_same_endpoint() -> None:
    """Proxies send one (RFC 9112 section 3.2.2); its host counts for nothing."""
    async with running() as endpoint:
        reply = await answer(endpoint, post(envelope(event()), path=f"http://evil.example{PATH}"))
        assert reply.status == 202
