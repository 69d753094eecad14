"""Addresses that present wrong credentials again and again: barred for a short while. Pure.

A token of `secrets.token_urlsafe` is not guessed, but one that a person made up may be, and every guess costs us work.
Never barred are loopback, where a proxy of this machine speaks for everybody, and an address that presented a valid
credential lately, so that whoever sends nonsense from a sender's address (behind the same proxy) does not silence it.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

_V = TypeVar("_V")
_MAX_ADDRESSES = 4096
"""Remembered of each kind, some hundred KiB; what was not heard of for longest is forgotten first."""
_IPV6_SITE = 64
"""Leading bits of an IPv6 address that tell one subscriber from another; the rest is for each to choose (RFC 4291
section 2.5.1)."""


def is_loopback(address: str) -> bool:
    """Whether ``address`` is of this machine; what is no address is not."""
    try:
        return _parsed(address).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class _Count:
    began: float
    failures: int


class Failures:
    """Counts by address: who fails ``allowed`` times ``within`` seconds is barred for ``barred_for`` seconds.

    Args:
        trusted_for: seconds for which a success keeps its address from being barred.
        clock: monotonic seconds.
        exempt: whether an address is never barred.
    """

    def __init__(
        self,
        *,
        allowed: int,
        within: float,
        barred_for: float,
        trusted_for: float,
        clock: Callable[[], float],
        exempt: Callable[[str], bool] = is_loopback,
    ) -> None:
        self._allowed = allowed
        self._within = within
        self._barred_for = barred_for
        self._trusted_for = trusted_for
        self._clock = clock
        self._exempt = exempt
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._barred: OrderedDict[str, float] = OrderedDict()
        self._trusted: OrderedDict[str, float] = OrderedDict()

    def failed(self, address: str) -> bool:
        """Count a wrong credential; whether this one bars the address."""
        if self._exempt(address) or self.trusts(address):
            return False
        site, now = site_of(address), self._clock()
        count = self._counts.get(site)
        if count is None or now - count.began > self._within:
            count = _Count(now, 0)
        if count.failures + 1 < self._allowed:
            _remember(self._counts, site, _Count(count.began, count.failures + 1))
            return False
        self._counts.pop(site, None)
        _remember(self._barred, site, now + self._barred_for)
        return True

    def succeeded(self, address: str) -> None:
        """A valid credential came from ``address``."""
        site = site_of(address)
        _remember(self._trusted, site, self._clock() + self._trusted_for)
        self._counts.pop(site, None)

    def bars(self, address: str) -> bool:
        """Whether nothing is taken from ``address`` now."""
        # Asked for every packet: where nobody is barred, the address is not even looked at.
        return bool(self._barred) and self._lasts(self._barred, site_of(address))

    def trusts(self, address: str) -> bool:
        """Whether a valid credential came from ``address`` lately."""
        return self._lasts(self._trusted, site_of(address))

    def _lasts(self, until: OrderedDict[str, float], site: str) -> bool:
        end = until.get(site)
        if end is None:
            return False
        if self._clock() < end:
            return True
        del until[site]
        return False


def _remember(known: OrderedDict[str, _V], site: str, value: _V) -> None:
    known[site] = value
    known.move_to_end(site)
    if len(known) > _MAX_ADDRESSES:
        known.popitem(last=False)


@lru_cache(maxsize=_MAX_ADDRESSES)
def site_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the network of an IPv6 one."""
    try:
        parsed = _parsed(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _IPV6_SITE), strict=False))


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    parsed = ipaddress.ip_address(address)
    # A socket for both versions shows an IPv4 client so (RFC 4291 section 2.5.5.2).
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed
