"""The HTTP door over real sockets, and with a real registry that sends."""

import asyncio
import json
from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest

from receiver.errors import ConfigError, QueueUnavailable
from receiver.metrics import Metrics
from receiver.server.app import Door, HttpServer
from receiver.server.connections import Limits
from receiver.tasks.journal import Event
from tests.support.docker_registry import DockerRegistry, Notify
from tests.support.endpoint import PATH, TOKEN, Endpoint, RememberingQueue, Reply, Wire, get, post, running
from tests.support.notifications import RECORDED, envelope, event, recorded
from tests.support.push import push_files

ONE = {"accepted": 1, "ignored": 0, "quarantined": 0}


def hints(endpoint: Endpoint) -> list[Event]:
    """The events that ask for a look."""
    return [event for intake in endpoint.queue.intakes for event in intake.events if event.left_out is None]


async def answer(endpoint: Endpoint, request: bytes) -> Reply:
    reply = await endpoint.ask(request)
    assert reply is not None
    return reply


@pytest.mark.parametrize("name", sorted(path.stem for path in RECORDED.glob("distribution-*.json")))
async def test_recorded_deliveries_get_their_202(name: str) -> None:
    """Every delivery that a registry was seen to make is taken, with the headers that it had."""
    document = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    body = json.dumps(document["body"]).encode()
    headers = {**document["headers"], "Content-Length": str(len(body))}
    lines = [f"POST {PATH} HTTP/1.1", *(f"{header}: {value}" for header, value in headers.items()), "", ""]
    async with running() as endpoint:
        reply = await answer(endpoint, "\r\n".join(lines).encode() + body)
        assert reply.status == 202
        hint = "push-blob" not in name and "pull" not in name
        assert reply.json == {"accepted": int(hint), "ignored": int(not hint), "quarantined": 0}


async def test_the_answer_tells_only_what_clients_need() -> None:
    """JSON, and no version of anything to look up faults for."""
    async with running() as endpoint:
        reply = await answer(endpoint, post(envelope(event())))
        assert reply.json == ONE
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["server"] == "addon-sync"


@pytest.mark.parametrize(
    ("version", "field", "connection"),
    [("1.1", "Connection: close", "close"), ("1.0", "X: y", None), ("1.0", "Connection: keep-alive", "keep-alive")],
)
async def test_the_prebuilt_answer_is_that_of_aiohttp(version: str, field: str, connection: str | None) -> None:
    """The block says what the slow way says; clients that must hear of their connection get the slow way."""
    async with running() as endpoint, endpoint.connect() as wire:
        fast = await answer(endpoint, post(envelope(event(id="fast"))))
        await wire.send(post(envelope(event(id="slow")), field).replace(b"HTTP/1.1", f"HTTP/{version}".encode()))
        slow = await wire.reply()
        assert slow is not None
        assert slow.headers.get("connection") == connection
        assert connection == "keep-alive" or await wire.is_closed()
        assert (fast.status, fast.body) == (slow.status, slow.body)
        same = {"content-type", "content-length", "server", "cache-control"}
        assert {name: fast.headers[name] for name in same} == {name: slow.headers[name] for name in same}
        assert set(fast.headers) == {*same, "date"}
        assert parsedate_to_datetime(fast.headers["date"]).tzinfo is not None


async def test_a_connection_serves_many_deliveries() -> None:
    """Registries keep their connection, also beyond a refusal whose body was read."""
    async with running() as endpoint, endpoint.connect() as wire:
        for number in range(20):
            await wire.send(post(envelope(event(id=str(number)))))
            reply = await wire.reply()
            assert reply is not None
            assert reply.json == ONE
        assert len(endpoint.queue.intakes) == 20


async def test_pipelined_deliveries_are_answered_in_order() -> None:
    """HTTP/1.1 allows a client not to wait (RFC 9112 section 9.3.2)."""
    async with running() as endpoint, endpoint.connect() as wire:
        await wire.send(b"".join(post(envelope(*[event(id=None)] * count)) for count in (1, 2, 3)))
        for count in (1, 2, 3):
            reply = await wire.reply()
            assert reply is not None
            assert reply.json == {"accepted": count, "ignored": 0, "quarantined": 0}


