"""Who may send."""

import base64

import pytest

from receiver.errors import Unauthenticated
from receiver.server.credentials import Credentials

TOKENS = ("s3cret:with-colon", "next", "grün")


def basic(user_and_password: str) -> str:
    return "Basic " + base64.b64encode(user_and_password.encode()).decode()


def check(*authorization: str, tokens: tuple[str, ...] = TOKENS) -> None:
    Credentials(lambda: tokens).check(authorization)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer next",
        "bearer next",
        "BEARER   next ",
        "Bearer s3cret:with-colon",
        "Bearer grün",
        basic("zot:next"),
        basic(":next"),
        basic("user:s3cret:with-colon"),
        "basic " + basic("x:grün").partition(" ")[2],
    ],
)
def test_every_configured_token_is_valid_in_both_schemes(header: str) -> None:
    """Two are valid while they are rotated; the user name of Basic says nothing (W6, W7)."""
    check(header)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("",),
        ("Bearer",),
        ("Bearer ",),
        ("next",),
        ("Digest next",),
        ("Bearer nexT",),
        ("Bearer next2",),
        ("Bearer nex",),
        ("Bearer wr0n",),
        ("Bearer n\udcffext",),
        ("Bearer gr\u00fcnn",),
        ("Bearer\tnext",),
        ("Bearer next", "Bearer next"),
        ("Bearer wrong", "Bearer next"),
        (basic("next"),),
        (basic("user:wrong"),),
        (basic("next:user"),),
        ("Basic !!!!",),
        ("Basic \udcff\udcff",),
        ("Basic",),
        (basic("user:next") + "\u00fc",),
    ],
)
def test_everything_else_gets_one_and_the_same_refusal(headers: tuple[str, ...]) -> None:
    """Neither the text nor an odd exception tells what was wrong (W1-W6)."""
    with pytest.raises(Unauthenticated) as caught:
        check(*headers)
    assert str(caught.value) == "a valid credential is required"


def test_an_empty_token_lets_nobody_in() -> None:
    """A stray comma in a list of tokens must not make the empty password valid."""
    for header in ("Bearer ", basic("user:")):
        with pytest.raises(Unauthenticated):
            check(header, tokens=("", "next"))


def test_an_emptied_token_file_closes_the_door() -> None:
    """That no token is left is not the same as that none was configured."""
    with pytest.raises(Unauthenticated):
        check("Bearer next", tokens=())


def test_without_a_configured_token_everybody_may_send() -> None:
    """Only on loopback, which serve sees to."""
    Credentials(None).check(())
    Credentials(None).check(("Bearer whatever", "Basic x"))


def test_a_changed_token_counts_from_the_next_request() -> None:
    """Rotation needs no restart."""
    tokens = ("old",)
    credentials = Credentials(lambda: tokens)
    credentials.check(["Bearer old"])
    tokens = ("new",)
    credentials.check(["Bearer new"])
    with pytest.raises(Unauthenticated):
        credentials.check(["Bearer old"])


def test_every_token_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time must not tell which token matched, and only values of one length may be compared."""
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr("receiver.server.credentials.compare_digest", compare)
    check("Bearer s3cret:with-colon")
    assert compared == [(32, 32)] * 3
