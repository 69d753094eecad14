"""Sessions of the page: what begins one, what ends it, and which requests it does not speak for."""

import ssl
from collections.abc import Mapping
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from receiver.errors import Unauthenticated
from receiver.server.session import LASTS, Sessions, comes_from_us, is_foreign, is_rebound

WORD = "credential-of-the-page"


class Keeper:
    """The valid words, and a clock that a test moves."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.now = 0.0
        self.sessions = Sessions(lambda: self.words, clock=lambda: self.now)


@pytest.fixture
def keeper() -> Keeper:
    return Keeper(WORD)


def request(
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    sockname: tuple[str, int] = ("127.0.0.1", 8080),
    tls: bool = False,
    host: str = "127.0.0.1:8080",
) -> web.Request:
    transport = Mock()
    transport.get_extra_info = {"sockname": sockname}.get
    context = ssl.create_default_context() if tls else None
    return make_mocked_request(method, "/", {"Host": host, **(headers or {})}, transport=transport, sslcontext=context)


def carrying(cookie: str, **more: object) -> web.Request:
    """A request with what ``Set-Cookie`` said."""
    return request({"Cookie": cookie.split(";", maxsplit=1)[0]}, **more)  # type: ignore[arg-type] # those of `request`


def test_who_presents_the_credential_is_signed_in(keeper: Keeper) -> None:
    """By a cookie that no script reads, that goes to no other site, and that TLS keeps to itself."""
    session = keeper.sessions.sign_in(f" {WORD}\n")
    cookie = keeper.sessions.cookie(request(), session)
    assert keeper.sessions.of(carrying(cookie)) == session
    assert keeper.sessions.holds(carrying(cookie))
    assert set(cookie.split("; ")[1:]) == {"Path=/", f"Max-Age={LASTS}", "HttpOnly", "SameSite=Strict"}
    secure = keeper.sessions.cookie(request(tls=True), session)
    assert secure.startswith("__Host-")
    assert "; Secure" in secure
    assert WORD not in cookie


@pytest.mark.parametrize("presented", ["", " ", "guessed", WORD.upper(), WORD + "x", "\udcff"])
def test_a_wrong_credential_begins_nothing(keeper: Keeper, presented: str) -> None:
    """Nor does an empty one where a list of words has a gap."""
    keeper.words = (WORD, "")
    with pytest.raises(Unauthenticated, match="a valid credential is required"):
        keeper.sessions.sign_in(presented)


def test_a_cookie_is_worth_nothing_once_it_was_touched(keeper: Keeper) -> None:
    """Or to another start, which has another key."""
    session = keeper.sessions.sign_in(WORD)
    cookie = keeper.sessions.cookie(request(), session).split(";")[0]
    for touched in (cookie[:-1], cookie + "0", cookie.replace(".", "x."), cookie.split("=")[0] + "=", "", "x=é"):
        assert keeper.sessions.of(request({"Cookie": touched})) is None
    other = Keeper(WORD)
    assert other.sessions.of(carrying(cookie)) is None


def test_two_receivers_on_one_host_do_not_sign_each_other_out(keeper: Keeper) -> None:
    """A browser gives a cookie to every port of a host."""
    cookies = {keeper.sessions.cookie(request(sockname=("127.0.0.1", port)), None).split("=")[0] for port in (1, 2)}
    assert len(cookies) == 2


def test_a_session_ends_after_its_time(keeper: Keeper) -> None:
    """8 hours, whether it was used or not."""
    cookie = keeper.sessions.cookie(request(), keeper.sessions.sign_in(WORD))
    keeper.now = LASTS - 1
    assert keeper.sessions.of(carrying(cookie)) is not None
    keeper.now = LASTS
    assert keeper.sessions.of(carrying(cookie)) is None


def test_a_session_ends_with_a_sign_out(keeper: Keeper) -> None:
    """Also for who kept the cookie; other sessions go on."""
    first, second = keeper.sessions.sign_in(WORD), keeper.sessions.sign_in(WORD)
    kept, other = (keeper.sessions.cookie(request(), each) for each in (first, second))
    keeper.sessions.sign_out(first)
    assert keeper.sessions.of(carrying(kept)) is None
    assert keeper.sessions.of(carrying(other)) is second
    assert "Max-Age=0" in keeper.sessions.cookie(request(), None)


def test_a_session_ends_with_the_credential_that_began_it(keeper: Keeper) -> None:
    """A word that was withdrawn opens nothing, not even what it had opened before."""
    session = keeper.sessions.sign_in(WORD)
    cookie = keeper.sessions.cookie(request(), session)
    keeper.words = (WORD, "the next one")
    assert keeper.sessions.of(carrying(cookie)) is session
    keeper.words = ("the next one",)
    assert keeper.sessions.of(carrying(cookie)) is None
    assert not keeper.sessions.lasts(session)


def test_sessions_are_counted(keeper: Keeper) -> None:
    """Who has the credential and loses every cookie fills no memory: the oldest one ends."""
    first = keeper.sessions.sign_in(WORD)
    for _ in range(256):
        keeper.sessions.sign_in(WORD)
    assert not keeper.sessions.lasts(first)


def test_a_form_carries_a_word_of_its_own_session(keeper: Keeper) -> None:
    """That of another one is none."""
    one, other = keeper.sessions.sign_in(WORD), keeper.sessions.sign_in(WORD)
    assert keeper.sessions.is_word(one, keeper.sessions.word(one))
    for wrong in ("", keeper.sessions.word(other), keeper.sessions.word(one) + "0", "\udcff"):
        assert not keeper.sessions.is_word(one, wrong)


@pytest.mark.parametrize(
    ("headers", "foreign", "ours"),
    [
        ({}, False, False),
        ({"Sec-Fetch-Site": "same-origin"}, False, True),
        ({"Sec-Fetch-Site": "same-site"}, True, False),
        ({"Sec-Fetch-Site": "cross-site"}, True, False),
        ({"Sec-Fetch-Site": "none"}, True, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8080"}, True, False),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, False, True),
        ({"Origin": "http://127.0.0.1:8080"}, False, True),
        ({"Origin": "http://127.0.0.1:9"}, True, False),
        ({"Origin": "https://evil.example"}, True, False),
        ({"Origin": "http://[evil"}, True, False),
        ({"Origin": "null"}, False, False),
    ],
)
def test_a_browser_says_which_site_is_behind_a_request(headers: dict[str, str], foreign: bool, ours: bool) -> None:
    """Another port of the same host is another site to us."""
    found = request(headers, method="POST")
    assert (is_foreign(found.headers), comes_from_us(found)) == (foreign, ours)


@pytest.mark.parametrize(("method", "held"), [("GET", True), ("HEAD", True), ("POST", False), ("DELETE", False)])
def test_a_cookie_alone_changes_nothing(keeper: Keeper, method: str, held: bool) -> None:
    """What has no form must come from a page of ours."""
    cookie = keeper.sessions.cookie(request(), keeper.sessions.sign_in(WORD)).split(";")[0]
    assert keeper.sessions.holds(request({"Cookie": cookie}, method=method)) == held
    ours = request({"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}, method=method)
    assert keeper.sessions.holds(ours)
    assert not keeper.sessions.holds(request({"Sec-Fetch-Site": "same-origin"}, method=method))


@pytest.mark.parametrize(
    ("address", "host", "rebound"),
    [
        ("127.0.0.1", "127.0.0.1:8080", False),
        ("127.0.0.1", "localhost:8080", False),
        ("127.0.0.1", "LOCALHOST", False),
        ("127.0.0.1", "receiver.localhost:8080", False),
        ("::1", "[::1]:8080", False),
        ("127.0.0.1", "evil.example:8080", True),
        ("127.0.0.1", "127.0.0.1.evil.example", True),
        ("127.0.0.1", "", True),
        ("127.0.0.1", "[evil", True),
        ("::ffff:127.0.0.1", "evil.example", True),
        ("192.0.2.7", "receiver.example:8080", False),
    ],
)
def test_a_foreign_name_for_our_loopback_is_refused(keeper: Keeper, address: str, host: str, rebound: bool) -> None:
    """A page of that name could read our answers; beyond loopback, any name may be ours."""
    cookie = keeper.sessions.cookie(request(), keeper.sessions.sign_in(WORD)).split(";")[0]
    found = request({"Cookie": cookie}, sockname=(address, 8080), host=host)
    assert is_rebound(found) == rebound
    assert keeper.sessions.holds(found) == (not rebound)
