"""Which next page of a listing may be asked for. Pure.

A ``Link`` header (RFC 8288) may point anywhere and for ever (oras-go GHSA-h7vf-4x9w-h99v): it is
followed only at the same origin and path, to a cursor that was not seen before, for a bounded number of pages.
"""

import re
from collections.abc import Sequence
from urllib.parse import parse_qs

from receiver.errors import ProtocolViolation
from receiver.registry.location import Location

PAGE_LENGTH = 100
MAX_PAGES = 100
MAX_ITEMS = 100_000
MAX_PAGE_SIZE = 4 * 1024 * 1024
"""Bytes; hazards "Link pagination", like the three numbers above."""
_LINK = re.compile(
    r'<([^<>]*)>((?:[ \t]*;[ \t]*[^;,="<> \t]+[ \t]*(?:=[ \t]*(?:"[^"]*"|[^;,"<> \t]*))?)*)[ \t]*(?:,|\Z)'
)
_NEXT = re.compile(r';[ \t]*rel[ \t]*=[ \t]*(?:"(?:[^"]*[ \t])?next(?:[ \t][^"]*)?"|next(?=[ \t;]|\Z))', re.IGNORECASE)


class Listing:
    """The pages of one listing so far: collects items and judges each next page."""

    def __init__(self, first: Location) -> None:
        self.items: list[str] = []
        self._first = first
        self._cursors = {_cursor(first)}

    def add(self, items: Sequence[str], link: str | None) -> Location | None:
        """Take the items of a page; the next one, None after the last.

        Raises:
            ProtocolViolation: over a limit, or a next page elsewhere or seen before.
        """
        self.items.extend(items)
        if len(self.items) > MAX_ITEMS:
            raise ProtocolViolation(f"{self._first.origin} lists more than {MAX_ITEMS} items at {self._first.path}")
        reference = next_reference(link)
        if reference is None:
            return None
        following = self._first.join(reference)
        if (following.origin, following.path) != (self._first.origin, self._first.path):
            raise ProtocolViolation(f"{self._first.origin} continues the listing {self._first.path} elsewhere; refused")
        if _cursor(following) in self._cursors:
            raise ProtocolViolation(f"{self._first.origin} repeats a page of the listing {self._first.path}")
        if len(self._cursors) >= MAX_PAGES:
            raise ProtocolViolation(f"{self._first.origin} lists more than {MAX_PAGES} pages at {self._first.path}")
        self._cursors.add(_cursor(following))
        return following


def next_reference(link: str | None) -> str | None:
    """The target of ``rel="next"`` in a ``Link`` header; None where there is none.

    Raises:
        ProtocolViolation: a header that is no list of links.
    """
    position = 0
    text = (link or "").strip()
    while position < len(text):
        match = _LINK.match(text, position)
        if match is None:
            raise ProtocolViolation("the registry's Link header cannot be parsed")
        if _NEXT.search(match[2]):
            return match[1]
        position = match.end() + len(text[match.end() :]) - len(text[match.end() :].lstrip(" \t"))
    return None


def _cursor(location: Location) -> str:
    """What makes a page another page: ``last`` where the registry uses it, else the whole query."""
    last = parse_qs(location.query).get("last")
    return f"last={last[0]}" if last else location.query
