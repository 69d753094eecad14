"""URLs that may be requested, and where a redirect may lead. Pure.

What a registry names (realm, redirect, next page) is judged as text of one narrow form before a second parser sees it,
so that no two readers can disagree about its host.
"""

import ipaddress
import re
from collections.abc import Collection
from typing import Self
from urllib.parse import urljoin, urlsplit

from receiver.document import Value
from receiver.errors import ProtocolViolation
from receiver.oci.reference import HOST_NAME, RegistryAddress

# Visible ASCII without the backslash, which some parsers take for a slash (RFC 3986 section 2 has neither).
_VISIBLE = re.compile(r"[\x21-\x5b\x5d-\x7e]+\Z")
_AUTHORITY = re.compile(rf"(?:({HOST_NAME})|\[([0-9A-Fa-f:.]+)\])(?::(\d{{1,5}}))?\Z")
_DEFAULT_PORTS = {"http": 80, "https": 443}
# 127.1, 0x7f.1 and 2130706433 are addresses to the system's resolver and names to everybody else.
_ODD_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0[xX][0-9A-Fa-f]*)\.?\Z")


class Origin(Value, frozen=True):
    """Scheme, host and port: what credentials belong to (RFC 6454 section 4)."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """``host`` or, where it is not the scheme's own port, ``host:port``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


class Location(Value, frozen=True):
    """A URL that was judged; ``target`` is its path and query."""

    origin: Origin
    target: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Judge an absolute URL.

        Raises:
            ProtocolViolation: not plain ``http`` or ``https`` with a host; the text never repeats a query.
        """
        if _VISIBLE.match(text) is None:
            raise ProtocolViolation("the registry names a URL with characters that no URL has")
        try:
            parts = urlsplit(text)
        except ValueError as error:
            raise ProtocolViolation("the registry names a URL that cannot be parsed") from error
        authority = _AUTHORITY.match(parts.netloc)
        if parts.scheme not in _DEFAULT_PORTS or authority is None:
            raise ProtocolViolation("the registry names a URL that is not plain http or https with a possible host")
        port = int(authority[3] or _DEFAULT_PORTS[parts.scheme])
        if not 0 < port < 65536:
            raise ProtocolViolation("the registry names a URL with an impossible port")
        host = (authority[1] or authority[2]).lower()
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(Origin(parts.scheme, host, port), target)

    @classmethod
    def of(cls, address: RegistryAddress) -> Self:
        """The root of a configured registry."""
        return cls.parse(address.url)

    def join(self, reference: str) -> Self:
        """Resolve a reference of a header against this location, and judge the result (RFC 3986 section 5).

        Raises:
            ProtocolViolation: as for `parse`.
        """
        if _VISIBLE.match(reference) is None:
            raise ProtocolViolation("the registry names a URL with characters that no URL has")
        try:
            joined = urljoin(self.url, reference)
        except ValueError as error:
            raise ProtocolViolation("the registry names a URL that cannot be parsed") from error
        return self.parse(joined)

    def at(self, target: str) -> Self:
        """Another path and query at the same origin."""
        return type(self)(self.origin, target)

    @property
    def path(self) -> str:
        """The path, without the query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query, without its question mark."""
        return self.target.partition("?")[2]

    @property
    def url(self) -> str:
        """The whole URL; holds a query, so it belongs in no message."""
        return f"{self.origin}{self.target}"


def redirect_target(current: Location, reference: str | None) -> Location:
    """Where a redirect leads.

    Raises:
        ProtocolViolation: nowhere, out of http(s), or out of TLS (hazards "Redirects", J10).
    """
    if not reference:
        raise ProtocolViolation(f"{current.origin} redirects to nowhere")
    target = current.join(reference)
    if current.origin.scheme == "https" and target.origin.scheme != "https":
        raise ProtocolViolation(f"{current.origin} redirects to plain HTTP at {target.origin}; refused")
    return target


def is_numeric(host: str) -> bool:
    """Whether ``host`` is an IP address, or a number that a resolver takes for one."""
    return ":" in host or _ODD_NUMBER.match(host) is not None


def may_reach(host: str, *, registry: Collection[str]) -> bool:
    """Whether the address ``host`` may be asked on the word of a registry that has the addresses ``registry``.

    A registry on the internet must not send us into the private network, nor one in the private network to services of
    this machine, and nobody to link-local addresses, where clouds serve credentials (hazards "Redirects", J3).
    """
    try:
        target = _address(host)
        own = [_address(one) for one in registry]
    except ValueError:
        return False
    if target in own:
        return True
    if target.is_link_local or target.is_multicast or target.is_unspecified or target.is_reserved:
        return False
    if target.is_loopback:
        return any(one.is_loopback for one in own)
    return target.is_global or any(not one.is_global for one in own)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
