"""Which requests go through the operator's proxy. Pure.

Only a configured proxy is used, never one that the environment happens to name (hazards "Proxy env"). Exceptions are
read as Go reads ``NO_PROXY`` (golang.org/x/net/http/httpproxy), since the tools beside us are written in it.
"""

import ipaddress
import re
from typing import Self

from receiver.document import Value, field
from receiver.errors import ProtocolViolation
from receiver.registry.location import Location, Origin

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAME = re.compile(r"(?:\*?\.)?[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\.?\Z")
_PORT = re.compile(r"(.+):([0-9]{1,5})\Z")


class Exemption(Value, frozen=True, kw_only=True):
    """One word of ``NO_PROXY``: a name, the names below it, a network, or (without either) everything."""

    name: str | None = None
    below_only: bool = False
    network: _Network | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``*``, ``example.local``, ``.example.local``, ``10.0.0.0/8``, ``10.1.2.3``; ``:port`` after a host.

        Raises:
            ValueError: anything else.
        """
        if text == "*":
            return cls()
        network = _network(text)
        port = None
        if network is None and (match := _PORT.match(text)) is not None:
            text, port = match[1], int(match[2])
            network = _network(text) if "/" not in text else None
        if network is not None:
            return cls(network=network, port=port)
        if _NAME.match(text) is None:
            raise ValueError(f"{text[:80]!r} is neither a host, a domain nor a network")
        below_only = text.startswith((".", "*."))
        return cls(name=text.removeprefix("*").strip(".").lower(), below_only=below_only, port=port)

    def covers(self, target: Origin) -> bool:
        """Whether ``target`` is asked without the proxy."""
        if self.port is not None and self.port != target.port:
            return False
        if self.network is not None:
            address = _address(target.host)
            return address is not None and address in self.network
        if self.name is None:
            return True
        host = target.host.rstrip(".")
        return host.endswith(f".{self.name}") or (not self.below_only and host == self.name)


class Proxy(Value, frozen=True, kw_only=True):
    """The operator's proxy and what is asked without it."""

    origin: Origin
    exemptions: tuple[Exemption, ...] = field(default=())

    def serves(self, target: Origin) -> bool:
        """Whether ``target`` is asked through the proxy. This machine itself never is: the proxy has another one."""
        address = _address(target.host)
        if target.host.rstrip(".") == "localhost" or (address is not None and address.is_loopback):
            return False
        return not any(exemption.covers(target) for exemption in self.exemptions)


def parse_proxy(text: str) -> Origin:
    """``http://host[:port]``.

    Raises:
        ValueError: another scheme, a user name, a path.
    """
    try:
        location = Location.parse(text.strip())
    except ProtocolViolation as error:
        raise ValueError("expected http://host:port, without a user name") from error
    if location.target != "/" or location.origin.scheme != "http":
        raise ValueError("expected http://host:port (TLS to the registry goes through it as a tunnel)")
    return location.origin


def parse_exemptions(text: str) -> tuple[Exemption, ...]:
    """Words of ``NO_PROXY``, separated by commas or blanks.

    Raises:
        ValueError: one that is neither a host, a domain nor a network.
    """
    return tuple(Exemption.parse(word) for word in text.replace(",", " ").split())


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text.removeprefix("[").removesuffix("]"), strict=False)
    except ValueError:
        return None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
