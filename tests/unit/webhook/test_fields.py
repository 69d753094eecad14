"""The fields of events, one by one."""

import pytest

from receiver.errors import Malformed
from receiver.webhook.fields import addon_repository, essence, one_line, text


@pytest.mark.parametrize("value", ["v1.0.0", "x" * 128, "grüße", "a b"])
def test_printable_text_is_kept(value: str) -> None:
    """What people may want to read passes as it is."""
    assert text(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x" * 129,
        "a\nb",
        "\x1b[31m",
        "\x00",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202e",
        "\ud800",
        None,
        5,
        ["v1"],
        {},
        True,
    ],
)
def test_other_text_never_reaches_log_or_database(value: object) -> None:
    """Control characters forge log lines, lone surrogates cannot be stored, long text fills disks (W16)."""
    assert text(value) is None


@pytest.mark.parametrize("name", ["addons/metrics", "addons/ingress-nginx"])
def test_an_addon_repository_is_judged(name: str) -> None:
    """A name below the prefix becomes a typed repository."""
    judged = addon_repository(name, "addons/")
    assert judged is not None
    assert (judged.name, judged.leaf) == (name, name.removeprefix("addons/"))


@pytest.mark.parametrize(
    "name", ["library/nginx", "addons", "addons/a/b", "addons/nul", "myaddons/x", "project/addons/x"]
)
def test_other_repositories_hold_no_addon(name: str) -> None:
    """A registry holds more than addons: that is no fault."""
    assert addon_repository(name, "addons/") is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "addons/",
        "addons/../etc",
        "addons/a\n",
        "addons/A",
        "https://evil/addons/a",
        "addons/a:v1",
        "/addons/a",
        "addons//a",
        "addons/a%2fb",
        "addons/" + "a" * 300,
        None,
        7,
        ["addons/a"],
    ],
)
def test_what_is_no_repository_name_is_malformed(name: object) -> None:
    """No registry can have such a repository, so the event is not what it seems (W19)."""
    with pytest.raises(Malformed):
        addon_repository(name, "addons/")


@pytest.mark.parametrize(
    ("header", "expected"),
    [("Application/JSON", "application/json"), ("a/b; charset=utf-8", "a/b"), ("a/b, a/b", "a/b"), ("", "")],
)
def test_a_content_type_is_compared_by_its_essence(header: str, expected: str) -> None:
    """Parameters, case and doubling do not make another type (RFC 9110 section 8.3.1)."""
    assert essence(header) == expected


def test_a_line_stays_one_printable_line() -> None:
    """A reason may quote a sender; its escapes must not reach a terminal."""
    assert one_line("a\r\n\x1b[2J\u202eb\ud800") == "a\\r\\n\\x1b[2J\\u202eb\\ud800"
    assert one_line("plain") == "plain"
    assert len(one_line("x" * 1000)) == 300
