"""How settings are written: durations, sizes, lists, addresses, names. Text in, value out; an error says how. Pure."""

import ipaddress
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from receiver.addon import TagPolicy, VersionRange
from receiver.document import Value
from receiver.errors import ProtocolViolation
from receiver.oci.reference import Repository, is_host
from receiver.registry.location import Location, Origin

# ASCII digits only, and few: what no int, float or SQLite column could hold never comes about.
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|[smhd])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"([0-9]{1,12})\s*(|B|KiB|MiB|GiB)\Z")
_BYTES = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_MAX_SIZE = 2**53
"""8 PiB: beyond any volume, and still a whole number to every reader of JSON (RFC 8259 section 6)."""
_ENDPOINT = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]*)):([0-9]{1,5})\Z")
_AN_ENDPOINT = "expected address:port, such as 127.0.0.1:8080 or [::1]:8080"
_A_WEBHOOK = "expected http://host[:port] or https://host[:port]"
_COUNT = re.compile(r"[1-9][0-9]{0,8}\Z")


class Endpoint(Value, frozen=True, kw_only=True):
    """``host`` and ``port`` to listen on; port 0 for a free one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Reachable from this machine only. A name other than ``localhost`` may lead anywhere."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"


def parse_bool(text: str) -> bool:
    """``true``, ``$true``, ``1`` and their opposites, any case (PowerShell writes ``$true``).

    Raises:
        ValueError: anything else.
    """
    word = text.strip().lower()
    if word in {"true", "$true", "1"}:
        return True
    if word in {"false", "$false", "0"}:
        return False
    raise ValueError("expected true or false")


def parse_duration(text: str) -> float:
    """``90s``, ``5m``, ``1h30m``, ``250ms``, or ``0``; in seconds.

    Raises:
        ValueError: anything else, a number without a unit too.
    """
    text = text.strip()
    if text == "0":
        return 0.0
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("expected a duration such as 90s, 5m or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def parse_moment(text: str, *, now: float) -> float:
    """``2h``, so long before ``now``, or a time in ISO 8601, UTC where it names no zone; in seconds since the epoch.

    Raises:
        ValueError: anything else.
    """
    try:
        return now - parse_duration(text)
    except ValueError:
        return _parse_time(text)


def _parse_time(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise ValueError("expected a duration such as 2h, or a time such as 2026-11-22T12:00:00Z") from error


def parse_size(text: str) -> int:
    """``64MiB``, ``1GiB``, ``4096``; in bytes.

    Raises:
        ValueError: anything else, none, or more than any disk.
    """
    match = _SIZE.match(text.strip())
    if match is None or not 0 < int(match[1]) * _BYTES[match[2]] <= _MAX_SIZE:
        raise ValueError("expected a size such as 64MiB (units: B, KiB, MiB, GiB)")
    return int(match[1]) * _BYTES[match[2]]


def parse_count(text: str) -> int:
    """A whole number from 1.

    Raises:
        ValueError: anything else.
    """
    if _COUNT.match(text.strip()) is None:
        raise ValueError("expected a whole number from 1")
    return int(text)


def parse_endpoint(text: str) -> Endpoint:
    """``127.0.0.1:8080``, ``[::1]:0``, ``:8080`` (all addresses).

    Raises:
        ValueError: anything else.
    """
    match = _ENDPOINT.match(text.strip())
    if match is None or int(match[3]) > 65535:
        raise ValueError(_AN_ENDPOINT)
    if not _is_host(match[1], match[2]):
        raise ValueError(f"{match[1] or match[2]!r} is neither a host name nor an address: {_AN_ENDPOINT}")
    return Endpoint(host=match[1] or match[2] or "0.0.0.0", port=int(match[3]))  # noqa: S104 - what an empty host means


def _is_host(bracketed: str | None, plain: str) -> bool:
    """Whether it is an address or a name that can be asked for; nothing is every address."""
    try:
        if bracketed is not None:
            return ipaddress.ip_address(bracketed).version == 6
        if plain.replace(".", "").isdigit():
            ipaddress.ip_address(plain)
    except ValueError:
        return False
    return not plain or is_host(plain)


def parse_list(text: str) -> tuple[str, ...]:
    """Comma separated; blanks around and between are dropped."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_text(text: str) -> str:
    """A text, without the blanks around it."""
    return text.strip()


def parse_path(text: str) -> Path:
    """A path.

    Raises:
        ValueError: an empty one, which would be the working folder, whatever that is.
    """
    if not text.strip() or "\0" in text:
        raise ValueError("expected a path")
    return Path(text.strip())


def parse_prefix(text: str) -> str:
    """What the names of addon repositories begin with.

    Raises:
        ValueError, InvalidNameError: not the beginning of a repository name, up to a slash.
    """
    if not text.endswith("/"):
        raise ValueError("expected a prefix that ends with a slash, such as addons/")
    Repository.parse(text[:-1])
    return text


def parse_tag_policy(text: str) -> TagPolicy:
    """``latest-or-semver`` or ``semver``.

    Raises:
        ValueError: anything else.
    """
    if text not in {"latest-or-semver", "semver"}:
        raise ValueError("expected latest-or-semver or semver")
    return cast("TagPolicy", text)


def parse_version_range(text: str) -> str:
    """A range of versions.

    Raises:
        ReceiverError: it is none.
    """
    VersionRange.parse(text)
    return text


def parse_log_format(text: str) -> str:
    """``text`` or ``json``.

    Raises:
        ValueError: anything else.
    """
    if text not in {"text", "json"}:
        raise ValueError("expected text or json")
    return text


def parse_origins(text: str) -> tuple[Origin, ...]:
    """``https://host[:port]``, several comma separated.

    Raises:
        ValueError: another scheme, a user name, a path.
    """
    return tuple(_origin(part) for part in parse_list(text))


def _origin(text: str) -> Origin:
    try:
        location = Location.parse(text)
    except ProtocolViolation as error:
        raise ValueError("expected https://host[:port], without a user name") from error
    if location.target != "/":
        raise ValueError("expected https://host[:port], without a path")
    return location.origin


def parse_webhook(text: str) -> str:
    """``http(s)://host[:port]``, with or without a path; without a slash at its end.

    Raises:
        ValueError: anything else, a user name or a query too.
    """
    text = text.strip()
    url = urlsplit(text)
    # urlsplit drops line ends from the middle, and reading the port judges it.
    if url.scheme not in {"http", "https"} or not url.hostname or url.port == 0 or not text.isprintable():
        raise ValueError(_A_WEBHOOK)
    if not is_host(url.hostname):
        raise ValueError(f"{url.hostname!r} is neither a host name nor an address: {_A_WEBHOOK}")
    if "@" in text or url.query or url.fragment or " " in text:
        raise ValueError("expected a URL without user name, query and fragment")
    return text.rstrip("/")
