"""Which next page may be asked for."""

import pytest

from receiver.errors import ProtocolViolation
from receiver.registry import pages
from receiver.registry.location import Location
from receiver.registry.pages import Listing, next_reference

FIRST = Location.parse("https://h/v2/_catalog?n=100")


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (None, None),
        ("", None),
        ('</v2/_catalog?last=a&n=1>; rel="next"', "/v2/_catalog?last=a&n=1"),
        ("</x>; rel=next", "/x"),
        ('</x>; REL="prev next"', "/x"),
        ('</p>; rel="prev", </x>; title="a, b"; rel="next"', "/x"),
        ('</p>; rel="prev"', None),
        ('</p>; rel="nextish"', None),
    ],
)
def test_the_next_page_is_found(link: str | None, expected: str | None) -> None:
    """Among several links, in any spelling that RFC 8288 allows."""
    assert next_reference(link) == expected


@pytest.mark.parametrize("link", ["x", "<x", '<x>; rel="next', "<x> y", "</a>; rel=next" * 2])
def test_a_header_that_is_no_link_is_refused(link: str) -> None:
    """A listing that is cut short unseen would look like addons that are gone."""
    with pytest.raises(ProtocolViolation):
        next_reference(link + ", " + link)


def test_pages_add_up() -> None:
    """Each page adds its items; the next one comes as a judged location."""
    listing = Listing(FIRST)

    following = listing.add(["a"], '</v2/_catalog?last=a&n=100>; rel="next"')
    assert following == Location.parse("https://h/v2/_catalog?last=a&n=100")
    assert listing.add(["b"], None) is None
    assert listing.items == ["a", "b"]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil/v2/_catalog?last=a",
        "http://h/v2/_catalog?last=a",
        "https://h:444/v2/_catalog?last=a",
        "/v2/other/tags/list?last=a",
        "//evil/v2/_catalog?last=a",
        "/v2/_catalog/../x?last=a",
        "?last=a",
    ],
)
def test_a_page_elsewhere_is_not_asked(target: str) -> None:
    """Another origin or path is another question (oras-go GHSA-h7vf-4x9w-h99v; hazards J11)."""
    link = f"<{target}>; rel=next"
    if target == "?last=a":
        assert Listing(FIRST).add([], link) == FIRST.at("/v2/_catalog?last=a")
        return
    with pytest.raises(ProtocolViolation, match="elsewhere"):
        Listing(FIRST).add([], link)


def test_a_page_that_was_seen_is_not_asked_again() -> None:
    """Not the first one, not the last one, and not with a query that only looks new."""
    with pytest.raises(ProtocolViolation, match="repeats"):
        Listing(FIRST).add([], "</v2/_catalog?n=100>; rel=next")
    listing = Listing(FIRST)
    listing.add([], "</v2/_catalog?last=a>; rel=next")
    with pytest.raises(ProtocolViolation, match="repeats"):
        listing.add([], "</v2/_catalog?last=a&x=1>; rel=next")


def test_pages_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred pages, a hundred thousand items: then it is no listing any more (hazards "Link pagination")."""
    listing = Listing(FIRST)
    for number in range(pages.MAX_PAGES - 1):
        listing.add([], f"</v2/_catalog?last={number}>; rel=next")
    with pytest.raises(ProtocolViolation, match="100 pages"):
        listing.add([], "</v2/_catalog?last=end>; rel=next")
    with pytest.raises(ProtocolViolation, match="100000 items"):
        Listing(FIRST).add(["x"] * (pages.MAX_ITEMS + 1), None)
