"""What Host and Origin say: which names are those of this host, and whose page is behind a request."""

import pytest

from receiver.server.site import is_origin, named_host, names_this_host


@pytest.mark.parametrize(
    "host",
    ["", "::1", "[::1", "localhost:x", "localhost:123456", "a b", "127.0.0.1:80:80", "[localhost]", "x@localhost",
     "evil.example/.localhost", "evil.example?localhost", "localhost\n"],
)  # fmt: skip
def test_what_is_no_authority_names_nobody(host: str) -> None:
    """Whatever stands in the header."""
    assert (named_host(host), names_this_host(host)) == ("", False)


@pytest.mark.parametrize(
    ("host", "name", "ours"),
    [("LocalHost:80", "localhost", True), ("127.8.8.8", "127.8.8.8", True), ("[::1]:1", "::1", True),
     ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1", True), ("evil.example:80", "evil.example", False),
     ("a.localhost", "a.localhost", False), ("127.0.0.1.evil.example", "127.0.0.1.evil.example", False)],
)  # fmt: skip
def test_loopback_goes_by_few_names(host: str, name: str, ours: bool) -> None:
    """In any case, with or without a port."""
    assert (named_host(host), names_this_host(host)) == (name, ours)


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [("http://a.example", "a.example", True), ("http://A.example", "a.EXAMPLE", True),
     ("http://a.example", "a.example:80", True), ("https://a.example", "a.example:443", True),
     ("https://a.example", "a.example:80", False), ("http://[::1]:8080", "[::1]:8080", True),
     ("http://a.example:8080", "a.example", False), ("http://a.example.evil", "a.example", False),
     ("http://a.example", "", False), ("null", "null", False), ("", "", False), ("http://[", "[", False),
     ("http://a.example:x", "a.example:x", False)],
)  # fmt: skip
def test_a_page_is_ours_by_host_and_port(origin: str, host: str, same: bool) -> None:
    """The ports that a scheme stands for count as if they were written; what cannot be read is nobody's."""
    assert is_origin(origin, host) == same
