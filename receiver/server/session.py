"""Who is signed in to the page: a form takes the credential once, and a signed cookie stands for it from then on.

The cookie is worth nothing elsewhere (``SameSite=Strict``, ``HttpOnly``, no domain), to nobody after 8 hours, after a
sign-out, after a restart, or once the credential is no longer valid. What changes something needs more: a word that
only our own forms hold, and nothing that shows another site behind the request. See docs/decisions/0019-the-page.md.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hmac import compare_digest, digest

from aiohttp import web

from receiver.server.credentials import Tokens, Words, digest_of, encoded, refused
from receiver.server.failures import is_loopback
from receiver.server.site import is_origin, named_host, names_this_host

LASTS = 8 * 3600
"""Seconds from signing in: a working day."""
_MOST = 256
"""Sessions at a time; one more ends the oldest."""
_SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who presented a valid credential; ``until`` in the seconds of the clock."""

    name: str
    """Unguessable; it never leaves us without its signature."""
    credential: bytes
    """What the word hashes to that was presented."""
    until: float


class Sessions:
    """Those that are signed in.

    Args:
        tokens: the words that are taken now; a session ends with the word that began it.
        clock: seconds that only grow.
    """

    def __init__(self, tokens: Tokens, *, clock: Callable[[], float]) -> None:
        self._words = Words(tokens)
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._open: OrderedDict[str, Session] = OrderedDict()

    def sign_in(self, presented: str) -> Session:
        """A new session for who presents a valid credential.

        Raises:
            Unauthenticated: it is none; the text is always the same.
        """
        credential = digest_of(encoded(presented.strip()))
        if not self._words.hold(credential):
            raise refused()
        session = Session(secrets.token_urlsafe(24), credential, self._clock() + LASTS)
        self._open[session.name] = session
        if len(self._open) > _MOST:
            self._open.popitem(last=False)
        return session

    def sign_out(self, session: Session) -> None:
        """End it."""
        self._open.pop(session.name, None)

    def lasts(self, session: Session) -> bool:
        """Whether it is still good: not ended, not too old, and its credential is still one."""
        if self._open.get(session.name) is not session:
            return False
        if self._clock() < session.until and self._words.hold(session.credential):
            return True
        self.sign_out(session)
        return False

    def of(self, request: web.BaseRequest) -> Session | None:
        """The session that the cookie of ``request`` stands for, if it still lasts."""
        name, _, signature = request.cookies.get(_cookie_name(request), "").partition(".")
        if not compare_digest(encoded(signature), encoded(self._signed("cookie", name))):
            return None
        session = self._open.get(name)
        return session if session is not None and self.lasts(session) else None

    def holds(self, request: web.BaseRequest) -> bool:
        """Whether ``request`` comes from somebody who is signed in, from a page of ours where it changes something."""
        return (
            not is_rebound(request)
            and (request.method in _SAFE or comes_from_us(request))
            and self.of(request) is not None
        )

    def cookie(self, request: web.BaseRequest, session: Session | None) -> str:
        """The ``Set-Cookie`` that begins ``session`` in the browser, or ends whatever there is."""
        value = "" if session is None else f"{session.name}.{self._signed('cookie', session.name)}"
        age = 0 if session is None else LASTS
        secure = "; Secure" if request.secure else ""
        return f"{_cookie_name(request)}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"

    def word(self, session: Session) -> str:
        """The word that forms of ``session`` carry, and nobody else knows."""
        return self._signed("form", session.name)

    def is_word(self, session: Session, word: str) -> bool:
        """Whether a form of ``session`` carried ``word``."""
        return compare_digest(encoded(word), encoded(self.word(session)))

    def _signed(self, purpose: str, text: str) -> str:
        return digest(self._key, encoded(f"{purpose} {text}"), "sha256").hex()


def _cookie_name(request: web.BaseRequest) -> str:
    """Browsers give a cookie to every port of a host: each receiver there has its own."""
    address = None if request.transport is None else request.transport.get_extra_info("sockname")
    port = address[1] if address else 0
    return f"{'__Host-' if request.secure else ''}addon-sync-{port}"


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that another site is behind a request.

    Browsers that know ``Sec-Fetch-Site`` send it over TLS and to loopback. Elsewhere there is ``Origin``, which a page
    that withholds its address may send as ``null``: that says nothing, and the word in the form decides.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site != "same-origin"
    origin = headers.get("Origin", "null")
    return origin != "null" and not is_origin(origin, headers.get("Host", ""))


def comes_from_us(request: web.BaseRequest) -> bool:
    """Whether a browser says that a page of ours is behind ``request``: what has no form needs that."""
    told = "Sec-Fetch-Site" in request.headers or request.headers.get("Origin", "null") != "null"
    return told and not is_foreign(request.headers)


def is_rebound(request: web.BaseRequest) -> bool:
    """Whether a foreign name leads to our loopback: a page of that name could read our answers (DNS rebinding)."""
    address = None if request.transport is None else request.transport.get_extra_info("sockname")
    if not address or not is_loopback(str(address[0])):
        return False
    host = request.headers.get("Host", "")
    return not names_this_host(host) and not named_host(host).endswith(".localhost")
