"""Colours that everybody can read, in states that no test can bring about in a browser too."""

import re
from importlib import resources

import pytest

CSS = (resources.files("receiver.server.page") / "static" / "page.css").read_text(encoding="utf-8")
TEXTS = ("ink", "soft", "link", "bad", "warn", "busy", "held", "good", "plain")
GROUNDS = ("paper", "card", "row")
LEAST = 4.5
"""WCAG 2.2, 1.4.3."""


def schemes() -> list[dict[str, str]]:
    """The colours of the light and of the dark scheme."""
    found = [dict(re.findall(r"--([\w-]+): #([0-9a-f]+)", block)) for block in re.findall(r":root \{([^}]*)\}", CSS)]
    assert len(found) == 2
    return found


def luminance(colour: str) -> float:
    """Relative luminance, by WCAG's definition."""
    full = "".join(each * 2 for each in colour) if len(colour) == 3 else colour
    parts = [int(full[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", schemes(), ids=["light", "dark"])
def test_every_text_can_be_read_on_every_ground(colours: dict[str, str]) -> None:
    """Whatever state an addon is in, and on the row that is pointed at."""
    pairs = [(text, ground) for text in TEXTS for ground in GROUNDS]
    pairs += [("on-main", "main"), ("ink", "bad-bg"), ("ink", "good-bg"), ("ink", "plain-bg")]
    assert {pair: contrast(*(colours[name] for name in pair)) for pair in pairs if
            contrast(*(colours[name] for name in pair)) < LEAST} == {}  # fmt: skip


def test_nothing_is_fetched_from_elsewhere() -> None:
    """No font, no picture, no other style."""
    assert "url(" not in CSS
    assert "@import" not in CSS
