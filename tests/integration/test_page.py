"""The page over HTTP: who gets in, what each answer carries, and what another site or a stranger cannot do."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from receiver.server.connections import Limits
from receiver.server.page.endpoint import POLICY
from receiver.server.tls import ServerTls, TlsFiles
from receiver.tasks.journal import Activity
from tests.support.authority import Authority
from tests.support.endpoint import TOKEN, Endpoint, Reply, running
from tests.support.sync_fakes import NOW, World

WORD = "credential-of-the-page"
WORDS = (WORD,)
PATIENCE = 20.0
VIEWS = ("/", "/?q=x", "/addon/monitoring", "/journal", "/journal?kind=polls&before=5")


@dataclass
class Visitor:
    """A browser without a picture: keeps its cookie, sends what browsers send."""

    endpoint: Endpoint
    cookie: str = ""
    tls: ssl.SSLContext | None = None

    async def ask(
        self, path: str, form: Mapping[str, str] | None = None, *, method: str = "GET", **headers: str
    ) -> Reply:
        host, port = self.endpoint.address
        fields = {"Host": f"{host}:{port}", "Cookie": self.cookie}
        body = b""
        if form is not None:
            method, body = "POST", urlencode(form).encode()
            fields |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Content-Length": str(len(body)),
                "Sec-Fetch-Site": "same-origin",
            }
        fields |= {name.replace("_", "-"): text for name, text in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {text}" for name, text in fields.items() if text)]
        async with asyncio.timeout(PATIENCE):
            reply = await self.endpoint.ask("\r\n".join([*lines, "", ""]).encode() + body, ssl=self.tls)
        assert reply is not None
        return reply

    async def sign_in(self, word: str = WORD, **headers: str) -> Reply:
        reply = await self.ask("/login", {"credential": word, "next": "/journal"}, **headers)
        self.cookie = reply.headers.get("set-cookie", "").partition(";")[0] or self.cookie
        return reply

    async def word(self) -> str:
        """The one in the forms of this visitor."""
        found = re.search(rb'name="word" value="(\w+)"', (await self.ask("/journal")).body)
        assert found is not None
        return found[1].decode()

    async def act(self, do: str, **headers: str) -> Reply:
        return await self.ask("/act", {"word": await self.word(), "do": do, "back": "/addon/monitoring"}, **headers)


@asynccontextmanager
async def opened(limits: Limits | None = None, **changes: object) -> AsyncIterator[tuple[World, Visitor]]:
    """A door with the page of a world without files."""
    world = World()
    parts = {
        "queue": world.queue,
        "journal": world.queue,
        "views": world.views,
        "commands": world.engine,
        "control_token": "control",
        "api_tokens": lambda: WORDS,
        "clock": world.clock,
    }
    async with running(limits, **{**parts, **changes}) as endpoint:
        yield world, Visitor(endpoint)


@pytest.mark.parametrize("path", VIEWS)
async def test_nobody_sees_anything_before_signing_in(path: str) -> None:
    """They are sent to the form, which brings them back."""
    async with opened() as (_, visitor):
        reply = await visitor.ask(path)
        form = await visitor.ask(reply.headers["location"])
    assert (reply.status, reply.body) == (303, b"")
    assert reply.headers["location"].startswith("/login?next=/")
    assert (form.status, b'type="password"' in form.body) == (200, True)


async def test_a_stranger_changes_nothing_and_follows_nothing() -> None:
    """Not with a form either, and nothing is asked of the engine."""
    async with opened() as (world, visitor):
        acted = await visitor.ask("/act", {"do": "hold monitoring", "word": ""})
        left = await visitor.ask("/logout", {"word": ""})
        followed = await visitor.ask("/stream")
    assert (acted.status, left.status, followed.status) == (303, 303, 403)
    assert world.catalogue.known == {}


async def test_who_has_the_credential_gets_in_and_out() -> None:
    """The cookie that was kept opens nothing after the sign-out."""
    async with opened() as (_, visitor):
        assert (await visitor.sign_in()).headers["location"] == "/journal"
        for path in VIEWS[:2]:
            assert (await visitor.ask(path)).status == 200
        assert (await visitor.ask("/login?next=/journal")).headers["location"] == "/journal"
        out = await visitor.ask("/logout", {"word": await visitor.word()})
        assert "Max-Age=0" in out.headers["set-cookie"]
        assert (await visitor.ask("/")).status == 303


async def test_wrong_credentials_bar_their_address() -> None:
    """They count as those of senders do: 401, and after some of them nothing is read from there any more."""
    async with opened(Limits(failures=3), exempt=lambda _: False) as (_, visitor):
        for _ in range(3):
            reply = await visitor.sign_in("guessed")
            assert (reply.status, "set-cookie" in reply.headers) == (401, False)
            assert b"guessed" not in reply.body
        with pytest.raises((AssertionError, ConnectionError)):
            await visitor.sign_in()


@pytest.mark.parametrize("word", [TOKEN, "control", ""])
async def test_other_credentials_are_none_here(word: str) -> None:
    """Those of senders and of commands, where the page has its own."""
    async with opened() as (_, visitor):
        assert (await visitor.sign_in(word)).status == 401


@pytest.mark.parametrize(
    "path", [*VIEWS, "/login", "/addon/never-heard-of", "/addon/..%3f", "/static/page.css", "/static/x"]
)
async def test_every_answer_keeps_others_out(path: str) -> None:
    """No script but ours, no frame, no guessing of types, no trace in caches or other sites' logs."""
    async with opened() as (_, visitor):
        for _ in range(2):
            headers = (await visitor.ask(path)).headers
            assert headers["content-security-policy"] == POLICY
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            if path != "/static/page.css":
                assert headers["cache-control"] == "no-store"
            await visitor.sign_in()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "", "Origin": "https://evil.example"}, 403),
        ({"Sec_Fetch_Site": "", "Origin": "null"}, 303),
        ({}, 303),
    ],
)
async def test_another_site_cannot_press_a_button(headers: dict[str, str], status: int) -> None:
    """Even if it had the word; signing in and out are buttons too."""
    async with opened() as (world, visitor):
        await visitor.sign_in()
        reply = await visitor.act("hold monitoring", **headers)
        assert reply.status == status
        assert ("monitoring" in world.catalogue.known) == (status == 303)
        assert (await visitor.ask("/logout", {"word": await visitor.word()}, **headers)).status == status
        assert (await visitor.sign_in(**headers)).status == status


