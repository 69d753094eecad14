"""Who may use the API, and from where.

Beyond loopback, only who has a token of ADDON_SYNC_API_TOKEN; without one, the API is not there. On loopback also the
commands of this host, by the credential in the state folder: whoever may read that may change the catalogue anyway. A
token that is also a sender's opens nothing: senders are many, and keep their tokens in other systems.

A browser on this host can be made to ask us: a name that its owner turns to 127.0.0.1 (DNS rebinding) is known by the
Host header; a form of a foreign page (CSRF) cannot send JSON, and says where it comes from.
"""

from collections.abc import Callable, Sequence

from aiohttp import web

from receiver.server.answers import refusal
from receiver.server.credentials import Tokens, Words, digest_of, presented_token, refused
from receiver.server.site import is_origin, names_this_host

Also = Callable[[web.BaseRequest], bool]
"""Whether a request without an ``Authorization`` header is let in for another reason, such as a session."""

_SAFE = frozenset({"GET", "HEAD"})


def nobody(_: web.BaseRequest) -> bool:
    """There is no other way in."""
    return False


class Keys:
    """The words that open the API now: a `receiver.server.credentials.Tokens`.

    Args:
        tokens: those of the API; None where none is configured.
        host: the credential of this host's commands; None where others than this host can ask.
        senders: whose words open nothing here.
    """

    def __init__(self, tokens: Tokens | None, *, host: str | None, senders: Sequence[Tokens]) -> None:
        self._tokens = tokens
        self._host = () if host is None else (host,)
        self._senders = senders
        self._sources: tuple[tuple[str, ...], ...] = ()
        self._words: tuple[str, ...] = ()
        self.are_there = tokens is not None or host is not None

    def __call__(self) -> tuple[str, ...]:
        """The same tuple until they change."""
        sources = (() if self._tokens is None else self._tokens(), *(sender() for sender in self._senders))
        if not _same(sources, self._sources) or not self._words:
            foreign = {word for words in sources[1:] for word in words}
            self._words = (*self._host, *(word for word in sources[0] if word not in foreign))
            self._sources = sources
        return self._words


def _same(one: tuple[tuple[str, ...], ...], other: tuple[tuple[str, ...], ...]) -> bool:
    return len(one) == len(other) and all(left is right for left, right in zip(one, other, strict=True))


class ApiGate:
    """Judges requests.

    Args:
        keys: the words that open.
        is_local: whether the address is one of loopback: then the Host header must name it so.
        also: lets others in; what they change must come from a page of the same host.
    """

    def __init__(self, keys: Tokens, *, is_local: bool, also: Also = nobody) -> None:
        self._words = Words(keys)
        self._is_local = is_local
        self._also = also

    def judge(self, request: web.BaseRequest) -> web.Response | None:
        """Why not, as an answer; None where the request may go on."""
        if self._is_local and not names_this_host(request.headers.get("Host", "")):
            return refusal(
                421,
                "this address is one of loopback: ask for it as localhost or 127.0.0.1 (behind a proxy, let it send "
                "such a Host header, or listen on another address)",
            )
        authorization = request.headers.getall("Authorization", [])
        if authorization:
            if not self._opens(authorization):
                return _unauthenticated()
        elif not self._also(request):
            return _unauthenticated()
        elif request.method not in _SAFE and not comes_from_this_host(request):
            return refusal(403, "what changes something must come from a page of this host")
        return _without_json(request)

    def _opens(self, authorization: Sequence[str]) -> bool:
        token = presented_token(authorization)
        return token is not None and self._words.hold(digest_of(token))


def comes_from_this_host(request: web.BaseRequest) -> bool:
    """Whether a browser says that a page of this very host and port is behind ``request``."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    return is_origin(request.headers.get("Origin", ""), request.headers.get("Host", ""))


def _unauthenticated() -> web.Response:
    return refusal(401, str(refused()), headers={"WWW-Authenticate": "Bearer"})


def _without_json(request: web.BaseRequest) -> web.Response | None:
    if request.method in _SAFE or request.content_type == "application/json":
        return None
    return refusal(415, "what changes something needs a body with 'Content-Type: application/json'")
