"""A status and its error codes to the error that says what cures it. Pure: the time comes in as an argument."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from receiver.document import Document, InvalidDocument, Value, decode
from receiver.errors import AccessDenied, NotInRegistry, ProtocolViolation, RateLimited, RegistryError, Unavailable

MAX_ERROR_BODY = 64 * 1024
"""Bytes of an error body that are read; hazards "Error bodies"."""
MAX_RETRY_AFTER = 300.0
"""Seconds; a registry may ask for a year. Hazards "429/503 Retry-After"."""
MIN_RETRY_AFTER = 1.0
_DEFAULT_RETRY_AFTER = 30.0
_SECONDS = re.compile(r"[0-9]{1,10}\Z")
# distribution-spec "Error Codes": upper-case words. Nothing else of an error body ever reaches a message.
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")
_MAX_CODES = 4


class Refusal(Value, frozen=True, kw_only=True):
    """An answer that is not what was asked for."""

    status: int
    retry_after: str | None
    """The header, as it came."""
    codes: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((str(self.status), *self.codes))


class _Error(Document, frozen=True):
    code: str = ""


class _Errors(Document, frozen=True):
    errors: list[_Error] = []  # noqa: RUF012 - msgspec copies an empty default for each value


def error_codes(body: bytes) -> tuple[str, ...]:
    """The well-formed codes of an error body; none where it is no error document."""
    try:
        document = decode(body, _Errors)
    except InvalidDocument:
        return ()
    return tuple(error.code for error in document.errors[:_MAX_CODES] if _CODE.match(error.code))


def error_for(refusal: Refusal, *, subject: str, remedy: str | None, now: float) -> RegistryError:
    """The error for an answer; ``subject`` names registry and repository, ``now`` is in seconds since the epoch."""
    status = refusal.status
    if status in {401, 403}:
        cure = "check ADDON_SYNC_REGISTRY_USERNAME and ADDON_SYNC_REGISTRY_PASSWORD, and that the account may pull"
        return AccessDenied(f"{subject}: access refused ({refusal}); {remedy or cure}")
    if status == 404:
        return NotInRegistry(f"{subject}: not in the registry ({refusal}); {remedy or 'push it, or check its name'}")
    if status == 413:
        # No registry has such a limit; nginx lets 1 MiB through where it was not told otherwise.
        return ProtocolViolation(
            f"{subject}: something in front of the registry takes no request so large ({refusal}); push with a smaller "
            "--chunk-size, such as 1MiB, or raise its limit (nginx: client_max_body_size)"
        )
    if status == 429 or (status == 503 and refusal.retry_after is not None):
        wait = parse_retry_after(refusal.retry_after, now=now)
        return RateLimited(f"{subject}: the registry asks to come back in {wait:.0f} s ({refusal})", retry_after=wait)
    if status >= 500 or status == 408:
        return Unavailable(f"{subject}: the registry failed ({refusal}); it is asked again later")
    return ProtocolViolation(f"{subject}: unexpected answer ({refusal}); {remedy or 'is REGISTRY_URL a registry?'}")


def parse_retry_after(header: str | None, *, now: float) -> float:
    """Seconds to wait, within bounds, from delay-seconds or an HTTP date (RFC 9110 section 10.2.3); 30 for garbage."""
    text = (header or "").strip()
    if _SECONDS.match(text):
        wait = float(text)
    else:
        try:
            moment = parsedate_to_datetime(text)
            wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
        except (ValueError, OverflowError):
            wait = _DEFAULT_RETRY_AFTER
    return min(max(wait, MIN_RETRY_AFTER), MAX_RETRY_AFTER)