@pytest.mark.parametrize("form", [{}, {"word": ""}, {"word": "guessed"}], ids=["none", "empty", "wrong"])
async def test_a_form_without_its_word_does_nothing(form: dict[str, str]) -> None:
    """The cookie alone is not enough."""
    async with opened() as (world, visitor):
        await visitor.sign_in()
        for path in ("/act", "/logout"):
            assert (await visitor.ask(path, {**form, "do": "hold monitoring"})).status == 403
        assert (await visitor.ask("/journal")).status == 200
    assert world.catalogue.known == {}


async def test_a_button_does_what_it_says_and_tells_it() -> None:
    """The person is back where they were, and reads there what came of it, once."""
    async with opened() as (world, visitor):
        await visitor.sign_in()
        reply = await visitor.act("hold monitoring")
        assert (reply.status, reply.headers["location"]) == (303, "/addon/monitoring")
        assert world.catalogue.known["monitoring"].hold is not None
        assert b'class="notice good"' in (await visitor.ask("/addon/monitoring")).body
        assert b'class="notice' not in (await visitor.ask("/addon/monitoring")).body
        await visitor.act("rollback monitoring")
        assert b"no release of addons/monitoring" in (await visitor.ask("/")).body
        assert (await visitor.act("uninstall monitoring")).status == 400


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80"])
async def test_a_foreign_name_for_our_loopback_gets_nothing(host: str) -> None:
    """DNS rebinding: a page of that name may read our answers, so there are none, not even the form."""
    async with opened() as (_, visitor):
        await visitor.sign_in()
        for path in (*VIEWS, "/login", "/stream"):
            reply = await visitor.ask(path, Host=host)
            assert (reply.status, b"<form" in reply.body) == (421, False)


async def test_what_is_not_there_is_said_on_a_page() -> None:
    """With the way back; a name that cannot be one is repeated as text; no path leads to the first page by mistake."""
    async with opened() as (_, visitor):
        await visitor.sign_in()
        for path in ("/addon/never-heard-of", "/addon/%3Cscript%3E", "/static/secrets", "/favicon.ico", "/addons"):
            reply = await visitor.ask(path)
            assert (reply.status, b'href="/"' in reply.body, b"<script>" in reply.body) == (404, True, False)


async def test_a_journal_that_cannot_be_read_is_said_on_a_page() -> None:
    """With its reason, and status 503."""
    async with opened() as (world, visitor):
        await visitor.sign_in()
        await world.queue.close()
        reply = await visitor.ask("/")
    assert (reply.status, b"the queue is closed" in reply.body) == (503, True)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"credential=" + b"x" * 10_000, "application/x-www-form-urlencoded"),
        (b"credential=\xff\xfe", "application/x-www-form-urlencoded"),
        (b"&".join(b"a=b" for _ in range(100)), "application/x-www-form-urlencoded"),
        (f'{{"credential": "{WORD}"}}'.encode(), "application/json"),
        (f"credential={WORD}".encode(), "text/plain"),
    ],
    ids=["size", "bytes", "fields", "json", "plain"],
)
async def test_what_is_no_form_signs_nobody_in(body: bytes, kind: str) -> None:
    """Within bounds, and without a fault."""
    async with opened() as (_, visitor):
        host, port = visitor.endpoint.address
        head = f"POST /login HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}"
        reply = await visitor.endpoint.ask(f"{head}\r\n\r\n".encode() + body)
    assert reply is not None
    assert reply.status == 401


