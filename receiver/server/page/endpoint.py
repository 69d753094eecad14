"""The paths of the page: sign in, look, ask for something, follow. What a person sees is made in ``render``."""

import asyncio
import logging
import platform
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from aiohttp import web

from receiver.errors import InvalidNameError, Oversized, ReceiverError, Unauthenticated
from receiver.server.answers import answer
from receiver.server.body import read_body
from receiver.server.connections import Connection, Limits
from receiver.server.control import Commands
from receiver.server.page import board
from receiver.server.page.actions import Actions, NotAnAction, wanted
from receiver.server.page.entries import folded, lines, spoken
from receiver.server.page.feed import Feed
from receiver.server.page.render import Renderer
from receiver.server.routes import Handler, Routes
from receiver.server.session import Session, Sessions, is_foreign, is_rebound
from receiver.server.status import Reasons
from receiver.sync.views import Views
from receiver.tasks.journal import Journal, Wanted
from receiver.tasks.queue import TaskQueue

_log = logging.getLogger(__name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
"""The address of a static file changes with its content."""
_STATIC = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_PAGE = 50
"""Entries of the journal at a time."""
_LATEST = 4 * _PAGE
"""Entries that are looked through for the latest ones that say something."""
_FORM = 8 * 1024
"""Bytes of a form."""
_MOST_STREAMS = 32
_SIGN_OF_LIFE = 15.0
_KINDS: dict[str, Wanted] = {
    "all": Wanted(),
    "arrived": Wanted(arrivals=True),
    "syncs": Wanted(kind="sync"),
    "polls": Wanted(kind="poll"),
    "by hand": Wanted(kind="operation"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the page shows, and whom it asks."""

    views: Views
    journal: Journal
    queue: TaskQueue
    commands: Commands
    ready: Reasons
    registry: str
    """Host and port, for people."""
    clock: Callable[[], float]
    limits: Limits


class Page:
    """The endpoints; ``sessions`` says who is signed in."""

    def __init__(self, sources: Sources, sessions: Sessions) -> None:
        self._sources = sources
        self._sessions = sessions
        self._render = Renderer(clock=sources.clock)
        self._feed = Feed(journal=sources.journal, queue=sources.queue)
        self._actions = Actions(sources.commands, changed=self._feed.tell)
        self._static = dict(_read_static())
        self._versions = {name: sha256(body).hexdigest()[:12] for name, body in self._static.items()}
        self._host = platform.node()

    def routes(self) -> Routes:
        """The paths."""
        return {
            "/": {"GET": self._for_signed_in(self._overview)},
            "/addon/": {"GET": self._for_signed_in(self._addon)},
            "/journal": {"GET": self._for_signed_in(self._journal)},
            "/stream": {"GET": self._ours(self._stream)},
            "/act": {"POST": self._for_signed_in(self._act)},
            "/login": {"GET": self._ours(self._form), "POST": self._ours(self._sign_in)},
            "/logout": {"POST": self._for_signed_in(self._sign_out)},
            "/static/": {"GET": self._file},
        }

    async def close(self, grace: float) -> None:
        """End the streams, and let what was asked for end within ``grace`` seconds."""
        self._feed.close()
        await self._actions.close(grace)

    def _ours(self, handler: Handler) -> Handler:
        """Only under our own name; what cannot be told is said on a page."""

        async def guarded(request: web.BaseRequest) -> web.StreamResponse:
            if is_rebound(request):
                text = "this page is for this machine: open it as http://127.0.0.1 or http://localhost. A proxy in "
                return self._message(421, f"{text}front of it must send one of them as Host")
            try:
                return await handler(request)
            except InvalidNameError as error:
                return self._message(404, str(error))
            except ReceiverError as error:
                _log.error("The page cannot show what is asked for: %s", error)
                return self._message(503, str(error))
            except ConnectionAbortedError as error:
                request.protocol.force_close()
                return self._message(408, str(error))

        return guarded

    def _for_signed_in(self, handler: Callable[[web.BaseRequest, Session], Awaitable[web.StreamResponse]]) -> Handler:
        async def guarded(request: web.BaseRequest) -> web.StreamResponse:
            session = self._sessions.of(request)
            if session is None:
                back = request.path_qs if request.method in {"GET", "HEAD"} else "/"
                return _see(f"/login?next={quote(own_path(back), safe='/')}")
            return await handler(request, session)

        return self._ours(guarded)

    async def _overview(self, request: web.BaseRequest, session: Session) -> web.StreamResponse:
        if request.path != "/":  # what no other route took
            return self._message(404, "there is no such page")
        sources = self._sources
        words = _query(request, "q")
        statuses = await sources.views.statuses(ask=False)
        tasks = await sources.queue.tasks()
        page = await sources.journal.entries(Wanted(), limit=_LATEST)
        latest = folded(page.entries, most=_PAGE)

        common = self._common(request, session)

        def draw() -> bytes:
            rows = board.rows(statuses)
            return self._render.page(
                "overview",
                **common,
                words=words,
                counts=board.counts(rows),
                total=len(rows),
                rows=board.matching(rows, words),
                queue=board.queue(tasks),
                lines=latest,
                before=latest[-1].number if latest and (page.before is not None or len(latest) == _PAGE) else None,
                reasons=tuple(sources.ready()),
            )

        # Hundreds of rows take tens of milliseconds, in which senders want their answers.
        return _document(await asyncio.to_thread(draw))

    async def _addon(self, request: web.BaseRequest, session: Session) -> web.StreamResponse:
        views = self._sources.views
        name = request.path.rpartition("/")[2]
        story = await views.story(name)
        status = story.status
        known = status.installed or status.hold or status.last_event or status.last_sync or status.next_attempt
        if not (known or story.entries or status.standing != "unknown"):
            return self._message(404, f"nothing is known of an addon {name!r}: no event, no sync, nothing installed")
        return self._page(
            "addon",
            request,
            session,
            row=board.row(status),
            meaning=board.MEANINGS[status.standing],
            steps=story.steps,
            lines=lines(story.entries),
            kept=await views.kept(name),
        )

    async def _journal(self, request: web.BaseRequest, session: Session) -> web.StreamResponse:
        before, kind = _query(request, "before"), _query(request, "kind")
        number = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
        kind = kind if kind in _KINDS else "all"
        page = await self._sources.journal.entries(_KINDS[kind], limit=_PAGE, before=number)
        return self._page(
            "journal",
            request,
            session,
            lines=lines(page.entries),
            kinds=tuple(_KINDS),
            kind=kind,
            older=page.before,
            newest=number is None,
        )

    async def _act(self, request: web.BaseRequest, session: Session) -> web.StreamResponse:
        form = await self._read(request)
        if is_foreign(request.headers) or not self._sessions.is_word(session, form.get("word", "")):
            return self._message(403, "this did not come from a form of this page: go back, reload it, and try again")
        try:
            request_ = wanted(form)
        except NotAnAction as error:
            return self._message(400, str(error))
        verb, _, subject = form["do"].partition(" ")
        await self._actions.take(session, request_, _subject(verb, subject))
        return _see(own_path(form.get("back", "/")))

    async def _form(self, request: web.BaseRequest) -> web.StreamResponse:
        back = own_path(_query(request, "next") or "/")
        return _see(back) if self._sessions.of(request) is not None else self._login(back)

    async def _sign_in(self, request: web.BaseRequest) -> web.StreamResponse:
        form = await self._read(request)
        back = own_path(form.get("next", "/"))
        if is_foreign(request.headers):
            return self._message(403, "this did not come from the form of this page: open it again")
        try:
            session = self._sessions.sign_in(form.get("credential", ""))
        except Unauthenticated:
            return self._login(back, wrong=True)
        return _see(back, {"Set-Cookie": self._sessions.cookie(request, session)})

    async def _sign_out(self, request: web.BaseRequest, session: Session) -> web.StreamResponse:
        form = await self._read(request)
        if is_foreign(request.headers) or not self._sessions.is_word(session, form.get("word", "")):
            return self._message(403, "this did not come from a form of this page: go back, reload it, and try again")
        self._sessions.sign_out(session)
        self._feed.tell()  # the streams of this session find that it has ended
        return _see("/login", {"Set-Cookie": self._sessions.cookie(request, None)})

    async def _stream(self, request: web.BaseRequest) -> web.StreamResponse:
        """A word at every change: the page then asks for itself anew."""
        session = self._sessions.of(request)
        if session is None:
            return self._message(403, "sign in first")
        if self._feed.listeners >= _MOST_STREAMS:
            # EventSource does not try again after this; the page goes on without being told.
            return self._message(503, "too many pages are open")
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream", **_no_store()})
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        with suppress(ConnectionResetError):
            async with aclosing(self._words(session, request.protocol)) as words:
                async for word in words:
                    await response.write(word)
            await response.write_eof()
        return response

    async def _words(self, session: Session, client: asyncio.BaseProtocol) -> AsyncGenerator[bytes, None]:
        with self._feed.listening() as news:
            gone = asyncio.Event()

            def leave() -> None:
                gone.set()
                news.set()

            if isinstance(client, Connection):
                client.when_gone(leave)
            # The first one is for what has changed since the page was made.
            yield b"retry: 2000\nevent: changed\ndata: 0\n\n"
            while not gone.is_set() and not self._feed.closed and self._sessions.lasts(session):
                try:
                    async with asyncio.timeout(_SIGN_OF_LIFE):
                        await news.wait()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                news.clear()
                yield b"event: changed\ndata: 0\n\n"

    async def _file(self, request: web.BaseRequest) -> web.StreamResponse:
        name = request.path.rpartition("/")[2]
        body = self._static.get(name)
        if body is None:
            return self._message(404, "there is nothing here")
        return answer(body, headers={**_HEADERS, "Content-Type": f"{_STATIC[name]}; charset=utf-8", **_FOR_EVER})

    async def _read(self, request: web.BaseRequest) -> dict[str, str]:
        """The fields of a form; none where the body is no form."""
        try:
            body = await read_body(request, limit=_FORM, seconds=self._sources.limits.body_seconds)
        except Oversized:
            return {}
        if not request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            return {}
        try:
            fields = parse_qs(body.decode("ascii", "strict"), max_num_fields=16, keep_blank_values=True)
        except ValueError:
            return {}
        return {name: values[0] for name, values in fields.items()}

    def _login(self, back: str, *, wrong: bool = False) -> web.Response:
        body = self._render.page("login", **self._common(None, None), back=back, wrong=wrong)
        return _document(body, status=401, headers={"WWW-Authenticate": "Bearer"}) if wrong else _document(body)

    def _message(self, status: int, text: str) -> web.Response:
        body = self._render.page("message", **self._common(None, None), status=status, text=text)
        return _document(body, status=status)

    def _page(self, template: str, request: web.BaseRequest, session: Session, **values: Any) -> web.Response:
        return _document(self._render.page(template, **self._common(request, session), **values))

    def _common(self, request: web.BaseRequest | None, session: Session | None) -> dict[str, Any]:
        """What every template uses."""
        return {
            "host": self._host,
            "registry": self._sources.registry,
            "versions": self._versions,
            "here": "/" if request is None else request.path_qs,
            "word": None if session is None else self._sessions.word(session),
            "notices": [] if session is None else self._actions.notices(session),
            "spoken": spoken,
        }


def own_path(text: str) -> str:
    """``text`` where it is the address of one of our own views, else that of the overview."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    ours = parts.path in {"/", "/journal"} or parts.path.startswith("/addon/")
    plain = text.isascii() and text.isprintable() and "\\" not in text and not text.startswith("//")
    return text if ours and plain and not parts.scheme and not parts.netloc else "/"


def _subject(verb: str, subject: str) -> str:
    """What an action is about, in the words of a notice."""
    if verb == "poll":
        return "all addons"
    return f"entry {subject}" if verb == "replay" else subject.partition(" ")[0]


def _query(request: web.BaseRequest, name: str) -> str:
    return str(request.query.get(name, ""))[:200]


def _document(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return answer(body, status=status, headers={**_HEADERS, **(headers or {})})


def _see(path: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return _document(b"", status=303, headers={"Location": path, **(headers or {})})


def _no_store() -> dict[str, str]:
    return {"Cache-Control": "no-store", "Server": "addon-sync"}


def _read_static() -> list[tuple[str, bytes]]:
    folder = resources.files("receiver.server.page") / "static"
    return [(name, (folder / name).read_bytes()) for name in _STATIC]
