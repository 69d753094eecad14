"""How values are written: what is taken, and that everything else is refused with an example."""

import re

import pytest

from receiver.errors import ConfigError
from receiver.notation import (
    parse_bool,
    parse_count,
    parse_duration,
    parse_endpoint,
    parse_list,
    parse_moment,
    parse_size,
    parse_webhook,
)
from receiver.oci.reference import RegistryAddress


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("$true", True), ("1", True), ("TRUE", True), ("$True", True), (" true ", True),
     ("false", False), ("$false", False), ("0", False), ("False", False), ("$FALSE", False)],
)  # fmt: skip
def test_truth_is_taken_as_shells_write_it(text: str, value: bool) -> None:
    """PowerShell writes $true where others write true."""
    assert parse_bool(text) is value


@pytest.mark.parametrize("text", ["", "yes", "no", "on", "2", "$1", "$$true", "wahr", "$"])
def test_what_is_neither_true_nor_false_is_refused(text: str) -> None:
    """A wrong guess about INSECURE would be plain HTTP."""
    with pytest.raises(ValueError, match="expected true or false"):
        parse_bool(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("0", 0), ("30d", 2_592_000), ("1.5h", 5400),
     (" 5m ", 300)],
)  # fmt: skip
def test_durations_are_seconds(text: str, seconds: float) -> None:
    """The forms of the contract, and their sums."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "m", "-5m", "5 m", "1h 30m", "5min", "5M", "1e3s", "inf", "nan", "٣m", "9" * 400 + "d", "5m!",
    "1..5s"]
)  # fmt: skip
def test_a_duration_without_a_unit_or_beyond_sense_is_refused(text: str) -> None:
    """5 could be seconds or minutes; an infinite one would never be slept."""
    with pytest.raises(ValueError, match="such as 90s, 5m or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("64MiB", 64 * 1024**2), ("1GiB", 1024**3), ("4096", 4096), ("10 KiB", 10240), ("7B", 7)]
)
def test_sizes_are_bytes(text: str, size: int) -> None:
    """In powers of 1024, as their units say."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "0", "0MiB", "64MB", "64mib", "1.5GiB", "-1", "MiB", "999999999999GiB", "9" * 5000, "٣MiB", "1 TiB"]
)
def test_a_size_in_doubtful_units_is_refused(text: str) -> None:
    """MB is 1000 or 1024 squared, and a limit of nothing admits nothing."""
    with pytest.raises(ValueError, match="such as 64MiB"):
        parse_size(text)


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "four", "", "1_000", "9999999999"])
def test_a_count_is_a_whole_number_from_one(text: str) -> None:
    """No workers would sync nothing for ever."""
    with pytest.raises(ValueError, match="whole number from 1"):
        parse_count(text)
    assert parse_count(" 4 ") == 4


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("[::1]:0", "::1", 0, True),
        ("[0:0:0:0:0:0:0:1]:1", "0:0:0:0:0:0:0:1", 1, True),
        ("localhost:65535", "localhost", 65535, True),
        ("127.9.9.9:1", "127.9.9.9", 1, True),
        (":8080", "0.0.0.0", 8080, False),
        ("0.0.0.0:1", "0.0.0.0", 1, False),
        ("[::]:1", "::", 1, False),
        ("node-1.example:80", "node-1.example", 80, False),
        ("127.0.0.1.evil.example:80", "127.0.0.1.evil.example", 80, False),
    ],
)
def test_an_address_tells_who_can_reach_it(text: str, host: str, port: int, loopback: bool) -> None:
    """Whether a token is needed hangs on it, so a name that only looks like 127.0.0.1 must not pass."""
    endpoint = parse_endpoint(text)
    assert (endpoint.host, endpoint.port, endpoint.loopback) == (host, port, loopback)


@pytest.mark.parametrize(
    "text",
    ["", "8080", "127.0.0.1", "::1:80", "[::1]", "[127.0.0.1]:80", "[::::]:80", "1.2.3:80", "256.1.1.1:80",
     "host:65536",
     "host:-1", "ho st:80", "http://host:80", "host:80/", "host:80\nx", "[fe80::1%eth0]:80"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    """At start, and not when the first request comes."""
    with pytest.raises(ValueError, match="address:port"):
        parse_endpoint(text)


IMPOSSIBLE = ["bad_host..name", ".name", "-name", "name-", "name-.", "a" * 64 + ".example"]
"""Names that no resolver takes; at some of them Python's raises what is no OSError."""


@pytest.mark.parametrize("host", IMPOSSIBLE)
def test_a_host_that_cannot_be_one_is_named(host: str) -> None:
    """As in the address of the registry; what may be one passes, a dot at its end included."""
    with pytest.raises(
        ValueError, match=f"{re.escape(repr(host))} is neither a host name nor an address: expected address:port"
    ):
        parse_endpoint(f"{host}:80")
    for url in (f"http://{host}", f"https://{host}:9292/hook/1"):
        with pytest.raises(
            ValueError, match=f"{re.escape(repr(host))} is neither a host name nor an address: expected http://host"
        ):
            parse_webhook(url)
    with pytest.raises(ConfigError):
        RegistryAddress.parse(f"oci://{host}", insecure=True)
    for name in ("under_score.example", "a--b", "node-1.example.", "a" * 63):
        assert parse_endpoint(f"{name}:80").host == name
        assert parse_webhook(f"http://{name}:80/hook/1") == f"http://{name}:80/hook/1"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "notification-controller.flux-system.svc"])
def test_a_webhook_may_be_at_any_host(host: str) -> None:
    """With or without a port and a path."""
    for rest in ("", ":9292", "/hook/1", ":9292/hook/1"):
        assert parse_webhook(f"http://{host}{rest}/") == f"http://{host}{rest}"


def test_lists_are_comma_separated() -> None:
    """Blanks and empty places mean nothing."""
    assert parse_list(" a, b,,c ,") == ("a", "b", "c")
    assert parse_list("") == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 2_800), ("0", 10_000), ("1970-01-01T00:00:01Z", 1), ("1970-01-01T01:00:01+01:00", 1),
     ("1970-01-01T00:00:01.5", 1.5), ("1970-01-02", 86_400)],
)  # fmt: skip
def test_a_moment_is_so_long_ago_or_a_time(text: str, seconds: float) -> None:
    """A time without a zone is UTC, as all that we tell."""
    assert parse_moment(text, now=10_000) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "yesterday", "-2h", "2026-13-01", "12:00", "1795000000"])
def test_what_is_no_moment_is_refused_with_examples(text: str) -> None:
    """Both forms are named."""
    with pytest.raises(ValueError, match="such as 2h, or a time such as 2026"):
        parse_moment(text, now=10_000)