async def test_a_form_that_never_ends_is_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    """And nobody is called at night."""
    async with opened(Limits(body_seconds=0.05)) as (_, visitor):
        host, port = visitor.endpoint.address
        head = f"POST /login HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 50\r\n\r\n"
        reply = await visitor.endpoint.ask(head.encode() + b"cred")
    assert reply is None or reply.status == 408
    assert "Fault" not in caplog.text


@pytest.mark.parametrize("missing", ["api_tokens", "views", "commands"])
async def test_without_a_credential_there_is_no_page(missing: str) -> None:
    """404 as for any other path; senders do not notice."""
    async with opened(**{missing: None}) as (_, visitor):
        for path in (*VIEWS, "/login", "/stream", "/static/page.js"):
            assert (await visitor.ask(path)).status == 404
        assert (await visitor.ask("/healthz")).status == 200


async def test_open_pages_are_told_and_do_not_hold_up_the_end() -> None:
    """A word at every change; when the receiver stops, the stream ends at once."""
    async with opened() as (world, visitor):
        await visitor.sign_in()
        assert (await visitor.ask("/stream", method="HEAD")).status == 200
        host, port = visitor.endpoint.address
        async with visitor.endpoint.connect() as wire, asyncio.timeout(PATIENCE):
            await wire.send(f"GET /stream HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {visitor.cookie}\r\n\r\n".encode())
            await wire.reader.readuntil(b"event: changed\n")
            activity = Activity(at=NOW, kind="poll", outcome="looked", repository=None, document=b"{}")
            await asyncio.sleep(
                0.02
            )  # the first look is taken by then, or this change is in it, and the next one is told
            await world.queue.record([activity])
            while True:
                try:
                    async with asyncio.timeout(1):
                        await wire.reader.readuntil(b"event: changed\n")
                        break
                except TimeoutError:
                    await world.queue.record([activity])
            started = asyncio.get_running_loop().time()
            await visitor.endpoint.server.stop(10.0)
            assert await wire.reader.readuntil(b"0\r\n\r\n")
            assert asyncio.get_running_loop().time() - started < 5


async def test_a_page_that_was_left_makes_room_at_once() -> None:
    """Who goes from page to page has one open at a time, however quickly; its place is not kept for a sign of life."""
    async with opened() as (_, visitor):
        await visitor.sign_in()
        host, port = visitor.endpoint.address
        for _ in range(40):
            async with visitor.endpoint.connect() as wire, asyncio.timeout(PATIENCE):
                ask = f"GET /stream HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {visitor.cookie}\r\n\r\n"
                await wire.send(ask.encode())
                assert b" 200 " in await wire.reader.readuntil(b"\r\n")
                await wire.reader.readuntil(b"event: changed\n")


async def test_a_stream_ends_with_its_session() -> None:
    """Who signs out in one window is signed out in all."""
    async with opened() as (_, visitor):
        await visitor.sign_in()
        host, port = visitor.endpoint.address
        async with visitor.endpoint.connect() as wire, asyncio.timeout(PATIENCE):
            await wire.send(f"GET /stream HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {visitor.cookie}\r\n\r\n".encode())
            await wire.reader.readuntil(b"event: changed\n")
            await visitor.ask("/logout", {"word": await visitor.word()})
            async with asyncio.timeout(5):  # sooner than the next sign of life
                await wire.reader.readuntil(b"0\r\n\r\n")


async def test_over_tls_the_cookie_stays_within_it(tmp_path: Path) -> None:
    """``Secure``, and bound to the host by its name."""
    authority = Authority(tmp_path)
    pair = authority.sign("server")
    tls = ServerTls(TlsFiles(cert=pair.cert, key=pair.key, client_ca=None))
    tls.load()
    async with opened(tls=tls) as (_, visitor):
        visitor.tls = ssl.create_default_context(cafile=str(authority.cert))
        cookie = (await visitor.sign_in()).headers["set-cookie"]
        assert (await visitor.ask("/journal")).status == 200
    assert cookie.startswith("__Host-addon-sync-")
    assert "; Secure" in cookie
