"""The HTTP door within TLS: who is let in, what a stranger can do before the handshake ends, and a new certificate."""

import asyncio
import contextlib
import logging
import re
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from receiver.server.connections import Limits
from receiver.server.tls import ServerTls, TlsFiles
from receiver.tasks.journal import DOCTOR
from tests.support.authority import Authority, Pair
from tests.support.endpoint import Endpoint, Reply, get, post, running
from tests.support.notifications import envelope, event

PATIENCE = 20.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    return authority.sign("server")


@pytest.fixture(scope="module")
def client(authority: Authority) -> Pair:
    return authority.sign("client")


@asynccontextmanager
async def secured(
    pair: Pair, *, client_ca: Path | None = None, limits: Limits | None = None, **changes: object
) -> AsyncIterator[Endpoint]:
    """A door that speaks TLS."""
    tls = ServerTls(TlsFiles(cert=pair.cert, key=pair.key, client_ca=client_ca))
    tls.load()
    async with running(limits, tls=tls, **changes) as endpoint:
        yield endpoint


def trusting(authority: Authority, shown: Pair | None = None) -> ssl.SSLContext:
    """What a careful client brings; ``shown`` is its own certificate."""
    context = ssl.create_default_context(cafile=str(authority.cert))
    if shown is not None:
        context.load_cert_chain(shown.cert, shown.key)
    return context


async def ask(endpoint: Endpoint, request: bytes, context: ssl.SSLContext, **options: object) -> Reply | None:
    async with asyncio.timeout(PATIENCE):
        return await endpoint.ask(request, ssl=context, **options)


async def delivered(endpoint: Endpoint, context: ssl.SSLContext, **options: object) -> int | None:
    """The status that a notification is answered with; None where there is no answer."""
    try:
        reply = await ask(endpoint, post(envelope(event())), context, **options)
    except (ssl.SSLError, ConnectionError):
        return None
    return None if reply is None else reply.status


async def test_a_notification_comes_through_tls(authority: Authority, server: Pair) -> None:
    """With the authority that signed our certificate, and with no other."""
    async with secured(server) as endpoint:
        assert await delivered(endpoint, trusting(authority)) == 202
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(endpoint, get("/healthz"), ssl.create_default_context())
        assert len(endpoint.queue.intakes) == 1


async def test_a_connection_within_tls_serves_many_deliveries(authority: Authority, server: Pair) -> None:
    """A handshake for each would be most of the work."""
    async with secured(server) as endpoint, endpoint.connect(ssl=trusting(authority)) as wire:
        for number in range(5):
            await wire.send(post(envelope(event(id=str(number)))))
            reply = await wire.reply()
            assert reply is not None
            assert reply.status == 202


async def test_a_body_over_many_records_is_read_whole(authority: Authority, server: Pair) -> None:
    """A record of TLS holds 16 KiB."""
    body = envelope(event())
    async with secured(server) as endpoint:
        reply = await ask(endpoint, post(body + b" " * (1024 * 1024 - len(body))), trusting(authority))
        assert reply is not None
        assert reply.json == {"accepted": 1, "ignored": 0, "quarantined": 0}
        reply = await ask(endpoint, post(b"", length=1024 * 1024 + 1), trusting(authority))
        assert reply is not None
        assert reply.status == 413


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")  # the client of the test is the old one
async def test_tls_1_1_is_refused(authority: Authority, server: Pair) -> None:
    """RFC 8996."""
    old = trusting(authority)
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with secured(server) as endpoint:
        assert await delivered(endpoint, old) is None
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert await delivered(endpoint, old) == 202


async def test_where_certificates_are_wanted_senders_must_show_one(
    authority: Authority, server: Pair, client: Pair, tmp_path: Path
) -> None:
    """Besides the token; the refusal is the generic one, and what is open stays open."""
    foreign = Authority(tmp_path, "foreign").sign("client")
    async with secured(server, client_ca=authority.cert) as endpoint:
        assert await delivered(endpoint, trusting(authority)) == 401
        assert await delivered(endpoint, trusting(authority, foreign)) is None
        assert endpoint.queue.intakes == []
        assert endpoint.count('addon_sync_deliveries_total{sender="unknown",verdict="unauthenticated"}') == 2
        assert await delivered(endpoint, trusting(authority, client)) == 202
        reply = await ask(endpoint, post(b"{}", token="wrong"), trusting(authority, client))
        assert reply is not None
        assert (reply.status, reply.json) == (401, {"error": "a valid credential is required"})
        for path in ("/healthz", "/readyz", "/metrics"):
            reply = await ask(endpoint, get(path), trusting(authority))
            assert reply is not None
            assert reply.status == 200


