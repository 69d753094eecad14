"""A status, its codes and its Retry-After become the error that says what cures it."""

import json

import pytest

from receiver.errors import AccessDenied, NotInRegistry, ProtocolViolation, RateLimited, RegistryError, Unavailable
from receiver.registry.answers import Refusal, error_codes, error_for, parse_retry_after

NOW = 1_795_000_000.0


def refused(status: int, retry_after: str | None = None, codes: tuple[str, ...] = ()) -> RegistryError:
    refusal = Refusal(status=status, retry_after=retry_after, codes=codes)
    return error_for(refusal, subject="h:5000, repository addons/x", remedy=None, now=NOW)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AccessDenied),
        (403, AccessDenied),
        (404, NotInRegistry),
        (408, Unavailable),
        (429, RateLimited),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
        (400, ProtocolViolation),
        (413, ProtocolViolation),
        (101, ProtocolViolation),
        (204, ProtocolViolation),
        (206, ProtocolViolation),
        (304, ProtocolViolation),
        (418, ProtocolViolation),
    ],
)
def test_a_status_becomes_the_error_that_cures_it(status: int, kind: type[RegistryError]) -> None:
    """Exactly this kind: a 503 without Retry-After is no rate limit."""
    error = refused(status)

    assert type(error) is kind
    assert "h:5000, repository addons/x" in str(error)
    assert str(status) in str(error)


def test_a_503_with_a_time_is_a_rate_limit() -> None:
    """The time is honoured by the task queue, so it travels with the error."""
    error = refused(503, "17")

    assert isinstance(error, RateLimited)
    assert error.retry_after == 17


def test_a_request_that_is_too_large_is_not_blamed_on_address_or_account() -> None:
    """A proxy refuses it, whatever the question's own remedy is."""
    for remedy in (None, "check the account"):
        refusal = Refusal(status=413, retry_after=None, codes=())
        text = str(error_for(refusal, subject="s", remedy=remedy, now=NOW))
        assert "in front of the registry" in text
        assert "--chunk-size" in text
        assert "client_max_body_size" in text
        assert "account" not in text
        assert "REGISTRY_URL" not in text


def test_the_message_names_the_remedy() -> None:
    """An operator reads what to set."""
    assert "ADDON_SYNC_REGISTRY_USERNAME" in str(refused(401))
    refusal = Refusal(status=404, retry_after=None, codes=("NAME_UNKNOWN",))
    assert str(error_for(refusal, subject="s", remedy="do this", now=NOW)).endswith("(404 NAME_UNKNOWN); do this")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("0", 1),
        ("7", 7),
        (" 7 ", 7),
        ("999999", 300),
        ("9" * 5000, 30),
        ("-1", 30),
        ("+5", 30),
        ("1e3", 30),
        ("٣", 30),
        ("soon", 30),
        ("", 30),
        (None, 30),
        ("nan", 30),
        ("Wed, 18 Nov 2026 09:06:40 GMT", 1),
        ("Wed, 18 Nov 2026 11:07:50 GMT", 70),
        ("Wed, 18 Nov 2099 11:07:50 GMT", 300),
        ("Wed, 18 Nov 2026 11:07:50", 70),
        ("Wed, 99 Nov 2026 11:07:50 GMT", 30),
    ],
)
def test_retry_after_is_bounded(header: str | None, expected: float) -> None:
    """Seconds or a date, from a second to five minutes, half a minute for garbage (hazards J12)."""
    assert parse_retry_after(header, now=NOW) == expected


def test_only_well_formed_codes_of_an_error_body_are_told() -> None:
    """Messages and details of a registry never reach a log line (hazards "Error bodies")."""
    codes = ["MANIFEST_UNKNOWN", "evil\ninjected", "lower", "X" * 65, "NAME_UNKNOWN", "DENIED"]
    body = json.dumps({"errors": [{"code": code, "message": "secret", "detail": {}} for code in codes]}).encode()

    assert error_codes(body) == ("MANIFEST_UNKNOWN",)
    assert error_codes(json.dumps({"errors": [{"code": "A"}] * 9}).encode()) == ("A",) * 4


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"errors": null}',
        b'{"errors": [1]}',
        b"\xff",
        b'{"errors": [{"code": 5}]}',
        b"[" * 50_000,
    ],
)
def test_an_error_body_may_be_anything(body: bytes) -> None:
    """A broken error document must not hide the status."""
    assert error_codes(body) == ()
