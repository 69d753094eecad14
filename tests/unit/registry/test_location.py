"""Which URLs may be requested, and where a redirect may lead."""

import pytest

from receiver.errors import ProtocolViolation
from receiver.oci.reference import RegistryAddress
from receiver.registry.location import Location, Origin, is_numeric, may_reach, redirect_target


@pytest.mark.parametrize(
    ("text", "origin", "target"),
    [
        ("http://h", Origin("http", "h", 80), "/"),
        ("https://H.example:8443/a/b?x=%2F&y", Origin("https", "h.example", 8443), "/a/b?x=%2F&y"),
        (f"http://{'a' * 63}.b.:81/", Origin("http", f"{'a' * 63}.b.", 81), "/"),
        ("https://[::1]:5000/v2/#fragment", Origin("https", "::1", 5000), "/v2/"),
    ],
)
def test_a_url_is_taken_apart(text: str, origin: Origin, target: str) -> None:
    """A signed query stays as it was, byte for byte; a fragment is never sent."""
    location = Location.parse(text)

    assert (location.origin, location.target) == (origin, target)
    assert Location.parse(location.url) == location


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h:80",
        "//h/x",
        "file:///x",
        "unix:///x",
        "http://",
        "http:///x",
        "http://u@h/",
        "http://u:p@h/",
        "http://h\\@evil/",
        "http://h /x",
        "http://h/\n",
        "http://hé/",
        "http://h:0/",
        "http://h:99999/",
        "http://h:x/",
        "http://[::1/",
        "http://%31/",
        "http://h%00/",
        "http://a..b/",
        "http://.a/",
        "http://a../",
        f"http://{'a' * 64}/",
        f"http://b.{'a' * 70}/",
    ],
)
def test_a_url_that_two_parsers_could_read_differently_is_refused(text: str) -> None:
    """One narrow form, without users, backslashes, escapes in the host or control characters."""
    with pytest.raises(ProtocolViolation):
        Location.parse(text)


def test_a_refusal_does_not_repeat_the_query() -> None:
    """Signed URLs are credentials (hazards "Error bodies")."""
    with pytest.raises(ProtocolViolation) as caught:
        Location.parse("ftp://h/?sig=s3cret")
    assert "s3cret" not in str(caught.value)


def test_the_port_of_a_scheme_need_not_be_said() -> None:
    """``https://h`` and ``https://h:443`` are one origin, and credentials belong to it."""
    plain = RegistryAddress.parse("oci://h", insecure=False)
    said = RegistryAddress.parse("oci://h:443", insecure=False)

    assert Location.of(plain).origin == Location.of(said).origin
    assert str(Location.of(said).origin) == "https://h"


def test_a_redirect_may_be_relative() -> None:
    """RFC 9110 section 10.2.2 allows any reference."""
    current = Location.parse("https://h/v2/a/blobs/x")

    assert redirect_target(current, "/store?sig=1").url == "https://h/store?sig=1"
    assert redirect_target(current, "//other:8443/y").origin == Origin("https", "other", 8443)


@pytest.mark.parametrize(
    "reference", [None, "", "http://h/x", "http://other/x", "file:///etc/passwd", "unix:/run/x.sock"]
)
def test_a_redirect_out_of_tls_or_http_is_refused(reference: str | None) -> None:
    """From https there is no way to http, and none to a file or a socket (hazards J10)."""
    with pytest.raises(ProtocolViolation):
        redirect_target(Location.parse("https://h/v2/"), reference)


@pytest.mark.parametrize(
    ("host", "registry", "allowed"),
    [
        ("8.8.8.8", "9.9.9.9", True),
        ("10.0.0.1", "9.9.9.9", False),
        ("127.0.0.1", "9.9.9.9", False),
        ("10.0.0.1", "192.168.1.5", True),
        ("127.0.0.1", "192.168.1.5", False),
        ("127.0.0.1", "127.0.0.2", True),
        ("8.8.8.8", "10.0.0.1", True),
        ("169.254.169.254", "10.0.0.1", False),
        ("169.254.169.254", "127.0.0.1", False),
        ("169.254.0.7", "169.254.0.7", True),
        ("::ffff:127.0.0.1", "9.9.9.9", False),
        ("::ffff:10.0.0.1", "9.9.9.9", False),
        ("::1", "2606:4700::1", False),
        ("fe80::1%eth0", "fd00::1", False),
        ("0.0.0.0", "127.0.0.1", False),
        ("224.0.0.1", "10.0.0.1", False),
        ("2130706433", "127.0.0.1", False),
        ("not an address", "127.0.0.1", False),
    ],
)
def test_a_registry_opens_no_door_into_a_nearer_network(host: str, registry: str, allowed: bool) -> None:
    """From the internet none into the private network, from there none into this machine, and never link-local."""
    assert may_reach(host, registry=[registry]) is allowed


def test_nothing_private_is_reached_while_the_registry_is_unknown() -> None:
    """Before the registry's own name was resolved, only the internet may be asked."""
    assert may_reach("8.8.8.8", registry=())
    assert not may_reach("10.0.0.1", registry=())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "::1", "10.0.0.1."])
def test_a_number_is_told_from_a_name(host: str) -> None:
    """Odd spellings too: the system's resolver takes them for addresses."""
    assert is_numeric(host)
    assert not is_numeric("registry.example")
    assert not is_numeric("1password.example")
