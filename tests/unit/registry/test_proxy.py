"""Which requests go through the operator's proxy."""

import pytest

from receiver.registry.location import Location
from receiver.registry.proxy import Proxy, parse_exemptions, parse_proxy

PROXY = parse_proxy("http://proxy.example:3128")


def serves(exemptions: str, url: str) -> bool:
    return Proxy(origin=PROXY, exemptions=parse_exemptions(exemptions)).serves(Location.parse(url).origin)


@pytest.mark.parametrize(
    ("exemptions", "url"),
    [
        ("*", "https://registry.example"),
        ("registry.example", "https://registry.example"),
        ("example", "https://registry.example"),
        ("REGISTRY.example", "https://registry.EXAMPLE"),
        ("registry.example.", "https://registry.example"),
        (".example", "https://registry.example"),
        ("*.example", "https://registry.example"),
        ("registry.example:5000", "https://registry.example:5000"),
        ("registry.example:443", "https://registry.example"),
        ("10.0.0.0/8", "https://10.1.2.3"),
        ("10.1.2.3", "https://10.1.2.3:5000"),
        ("10.1.2.3:5000", "https://10.1.2.3:5000"),
        ("fd00::/8", "https://[fd00::1]"),
        ("[fd00::1]:5000", "https://[fd00::1]:5000"),
        ("a, registry.example", "https://registry.example"),
        ("a registry.example", "https://registry.example"),
        ("", "http://localhost:5000"),
        ("", "http://127.1.2.3"),
        ("", "http://[::1]"),
    ],
)
def test_what_is_exempt_is_asked_directly(exemptions: str, url: str) -> None:
    """Hosts, domains, networks and ports as Go reads them; this machine itself always."""
    assert not serves(exemptions, url)


@pytest.mark.parametrize(
    ("exemptions", "url"),
    [
        ("", "https://registry.example"),
        ("registry", "https://registry.example"),
        ("gistry.example", "https://registry.example"),
        (".registry.example", "https://registry.example"),
        ("*.registry.example", "https://registry.example"),
        ("registry.example:5000", "https://registry.example"),
        ("10.0.0.0/8", "https://11.1.2.3"),
        ("10.0.0.0/8", "https://registry.example"),
        ("10.1.2.3", "https://10.1.2.30"),
        ("10.1.2.3:5000", "https://10.1.2.3"),
        ("fd00::/8", "https://10.1.2.3"),
        ("", "https://10.1.2.3"),
        ("", "https://localhost.example"),
    ],
)
def test_the_rest_goes_through_the_proxy(exemptions: str, url: str) -> None:
    """A part of a name is no domain, and a port counts."""
    assert serves(exemptions, url)


@pytest.mark.parametrize("text", ["10.0.0.0/33", "a/b", "http://a", "a:b", "a:", "..", "-", "10.0.0.0/8:80", "a\tb:x"])
def test_an_exemption_that_is_none_is_refused(text: str) -> None:
    """Rather than silently covering nothing."""
    with pytest.raises(ValueError, match="neither"):
        parse_exemptions(text)