async def test_who_shows_no_certificate_or_a_foreign_one_is_told_to_the_operator(
    authority: Authority, server: Pair, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the journal each time, in the log once for each address; the client learns nothing of it."""
    foreign = trusting(authority, Authority(tmp_path, "foreign").sign("client"))
    other = {"local_addr": ("127.0.0.2", 0)}
    async with secured(server, client_ca=authority.cert) as endpoint:
        for _ in range(2):
            reply = await ask(endpoint, post(envelope(event())), trusting(authority))
            assert reply is not None
            assert (reply.status, reply.json) == (401, {"error": "a valid credential is required"})
            assert await delivered(endpoint, foreign, **other) is None
        notes = [(aside.verdict, aside.address, aside.reason) for aside in endpoint.queue.asides]
    why = endpoint.queue.asides[1].reason or ""
    assert re.fullmatch(r"the client certificate was refused: .*certificate.*", why), "what OpenSSL says of it"
    assert (
        notes
        == [
            ("refused", "127.0.0.1", "no client certificate was shown"),
            ("refused", "127.0.0.2", why),
        ]
        * 2
    )
    cure = "give that registry a certificate that ADDON_SYNC_TLS_CLIENT_CA has signed"
    assert [message for message in caplog.messages if "refused" in message] == [
        f"127.0.0.1 sent a notification without a client certificate, it was refused: {cure}",
        f"127.0.0.2 was not let in, {why}; {cure}",
    ]


async def test_doctor_says_itself_that_it_has_no_certificate(
    authority: Authority, server: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """Its trial is no sender's."""
    async with secured(server, client_ca=authority.cert) as endpoint:
        request = post(envelope(event()), f"User-Agent: {DOCTOR}")
        assert await ask(endpoint, request, trusting(authority)) is not None
        assert [aside.origin for aside in endpoint.queue.asides] == [DOCTOR]
    assert not [message for message in caplog.messages if "refused" in message]


async def test_a_foreign_client_certificate_counts_as_a_wrong_credential(
    authority: Authority, server: Pair, client: Pair, tmp_path: Path
) -> None:
    """Who tries one after the other is barred like who tries tokens."""
    foreign = trusting(authority, Authority(tmp_path, "foreign").sign("client"))
    limits, source = Limits(failures=3), ("127.0.0.2", 0)
    async with secured(server, client_ca=authority.cert, limits=limits, exempt=lambda _: False) as endpoint:
        for _ in range(3):
            assert await delivered(endpoint, foreign, local_addr=source) is None
        assert endpoint.count("addon_sync_addresses_barred_total") == 1
        assert await delivered(endpoint, trusting(authority, client), local_addr=source) is None
        assert await delivered(endpoint, trusting(authority, client)) == 202


@pytest.mark.parametrize("start", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "a part"])
async def test_a_handshake_that_does_not_end_is_ended(server: Pair, start: bytes) -> None:
    """As slow headers are (W11)."""
    async with secured(server, limits=Limits(headers_seconds=0.2)) as endpoint, endpoint.connect() as wire:
        await wire.send(start)
        async with asyncio.timeout(PATIENCE):
            assert await wire.is_closed()


async def test_handshakes_that_never_end_do_not_keep_a_sender_out(authority: Authority, server: Pair) -> None:
    """They count as connections from their first moment, and the oldest goes for a newcomer."""
    async with secured(server, limits=Limits(connections=5)) as endpoint:
        idle = [await asyncio.open_connection(*endpoint.address) for _ in range(20)]
        assert await delivered(endpoint, trusting(authority)) == 202
        assert endpoint.count("addon_sync_connections_evicted_total") == 16
        assert len(endpoint.connections._open) <= 5
        for _, writer in idle:
            writer.close()


