"""FluxCD is told of what was installed: by a signed request to its webhook, and at no cost where it does not answer."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from receiver import serve
from receiver.flux import FluxWebhook, hook, signature
from receiver.secret import Secret, password
from receiver.sync.outcome import Surveyed
from tests.support.certificates import make_certificates
from tests.support.outcomes import outcome

TOKEN = "a shared word"


class Flux:
    """notification-controller in its own words: a path from token and name, and a signature over the body."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.heard: list[str] = []
        self.changed = asyncio.Event()
        self.path = "/hook/" + hashlib.sha256(f"{TOKEN}addon-synck2s-addon-sync".encode()).hexdigest()
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        expected = "sha256=" + hmac.new(TOKEN.encode(), body, hashlib.sha256).hexdigest()
        good = request.path == self.path and hmac.compare_digest(request.headers["X-Signature"], expected)
        status = (self.answers.pop(0) if self.answers else 200) if good else 404
        self.heard.append(f"{json.loads(body)['addon']} {status}")
        self.changed.set()
        return web.Response(status=status)

    async def until(self, count: int) -> list[str]:
        async with asyncio.timeout(20):
            while len(self.heard) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.heard


@pytest.fixture
async def flux() -> AsyncIterator[Flux]:
    served = Flux()
    application = web.Application()
    application.router.add_post("/{path:.*}", served.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield served
    await runner.cleanup()


@contextlib.asynccontextmanager
async def running(url: str, token: Secret, told: Callable[[str], None] = lambda _: None) -> AsyncIterator[FluxWebhook]:
    webhook = FluxWebhook(url, token=token, told=told, pauses=(0.01, 0.01))
    task = asyncio.create_task(webhook.run())
    try:
        yield webhook
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def secret(text: str = TOKEN) -> Secret:
    return Secret(key="ADDON_SYNC_FLUX_TOKEN", split=password, text=text)


async def test_an_installed_addon_is_told_at_once(flux: Flux) -> None:
    """To the path that Flux derives itself, signed; an addon that changed nothing is not told of."""
    told: list[str] = []
    async with running(flux.url, secret(), told.append) as webhook:
        for status in ("unchanged", "failed", "absent", "held"):
            webhook(outcome(status, repository="addons/other"))
        webhook(Surveyed(started=0.0, duration=0.1, changed=("addons/other",)))
        webhook(outcome(repository="addons/monitoring"))
        assert await flux.until(1) == ["monitoring 200"]
        webhook(outcome(repository="addons/ingress-nginx"))
        assert await flux.until(2) == ["monitoring 200", "ingress-nginx 200"]
    assert told[0] == "delivered"


@pytest.mark.parametrize("trusted", [True, False])
async def test_over_tls_it_is_told_to_whom_the_system_trusts(
    flux: Flux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, trusted: bool
) -> None:
    """The HTTP client is imported without the certificates of the system, and would trust nobody."""
    certificates = make_certificates(tmp_path)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "cert.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    application = web.Application()
    application.router.add_post("/{path:.*}", flux.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    told: list[str] = []
    async with running(f"https://127.0.0.1:{runner.addresses[0][1]}", secret(), told.append) as webhook:
        webhook(outcome(repository="addons/monitoring"))
        await webhook.settle()
    await runner.cleanup()
    assert (flux.heard, told) == ((["monitoring 200"], ["delivered"]) if trusted else ([], ["failed"]))


async def test_what_was_installed_while_serve_stops_is_told_in_what_is_left_of_the_time(flux: Flux) -> None:
    """Nobody tells it later: the next start knows of no such outcome."""
    webhook = FluxWebhook(flux.url, token=secret(), told=lambda _: None, pauses=(0.01, 60.0))
    telling = asyncio.create_task(webhook.run())
    webhook(outcome(repository="addons/monitoring"))
    webhook(outcome(repository="addons/security"))
    await serve._last_words(webhook, telling, 20.0)
    assert flux.heard == ["monitoring 200", "security 200"]
    await asyncio.wait({telling})
    assert telling.cancelled()


async def test_a_flux_that_does_not_answer_does_not_hold_up_the_end(flux: Flux) -> None:
    """Nor does one that ended with an error."""
    flux.answers = [503] * 9
    webhook = FluxWebhook(flux.url, token=secret(), told=lambda _: None, pauses=(60.0,))
    telling = asyncio.create_task(webhook.run())
    webhook(outcome(repository="addons/monitoring"))
    async with asyncio.timeout(10):
        await serve._last_words(webhook, telling, 0.1)
        await asyncio.wait({telling})
        await serve._last_words(webhook, telling, 60.0)


async def test_what_fails_is_tried_again_and_then_left_to_the_poll(
    flux: Flux, caplog: pytest.LogCaptureFixture
) -> None:
    """Three tries for each; one warning, which does not show the path; the next addon is not held up."""
    told: list[str] = []
    flux.answers = [503, 503, 503, 500]
    async with running(flux.url, secret(), told.append) as webhook:
        webhook(outcome(repository="addons/monitoring"))
        webhook(outcome(repository="addons/security"))
        heard = await flux.until(5)
    assert heard == ["monitoring 503"] * 3 + ["security 500", "security 200"]
    assert told[0] == "failed"
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [line.partition(":")[0] for line in warnings] == ["FluxCD could not be told of monitoring"]
    assert "answered 503" in warnings[0]
    assert "/hook/" not in caplog.text
    assert TOKEN not in caplog.text


async def test_a_flux_that_is_away_costs_a_warning(flux: Flux, caplog: pytest.LogCaptureFixture) -> None:
    """No answer, a wrong token: the reason is told, and nothing else ends."""
    ended: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.timeout(20):
        async with running("http://127.0.0.1:1", secret(), ended.put_nowait) as webhook:
            webhook(outcome(repository="addons/monitoring"))
            assert await ended.get() == "failed"
        async with running(flux.url, secret("another word"), ended.put_nowait) as webhook:
            webhook(outcome(repository="addons/monitoring"))
            assert await ended.get() == "failed"
    assert "127.0.0.1:1" in caplog.text
    assert "answered 404" in caplog.text


async def test_a_token_is_read_again_when_its_file_changes(flux: Flux, tmp_path: Path) -> None:
    """As every secret is; the path changes with it."""
    file = tmp_path / "token"
    file.write_text("the word before\n", encoding="utf-8")
    token = Secret(key="ADDON_SYNC_FLUX_TOKEN", split=password, file=file)
    ended: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.timeout(20), running(flux.url, token, ended.put_nowait) as webhook:
        webhook(outcome(repository="addons/monitoring"))
        assert await ended.get() == "failed"
        file.write_text(f"{TOKEN}\n\n", encoding="utf-8")
        webhook(outcome(repository="addons/monitoring"))
        assert await ended.get() == "delivered"


def test_a_whole_url_is_used_as_it_is() -> None:
    """A Receiver of another name, or behind an ingress that changes paths."""
    assert hook("https://flux.example.local/hook/abc", TOKEN) == "https://flux.example.local/hook/abc"
    assert hook("https://flux.example.local", TOKEN).startswith("https://flux.example.local/hook/")


def test_the_signature_is_that_of_a_known_example() -> None:
    """RFC 4231 test case 2, in Flux's notation."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert signature(b"what do ya want for nothing?", "Jefe") == f"sha256={expected}"