async def test_a_doubled_content_type_is_fine() -> None:
    """Distribution adds a configured one to its own."""
    async with running() as endpoint:
        kind = "Content-Type: application/vnd.docker.distribution.events.v1+json"
        reply = await answer(endpoint, post(envelope(event()), "Content-Type: application/json", kind))
        assert (reply.status, reply.json) == (202, ONE)
        assert json.loads(endpoint.queue.intakes[0].headers) == {"content-type": "application/json"}


async def test_a_doubled_content_type_is_fine_in_requests_that_do_not_wait() -> None:
    """A proxy may send them so."""
    kinds = ("Content-Type: a/b", "content-type: c/d")
    async with running() as endpoint, endpoint.connect() as wire:
        await wire.send(b"".join(post(envelope(event(id=str(number))), *kinds) for number in range(20)))
        for _ in range(20):
            reply = await wire.reply()
            assert reply is not None
            assert (reply.status, reply.json) == (202, ONE)


async def test_a_doubled_content_type_is_fine_on_every_request_in_any_pieces() -> None:
    """The second request of a connection, and a head that comes byte by byte."""
    async with running() as endpoint, endpoint.connect() as wire:
        for number in range(3):
            request = post(envelope(event(id=str(number))), "Content-Type: a/b", "content-type: c/d")
            for start in range(0, len(request), 7):
                await wire.send(request[start : start + 7])
                await asyncio.sleep(0)
            reply = await wire.reply()
            assert reply is not None
            assert reply.json == ONE


async def test_cloud_events_come_by_headers() -> None:
    """zot describes its event in them, in whatever case."""
    async with running() as endpoint:
        data = json.dumps({"name": "addons/metrics", "reference": "v1"}).encode()
        reply = await answer(endpoint, post(data, "Ce-Type: zotregistry.image.updated", "CE-ID: 7"))
        assert reply.json == ONE
        (intake,) = endpoint.queue.intakes
        assert (intake.sender, intake.events[0].event_id) == ("zot", "7")


async def test_only_headers_that_decoding_reads_are_stored() -> None:
    """The journal must not hold a credential, whoever may read it."""
    async with running() as endpoint:
        await answer(endpoint, post(envelope(event()), "Content-Type: application/json", "Cookie: a=b", "X-Other: c"))
        (intake,) = endpoint.queue.intakes
        assert json.loads(intake.headers) == {"content-type": "application/json"}


async def test_expected_bodies_are_asked_for() -> None:
    """curl waits a second for this with large bodies (RFC 9110 section 10.1.1)."""
    body = envelope(event())
    async with running() as endpoint, endpoint.connect() as wire:
        await wire.send(post(b"", "Expect: 100-continue", length=len(body)))
        interim = await wire.reply()
        assert interim is not None
        assert interim.status == 100
        await wire.send(body)
        reply = await wire.reply()
        assert reply is not None
        assert (reply.status, reply.json) == (202, ONE)


async def test_a_queue_that_cannot_store_refuses_and_recovers() -> None:
    """The sender repeats, and nothing of our disk is told to it (W22)."""
    async with running() as endpoint:
        endpoint.queue.broken = QueueUnavailable("/var/lib/secret is full")
        reply = await answer(endpoint, post(envelope(event())))
        assert (reply.status, reply.headers["retry-after"]) == (503, "5")
        assert b"secret" not in reply.body
        endpoint.queue.broken = None
        assert (await answer(endpoint, post(envelope(event())))).json == ONE
        assert endpoint.count('addon_sync_deliveries_total{sender="unknown",verdict="unavailable"}') == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_health_readiness_and_metrics_are_open(method: str) -> None:
    """Probes and Prometheus have no token."""
    async with running() as endpoint:
        for path in ("/healthz", "/readyz", "/metrics"):
            reply = await answer(endpoint, get(path, method))
            assert reply.status == 200
            assert (reply.body == b"") == (method == "HEAD")


