"""The registry's address, repositories and tags."""

import pytest

from receiver.errors import ConfigError, InvalidNameError
from receiver.oci.reference import RegistryAddress, Repository, Tag


@pytest.mark.parametrize(
    ("text", "insecure", "url"),
    [
        ("oci://registry.local:30500", False, "https://registry.local:30500"),
        ("oci://registry.local:30500", True, "http://registry.local:30500"),
        ("oci://registry.local:30500/", False, "https://registry.local:30500"),
        ("registry.local", False, "https://registry.local"),
        ("localhost:5000", True, "http://localhost:5000"),
        ("https://r:443", True, "https://r:443"),
        ("http://r", True, "http://r"),
        ("OCI://R", False, "https://r"),
        ("oci://[::1]:5000", True, "http://[::1]:5000"),
        (f"oci://{'a' * 63}.b-c_d.e.", False, f"https://{'a' * 63}.b-c_d.e."),
        ("oci://10.0.0.1", False, "https://10.0.0.1"),
    ],
)
def test_an_address_becomes_a_base_url(text: str, insecure: bool, url: str) -> None:
    """``oci`` is HTTPS unless INSECURE says otherwise; a scheme that is given stands."""
    assert RegistryAddress.parse(text, insecure=insecure).url == url


@pytest.mark.parametrize(
    "text",
    ["", "oci://", "ftp://r", "oci://r/addons", "oci://r/v2/", "oci://r?x", "oci://r#x", "oci://u@r", "oci://u:p@r",
     "oci://r:99999", "oci://r:0", "oci://r:x", "oci://[r", "oci://[::1", "oci://[1.2.3.4]", "oci://a b", "oci://a\nb", "oci://a\tb",
     "oci://-a", "oci://a%2fb", "oci://a\\b", "oci:/r", "file:///etc", "oci://r:-1", "oci://exämple",
     "oci://a..b:5000", "oci://.a", "oci://a..", "oci://a-", f"oci://{'a' * 64}", f"oci://b.{'a' * 70}:5000"],
)  # fmt: skip
def test_an_address_with_more_or_less_than_host_and_port_is_refused(text: str) -> None:
    """Always as a setting that is wrong, never as a traceback, and always by its name."""
    with pytest.raises(ConfigError, match="REGISTRY_URL"):
        RegistryAddress.parse(text, insecure=True)


def test_plain_http_needs_to_be_asked_for() -> None:
    """There is no way from https to http but the operator's word."""
    with pytest.raises(ConfigError, match="set INSECURE=true"):
        RegistryAddress.parse("http://r", insecure=False)


@pytest.mark.parametrize("text", ["addons/monitoring", "a", "a.b_c__d-e--f/0", "project/addons/x", "a" * 255])
def test_repository_names_of_the_specification_are_taken(text: str) -> None:
    """As they are."""
    assert Repository.parse(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "A", "/a", "a/", "a//b", "../a", "a/../b", "a/.b", "a_", "a___b", "a..b", "a b", "a\n", "a\0", "a%2fb", "a\\b",
     "a:b", "a@b", "ä", "a?x", "a" * 256],
)  # fmt: skip
def test_other_repository_names_are_refused(text: str) -> None:
    """They become URLs and log lines."""
    with pytest.raises(InvalidNameError):
        Repository.parse(text)


def test_tags_are_judged() -> None:
    """By the specification: at most 128 characters, none that ends a path or a line."""
    for text in ("v1.0.0", "latest", "_x", "1.0.0-rc.1", "A" * 128):
        assert Tag.parse(text) == text
    for text in ("", ".x", "-x", "a/b", "a b", "a\n", "A" * 129, "v1+x", "ä"):
        with pytest.raises(InvalidNameError):
            Tag.parse(text)
