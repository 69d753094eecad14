"""From the way to a server (its name, the connection, TLS) to findings. Pure."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

from receiver.diagnosis.finding import Finding, broken, ok, warning

SOON = 14.0
"""Days: less than that, and less than a third of a certificate's life, and its renewal is late."""
_DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a server's certificate says. Times are seconds since the epoch."""

    names: tuple[str, ...]
    since: float
    until: float

    def days(self, now: float) -> float:
        """How long it is valid yet."""
        return (self.until - now) / _DAY


Failure = Literal["name", "connection", "proxy", "certificate", "host", "no tls", "cut", "time"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How far the way went; ``failure`` None: to the end."""

    target: str
    """Who was to be reached: ``host:port``."""
    addresses: tuple[str, ...] = ()
    connected: str | None = None
    """The address that took the connection."""
    proxy: str | None = None
    protocol: str | None = None
    """``TLSv1.3`` and the like; None without TLS."""
    certificate: Certificate | None = None
    failure: Failure | None = None
    reason: str = ""
    """In the words of the system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedies:
    """What to do, in the words of whoever is asked."""

    address: str
    """The setting with the server's address."""
    authority: str
    """The setting with the authorities that are trusted."""
    plain: str
    """What to do about a server that speaks no TLS."""


def judge(area: str, reached: Reached, remedies: Remedies, *, now: float) -> Iterator[Finding]:
    """Judge each step that was taken, up to the one that failed."""
    first = reached.proxy or reached.target
    if reached.addresses:
        yield ok(f"{area}.name", f"{first} resolves to {', '.join(reached.addresses[:4])}")
    if reached.connected is not None:
        through = f" through the proxy {reached.proxy}" if reached.proxy else ""
        yield ok(f"{area}.connection", f"{reached.target} takes connections{through}")
    if reached.failure is not None:
        yield _failed(area, reached, remedies)
    elif reached.protocol is not None and reached.certificate is not None:
        yield judge_certificate(f"{area}.tls", reached.certificate, reached.protocol, now=now)


def _failed(area: str, reached: Reached, remedies: Remedies) -> Finding:
    first, address = reached.target, remedies.address
    if reached.proxy is not None:
        first, address = reached.proxy, "ADDON_SYNC_PROXY"
    subject, words, remedy = _FAILURES[reached.failure or "cut"]
    text = words.format(first=first, proxy=reached.proxy, target=reached.target)
    why = f" ({reached.reason})" if reached.reason else ""
    remedy = remedy.format(
        address=address, own=remedies.address, authority=remedies.authority, plain=remedies.plain, target=reached.target
    )
    return broken(f"{area}.{subject}", text + why, remedy)


_NO_CONNECTION = (
    "connection",
    "{first} takes no connection",
    "check {address}, that it runs, and the firewalls between",
)
_FAILURES: Mapping[Failure, tuple[str, str, str]] = {
    "name": ("name", "{first} does not resolve", "check {address} and the DNS of this host"),
    "connection": _NO_CONNECTION,
    "time": _NO_CONNECTION,
    "proxy": (
        "connection",
        "the proxy {proxy} does not connect to {target}",
        "check ADDON_SYNC_PROXY, ADDON_SYNC_NO_PROXY and the rules of the proxy",
    ),
    "host": (
        "tls",
        "the certificate of {target} is for another name",
        "let {own} name it as its certificate does, or give it a certificate with this name",
    ),
    "certificate": (
        "tls",
        "the certificate of {target} is refused",
        "renew it if it has expired; else set {authority} to the authority that signed it",
    ),
    "no tls": ("tls", "{target} speaks no TLS that we do", "{plain}"),
    "cut": ("tls", "{target} cuts the connection", "look at the log of {target}"),
}
"""What each failure concerns, its words and its remedy."""


def judge_certificate(check: str, certificate: Certificate, protocol: str, *, now: float) -> Finding:
    """Judge a certificate that is trusted and valid now."""
    left, life = certificate.days(now), (certificate.until - certificate.since) / _DAY
    names = ", ".join(certificate.names[:6]) or "no name"
    text = f"{protocol}; the certificate is for {names} and valid for {left:.0f} more days"
    if left < SOON and left < life / 3:
        return warning(check, text, "renew it; look why that has not happened by itself")
    return ok(check, text)


def certificate_of(peer: Mapping[str, object]) -> Certificate | None:
    """Read what `ssl.SSLSocket.getpeercert` gives; None where it is not as documented."""
    names = peer.get("subjectAltName", ())
    since, until = _moment(peer.get("notBefore")), _moment(peer.get("notAfter"))
    if since is None or until is None or not isinstance(names, tuple):
        return None
    return Certificate(names=tuple(str(name) for _, name in names), since=since, until=until)


def _moment(text: object) -> float | None:
    """``Nov 22 12:00:00 2026 GMT``."""
    if not isinstance(text, str):
        return None
    try:
        month, day, clock, year, _ = text.split()
        return parsedate_to_datetime(f"{day} {month} {year} {clock} GMT").astimezone(datetime.UTC).timestamp()
    except ValueError:
        return None