async def test_not_ready_is_told_with_reasons() -> None:
    """A load balancer looks at the status, a person at the reasons."""
    async with running(ready=lambda: ("recovery is running",)) as endpoint:
        reply = await answer(endpoint, get("/readyz"))
        assert (reply.status, reply.json) == (503, {"status": "unavailable", "reasons": ["recovery is running"]})
        assert (await answer(endpoint, get("/healthz"))).status == 200


async def test_metrics_are_in_the_text_format() -> None:
    """Prometheus reads the type before the text."""
    async with running() as endpoint:
        await answer(endpoint, post(envelope(event())))
        reply = await answer(endpoint, get("/metrics"))
        assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert b'addon_sync_deliveries_total{sender="distribution",verdict="accepted"} 1.0' in reply.body


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/"), 404),
        (get("/v1/notifications/x/y"), 404),
        (get("/v1/notifications/x"), 405),
        (get("/../etc/passwd"), 404),
        (get(PATH), 405),
        (get(PATH, "DELETE"), 405),
        (post(b"{}", path="/healthz"), 405),
    ],
)
async def test_other_paths_and_methods_are_refused_in_json(request_: bytes, status: int) -> None:
    """There is nothing to find."""
    async with running() as endpoint:
        reply = await answer(endpoint, request_)
        assert reply.status == status
        assert isinstance(reply.json, dict)
        assert list(reply.json) == ["error"]
        if status == 405:
            assert reply.headers["allow"] in {"POST", "GET, HEAD"}


async def test_a_query_does_not_hide_the_endpoint() -> None:
    """Some senders add one."""
    async with running() as endpoint:
        assert (await answer(endpoint, post(envelope(event()), path=f"{PATH}?from=registry"))).json == ONE


def door() -> Door:
    queue = RememberingQueue()
    return Door(queue=queue.as_queue(), journal=queue.as_journal(), metrics=Metrics(), tokens=None, ready=lambda: ())


async def test_it_listens_on_ipv6_too() -> None:
    """``[::1]:0`` is in the contract; the port taken is told."""
    server = HttpServer(door())
    host, port = await server.start("::1", 0)
    try:
        assert host == "::1"
        assert port
        wire = await Wire.open((host, port))
        await wire.send(post(envelope(event()), token=None))
        reply = await wire.reply()
        assert reply is not None
        assert reply.json == ONE
        await wire.close()
    finally:
        await server.stop()


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
async def test_an_address_that_cannot_be_had_is_a_matter_of_settings(host: str) -> None:
    """The error names the setting; nothing stays open."""
    server = HttpServer(door())
    with pytest.raises(ConfigError, match="ADDON_SYNC_LISTEN"):
        await server.start(host, 0)
    await server.stop()


async def test_a_port_that_is_taken_is_a_matter_of_settings() -> None:
    """Two receivers on one host."""
    async with running() as endpoint:
        remedy = (
            rf"port {endpoint.address[1]} of 127\.0\.0\.1 is taken by another program: stop that one, or give --listen"
        )
        with pytest.raises(ConfigError, match=remedy):
            await HttpServer(door()).start(*endpoint.address)


async def test_stopping_lets_a_running_request_finish() -> None:
    """What was begun is answered; nothing new is let in; idle connections do not delay the end."""
    async with running() as endpoint, endpoint.connect() as wire, endpoint.connect() as idle:
        endpoint.queue.gate = asyncio.Event()
        await wire.send(post(envelope(event())))
        await endpoint.queue.arrived.wait()
        stopping = asyncio.create_task(endpoint.server.stop(20.0))
        async with asyncio.timeout(8):
            assert await idle.is_closed()
        with pytest.raises(ConnectionError):
            await Wire.open(endpoint.address)
        assert not stopping.done()
        endpoint.queue.gate.set()
        reply = await wire.reply()
        assert reply is not None
        assert (reply.status, reply.json) == (202, ONE)
        async with asyncio.timeout(8):
            await stopping


