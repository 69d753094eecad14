"""Rows and lines into HTML. The home of jinja2.

Everything that a template writes is escaped, and characters that cannot be seen (controls, those that turn the
direction of writing) are shown as ``\N{REPLACEMENT CHARACTER}``: names and reasons come from whoever pushes.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_JUST_NOW = 5.0


class Renderer:
    """The templates, read once; ``clock`` in seconds since the epoch."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("receiver.server.page"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            finalize=visible,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["iso"] = iso
        self._templates.filters["segment"] = segment

    def page(self, template: str, **values: Any) -> bytes:
        """The document ``template`` with ``values``."""
        now = self._clock()
        text = self._templates.get_template(f"{template}.html").render(age=lambda when: age(when, now=now), **values)
        return text.encode("utf-8", "replace")


def visible(value: object) -> object:
    """``value`` as text in which everything can be seen; what is HTML already is left alone."""
    if isinstance(value, Markup) or not isinstance(value, str) or value.isprintable():
        return value
    return "".join(each if each.isprintable() else " " if each.isspace() else "\ufffd" for each in value)


def age(when: float, *, now: float) -> str:
    """A time for people: ``3 min ago``, ``in 12 s``. The script has the same rule."""
    delta = now - when
    distance = abs(delta)
    if distance < _JUST_NOW:
        return "just now" if delta >= 0 else "now"
    amount = next((f"{distance // unit:.0f} {name}" for unit, name in _UNITS if distance >= unit), "")
    return f"{amount} ago" if delta >= 0 else f"in {amount}"


@lru_cache(maxsize=4096)
def segment(name: str) -> str:
    """``name`` as one segment of a path."""
    return quote(name, safe="")


@lru_cache(maxsize=4096)
def iso(when: float) -> str:
    """The same for machines, in UTC."""
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
