"""Rows and lines into HTML: what came from outside stays text, and times are for people and machines."""

import re
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import pytest

from receiver.catalog.record import KeptRelease
from receiver.document import replaced
from receiver.server.page import board
from receiver.server.page.entries import lines, spoken
from receiver.server.page.render import Renderer, age, iso, segment, visible
from receiver.sync.status import AddonStatus, DesiredFacts, EventFacts, HoldFacts, InstalledFacts
from receiver.sync.story import Step
from receiver.tasks.journal import Arrival, Event

NOW = 1_795_000_000.0
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e{{ 7*7 }}"
COMMON: dict[str, Any] = {
    "host": EVIL,
    "registry": EVIL,
    "versions": {"page.css": "1", "page.js": "2", "icon.svg": "3"},
    "here": f"/?q={EVIL}",
    "word": "word-of-the-form",
    "notices": [],
    "spoken": spoken,
}
STATUS = AddonStatus(
    repository=f"addons/{EVIL}",
    standing="parked",
    installed=InstalledFacts(tag=EVIL, version=EVIL, digest=EVIL, installed=NOW - 60, present=False),
    desired=DesiredFacts(tag=EVIL, digest="sha256:2", as_of=NOW - 5),
    hold=HoldFacts(since=NOW - 7200, reason=EVIL),
    next_attempt=NOW + 12,
    attempts=2,
    error=EVIL,
    remedy=EVIL,
    last_event=EventFacts(number=1, received=NOW - 30, sender=EVIL, verdict="accepted", actor=EVIL, tag=EVIL),
    last_look=NOW,
    next_look=NOW + 100,
)
ARRIVAL = Arrival(
    id=1,
    received=NOW - 90000,
    answered=None,
    sender=EVIL,
    verdict="accepted",
    reason=EVIL,
    address=EVIL,
    origin=EVIL,
    events=(Event(repository=f"addons/{EVIL}", tag=EVIL, actor=EVIL), Event(repository="x", left_out=EVIL)),
    size=1,
)


class Elements(HTMLParser):
    """Every element and attribute name of a document, its texts, and what is not closed."""

    def __init__(self, document: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.open: list[str] = []
        self.feed(document.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in {"meta", "link", "input", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def draw(template: str, **values: Any) -> Elements:
    return Elements(Renderer(clock=lambda: NOW).page(template, **{**COMMON, **values}))


def overview(**values: Any) -> Elements:
    rows = board.rows([STATUS])
    return draw(
        "overview",
        **{
            "words": EVIL,
            "counts": board.counts(rows),
            "total": 1,
            "rows": rows,
            "queue": board.queue([]),
            "lines": lines([ARRIVAL]),
            "before": 7,
            "reasons": (EVIL,),
            **values,
        },
    )


def story(status: AddonStatus = STATUS) -> Elements:
    kept = KeptRelease(tag=EVIL, version=EVIL, digest=EVIL + "2", arrived=NOW, artifact=[])
    step = Step(title=EVIL, text=EVIL, when=NOW, facts=(EVIL,))
    return draw("addon", row=board.row(status), meaning=EVIL, steps=(step,), lines=lines([ARRIVAL]), kept=[kept])


def test_a_deletion_is_no_push() -> None:
    """The last event of an addon may be one."""
    event = EventFacts(
        number=1, received=NOW, sender="zot", verdict="accepted", actor="alice", tag="v1.0.0", deleted=True
    )
    status = replaced(STATUS, last_event=event)
    assert "deleted by alice" in overview(rows=board.rows([status])).text
    assert "v1.0.0 deleted by alice" in story(status).text
    assert "deleted" not in overview().text + story().text


@pytest.mark.parametrize(
    "drawn",
    [
        overview,
        story,
        lambda: draw("journal", lines=lines([ARRIVAL]), kinds=("all",), kind=EVIL, older=1, newest=False),
        lambda: draw("login", back=EVIL, wrong=True),
        lambda: draw("message", status=404, text=EVIL),
    ],
    ids=["overview", "addon", "journal", "login", "message"],
)
def test_what_comes_from_outside_is_text(drawn: Any) -> None:
    """Tags, actors, senders, reasons, errors, names, what somebody searched for: none becomes an element."""
    found = drawn()
    assert found.open == []
    assert found.tags.count("script") == 1  # ours, which has an address
    assert "img" not in found.tags
    assert not {name for name in found.attributes if name.startswith("on")} | ({"style"} & found.attributes)
    assert "<script>alert(1)" in found.text
    assert "49" not in found.text
    assert "\u202e" not in found.text


def test_characters_that_cannot_be_seen_are_shown() -> None:
    """One that turns the direction of writing makes a tag look like another one."""
    assert visible("v1\u202e0.1\x00") == "v1\ufffd0.1\ufffd"
    assert visible("two\nlines") == "two lines"
    assert visible("größe 日本") == "größe 日本"
    assert visible(7) == 7


@pytest.mark.parametrize(
    ("delta", "text"),
    [
        (0, "just now"), (4.9, "just now"), (-4, "now"), (5, "5 s ago"), (59.9, "59 s ago"), (60, "1 min ago"),
        (3599, "59 min ago"), (3600, "1 h ago"), (86399, "23 h ago"), (90000, "1 d ago"), (-12, "in 12 s"),
        (-300, "in 5 min"),
    ],
)  # fmt: skip
def test_times_are_ages_for_people(delta: float, text: str) -> None:
    """In the largest unit that fits, never rounded up."""
    assert age(NOW - delta, now=NOW) == text


def test_times_are_exact_for_machines() -> None:
    """UTC, in the element that has a place for it."""
    assert iso(NOW) == "2026-11-18T11:06:40Z"
    document = Renderer(clock=lambda: NOW).page(
        "journal", **COMMON, lines=lines([ARRIVAL]), kinds=(), kind="all", older=None, newest=True
    )
    assert b'<time datetime="2026-11-17T10:06:40Z" title="2026-11-17T10:06:40Z">1 d ago</time>' in document


def test_a_name_is_one_segment_of_a_path() -> None:
    """Whatever it holds."""
    assert segment("../a?b#c/é") == "..%2Fa%3Fb%23c%2F%C3%A9"


def test_the_script_has_the_same_rule_for_ages() -> None:
    """Otherwise every age would jump when it is shown anew."""
    script = (resources.files("receiver.server.page") / "static" / "page.js").read_text(encoding="utf-8")
    assert re.findall(r'\[(\d+), "(\w+)"\]', script) == [("86400", "d"), ("3600", "h"), ("60", "min"), ("1", "s")]
    assert 'if (distance < 5) return delta >= 0 ? "just now" : "now";' in script