@pytest.mark.parametrize("garbage", [get("/healthz"), b"\x00" * 100, b"\x16\x03\x01\xff\xff" + b"\x00" * 100])
async def test_what_is_no_tls_is_closed_quietly(
    authority: Authority, server: Pair, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Plain HTTP too: it is not answered, so that nobody sends a token that way a second time."""
    caplog.set_level(logging.INFO)
    async with secured(server) as endpoint:
        async with endpoint.connect() as wire:
            await wire.send(garbage)
            async with asyncio.timeout(PATIENCE):
                assert b"HTTP" not in await wire.reader.read()
        assert await delivered(endpoint, trusting(authority)) == 202
    assert caplog.records == []


async def test_a_client_that_leaves_within_the_handshake_leaves_nothing(server: Pair) -> None:
    """No task, no place."""
    async with secured(server) as endpoint:
        for start in (b"", b"\x16\x03\x01"):
            async with endpoint.connect() as wire:
                await wire.send(start)
        async with asyncio.timeout(PATIENCE):
            while endpoint.connections._open or endpoint.connections._handshakes:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        assert len(endpoint.connections.places) == 0


async def test_stopping_does_not_wait_for_handshakes(server: Pair) -> None:
    """They have ten seconds to end, and the whole stop no more than that."""
    async with secured(server) as endpoint, endpoint.connect() as wire:
        await wire.send(b"\x16")
        async with asyncio.timeout(PATIENCE):
            while not endpoint.connections._handshakes:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        async with asyncio.timeout(Limits().headers_seconds / 2):
            await endpoint.server.stop(0.1)
            assert await wire.is_closed()


async def test_a_new_certificate_ends_no_connection(authority: Authority, server: Pair, tmp_path: Path) -> None:
    """The old connection goes on, new ones see the new certificate."""
    mine = Pair(tmp_path / "tls.crt", tmp_path / "tls.key")
    shutil.copy(server.cert, mine.cert)
    shutil.copy(server.key, mine.key)
    mine.key.chmod(0o600)
    tls = ServerTls(TlsFiles(cert=mine.cert, key=mine.key))
    tls.load()
    context = trusting(authority)
    async with running(tls=tls) as endpoint, endpoint.connect(ssl=context) as wire:
        before = wire.writer.get_extra_info("peercert")
        fresh = authority.sign("fresh")
        shutil.copy(fresh.cert, mine.cert)
        shutil.copy(fresh.key, mine.key)
        for _ in range(2):
            await asyncio.to_thread(tls.look)
        async with endpoint.connect(ssl=context) as other:
            after = other.writer.get_extra_info("peercert")
        assert (_name(before), _name(after)) == ("server", "fresh")
        await wire.send(post(envelope(event())))
        reply = await wire.reply()
        assert reply is not None
        assert reply.status == 202


class ByHand:
    """A client that speaks TLS by hand: it says what it is told, when it is told."""

    def __init__(self, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")
        self.reader = reader
        self.writer = writer

    async def agree(self) -> None:
        """Do the handshake up to the client's last word, which is not sent yet."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                await self.more()
            else:
                return

    def flush(self) -> None:
        self.writer.write(self.outgoing.read())

    async def more(self) -> None:
        self.incoming.write(await self.reader.read(65536))

    async def read_until(self, end: bytes) -> bytes:
        answer = b""
        while end not in answer:
            await self.more()
            with contextlib.suppress(ssl.SSLWantReadError):
                while True:
                    answer += self.tls.read(65536)
        return answer


@asynccontextmanager
async def by_hand(endpoint: Endpoint, context: ssl.SSLContext) -> AsyncIterator[ByHand]:
    reader, writer = await asyncio.open_connection(*endpoint.address)
    try:
        async with asyncio.timeout(PATIENCE):
            yield ByHand(context, reader, writer)
    finally:
        writer.transport.abort()


async def test_a_request_in_one_packet_with_the_handshake_is_not_lost(authority: Authority, server: Pair) -> None:
    """In TLS 1.3 the client may speak as soon as it has said its last word of the handshake."""
    async with secured(server) as endpoint, by_hand(endpoint, trusting(authority)) as client:
        await client.agree()
        client.tls.write(get("/healthz"))
        client.flush()
        assert (await client.read_until(b'"ok"')).startswith(b"HTTP/1.1 200 ")


async def test_a_client_that_never_says_goodbye_gives_its_place_back(authority: Authority, server: Pair) -> None:
    """TLS ends with a word from both sides; asyncio would wait 30 s for the other's."""
    async with (
        secured(server, limits=Limits(discard_seconds=0.2)) as endpoint,
        by_hand(endpoint, trusting(authority)) as client,
    ):
        await client.agree()
        client.tls.write(post(b"", token="wrong", length=1000))
        client.flush()
        assert (await client.read_until(b"}")).startswith(b"HTTP/1.1 401 ")
        while len(endpoint.connections.places):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


def _name(certificate: dict[str, tuple[tuple[tuple[str, str], ...], ...]]) -> str:
    return dict(part for parts in certificate["subject"] for part in parts)["commonName"]