async def test_stopping_does_not_wait_for_ever() -> None:
    """A request that hangs is ended without an answer, so the sender repeats it."""
    async with running() as endpoint, endpoint.connect() as wire:
        endpoint.queue.gate = asyncio.Event()
        await wire.send(post(envelope(event())))
        await endpoint.queue.arrived.wait()
        async with asyncio.timeout(8):
            await endpoint.server.stop(0.2)
            assert await wire.reply() is None


async def test_a_sender_that_goes_away_does_not_undo_its_delivery() -> None:
    """It may have sent everything and not wait; what is being stored is stored."""
    async with running() as endpoint:
        endpoint.queue.gate = asyncio.Event()
        async with endpoint.connect() as wire:
            await wire.send(post(envelope(event())))
            await endpoint.queue.arrived.wait()
        endpoint.queue.gate.set()
        await answer(endpoint, get("/healthz"))
        assert len(endpoint.queue.intakes) == 1


async def test_three_hundred_senders_at_once_are_all_answered() -> None:
    """The backlog and the cap hold what one moment brings (W21)."""
    async with running() as endpoint:
        replies = await asyncio.gather(
            *(endpoint.ask(post(envelope(event(id=str(number))))) for number in range(300)),
        )
        assert [reply.status for reply in replies if reply] == [202] * 300


async def test_the_same_event_a_thousand_times_is_accepted_once() -> None:
    """A sender that does not hear our answer repeats without end (W20)."""
    delivery = recorded("distribution-3-push-manifest-tag")
    async with running() as endpoint, endpoint.connect() as wire:
        accepted = 0
        for _ in range(1000):
            await wire.send(post(delivery.body))
            reply = await wire.reply()
            assert reply is not None
            assert isinstance(reply.json, dict)
            accepted += reply.json["accepted"]
        assert accepted == 1


@pytest.mark.registry
async def test_a_real_registry_is_heard() -> None:
    """Distribution 2.8 pushes an addon: five blob events are noise, the manifest is a hint."""
    async with running() as endpoint:
        notify = Notify(url=f"http://127.0.0.1:{endpoint.address[1]}{PATH}", token=TOKEN)
        registry = await asyncio.to_thread(DockerRegistry(notify=notify).__enter__)
        try:
            layers = (b"one", b"two", b"three")
            digest = await asyncio.to_thread(push_files, registry.url, "addons/metrics", "v1.0.0", *layers)
            async with asyncio.timeout(20):
                while not hints(endpoint):
                    endpoint.queue.arrived.clear()
                    await endpoint.queue.arrived.wait()
        finally:
            await asyncio.to_thread(registry.__exit__)
        (hint,) = hints(endpoint)
        assert (hint.repository, hint.tag, hint.digest) == ("addons/metrics", "v1.0.0", str(digest))
        assert {intake.verdict for intake in endpoint.queue.intakes} == {"accepted"}
        assert endpoint.count('addon_sync_events_ignored_total{reason="blob"}') == 4


@pytest.mark.registry
async def test_a_refusal_holds_back_the_registry_until_it_is_cured() -> None:
    """Distribution repeats a 503 until it is accepted, and then the event arrives after all."""
    async with running(Limits(retry_after=1)) as endpoint:
        endpoint.queue.broken = QueueUnavailable("full")
        notify = Notify(url=f"http://127.0.0.1:{endpoint.address[1]}{PATH}", token=TOKEN)
        registry = await asyncio.to_thread(DockerRegistry(notify=replace(notify, backoff="50ms")).__enter__)
        try:
            await asyncio.to_thread(push_files, registry.url, "addons/metrics", "v1.0.0", b"layer")
            async with asyncio.timeout(30):
                while endpoint.count('addon_sync_deliveries_total{sender="unknown",verdict="unavailable"}') < 3:
                    endpoint.queue.arrived.clear()
                    await endpoint.queue.arrived.wait()
                endpoint.queue.broken = None
                while not hints(endpoint):
                    endpoint.queue.arrived.clear()
                    await endpoint.queue.arrived.wait()
        finally:
            await asyncio.to_thread(registry.__exit__)
        assert [hint.tag for hint in hints(endpoint)] == ["v1.0.0"]
