"""What a 401 may ask for, and which token service may be asked."""

import pytest

from receiver.errors import AccessDenied, ProtocolViolation
from receiver.registry.challenge import Challenge, choose, parse_challenges, token_request, token_service
from receiver.registry.location import Location, Origin

HTTPS = Origin("https", "registry.example", 443)
HTTP = Origin("http", "registry.example", 5000)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Bearer realm="https://r/token",service="s"', [("bearer", {"realm": "https://r/token", "service": "s"})]),
        ('Basic realm="a, b"', [("basic", {"realm": "a, b"})]),
        (
            'Basic realm="x", Bearer realm="y", service=z',
            [("basic", {"realm": "x"}), ("bearer", {"realm": "y", "service": "z"})],
        ),
        ("Negotiate, Basic realm=x", [("negotiate", {}), ("basic", {"realm": "x"})]),
        ("Negotiate YII=, Basic realm=x", [("negotiate", {}), ("basic", {"realm": "x"})]),
        ('BASIC Realm = "q\\"uoted\\\\"', [("basic", {"realm": 'q"uoted\\'})]),
        (
            'Bearer scope="repository:a:pull,push",realm="r"',
            [("bearer", {"scope": "repository:a:pull,push", "realm": "r"})],
        ),
        (", ,Basic realm=x,,", [("basic", {"realm": "x"})]),
        ("", []),
    ],
)
def test_challenges_are_told_apart(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    """Several in one header, with commas and escapes inside quotes (hazards J6; RFC 9110 section 11.6.1)."""
    assert [(found.scheme, dict(found.parameters)) for found in parse_challenges(header)] == expected


@pytest.mark.parametrize(
    "header",
    [
        'Bearer realm="open',
        "Bearer realm=x y=z",
        '"quoted"',
        "Basic realm=a, realm=b",
        "=x",
        "Basic x\x00",
        "a" * 20_000,
    ],
)
def test_what_is_no_challenge_is_refused(header: str) -> None:
    """Ambiguous or broken headers end the request; nothing is guessed."""
    with pytest.raises(ProtocolViolation):
        parse_challenges(header)


def test_a_long_hostile_header_is_parsed_in_no_time() -> None:
    """No pattern backtracks: the header just below the limit ends at once (the suite has a time limit)."""
    with pytest.raises(ProtocolViolation):
        parse_challenges("Bearer " + 'a="\\' * 4000)
    parse_challenges("Bearer a=" + "b" * 16_000)


def test_bearer_is_preferred_to_basic() -> None:
    """With a token, the password is not sent with every request."""
    assert choose(parse_challenges("Basic realm=x, Bearer realm=y")).scheme == "bearer"


def test_unknown_schemes_are_refused() -> None:
    """Negotiate and the like: the text says what is supported."""
    with pytest.raises(AccessDenied, match="Bearer and Basic"):
        choose(parse_challenges("Negotiate"))


@pytest.mark.parametrize(
    ("realm", "registry"),
    [
        ("https://evil.example/token", HTTPS),
        ("https://registry.example.evil/token", HTTPS),
        ("http://registry.example/token", HTTPS),
        ("http://169.254.169.254/latest/meta-data", HTTP),
        ("http://127.0.0.1:5000/token", HTTP),
    ],
)
def test_a_token_service_elsewhere_is_not_asked(realm: str, registry: Origin) -> None:
    """Another host, or no TLS where the registry has it (hazards J1 to J4, CVE-2026-48978)."""
    with pytest.raises(AccessDenied, match="not asked"):
        token_service(Challenge("bearer", {"realm": realm}), registry=registry)


def test_a_listed_token_service_is_asked_with_tls_only() -> None:
    """The list names an origin; plain HTTP for a registry with TLS is refused all the same (hazards J2)."""
    listed = [Origin("https", "auth.example", 443), Origin("http", "auth.example", 80)]

    realm = token_service(Challenge("bearer", {"realm": "https://auth.example/t"}), registry=HTTPS, allowed=listed)
    assert realm.url == "https://auth.example/t"
    with pytest.raises(AccessDenied, match="plain HTTP"):
        token_service(Challenge("bearer", {"realm": "http://auth.example/t"}), registry=HTTPS, allowed=listed)


@pytest.mark.parametrize(
    "realm",
    [
        "",
        "/token",
        "file:///etc/passwd",
        "ftp://registry.example/",
        "https://u:p@registry.example/",
        "https://",
        "https:\\\\registry.example",
    ],
)
def test_a_realm_that_is_no_url_is_refused(realm: str) -> None:
    """Empty, relative, other schemes, user names (hazards J5)."""
    with pytest.raises(ProtocolViolation):
        token_service(Challenge("bearer", {"realm": realm}), registry=HTTPS)
    with pytest.raises(ProtocolViolation):
        token_service(Challenge("bearer", {}), registry=HTTPS)


def test_the_scope_is_ours() -> None:
    """A wider scope in the challenge is ignored; the realm's own query is kept (hazards "Cross-repo")."""
    realm = Location.parse("https://registry.example/token?tenant=1")

    question = token_request(realm, service="a&b", scope="repository:addons/x:pull")

    assert question.url == "https://registry.example/token?tenant=1&service=a%26b&scope=repository%3Aaddons%2Fx%3Apull"
    assert token_request(realm, service=None, scope="s").query == "tenant=1&scope=s"
    assert token_request(realm, service="a", scope="").query == "tenant=1&service=a"
    assert token_request(Location.parse("https://r/token"), service=None, scope="").target == "/token"
