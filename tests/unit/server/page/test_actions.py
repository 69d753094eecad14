"""From a form to a request, and what the person is told of it."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from receiver.document import replaced
from receiver.errors import NotInstalled
from receiver.server.page import actions
from receiver.server.page.actions import Actions, NotAnAction, Notice, said, wanted
from receiver.server.page.endpoint import own_path
from receiver.server.session import Session
from receiver.sync.engine import Report
from receiver.sync.operations import Changed
from receiver.sync.outcome import Surveyed
from receiver.sync.replayed import Replayed
from receiver.sync.request import (
    HoldRequest,
    PollRequest,
    ReleaseRequest,
    ReplayRequest,
    Request,
    RollbackRequest,
    SyncRequest,
)
from receiver.sync.views import Parked
from tests.support.outcomes import outcome

WHO, OTHER = (Session(name, b"", 1.0) for name in ("who", "other"))
HELD = Changed(repository="addons/a", action="held", tag="v1", digest="sha256:1")


class Commands:
    """Answers each request with ``reports`` once ``gate`` is open."""

    def __init__(self, *reports: Report, error: Exception | None = None) -> None:
        self.reports, self.error = reports, error
        self.gate = asyncio.Event()
        self.requests: list[Request] = []

    async def execute(self, request: Request) -> AsyncGenerator[Report, None]:
        self.requests.append(request)
        await self.gate.wait()
        for report in self.reports:
            yield report
        if self.error is not None:
            raise self.error


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for what takes longer."""
    monkeypatch.setattr(actions, "_AT_ONCE", 0.0)


@pytest.mark.parametrize(
    ("form", "request_"),
    [
        ({"do": "sync a"}, SyncRequest(addons=("a",), force=False)),
        ({"do": "retry a"}, SyncRequest(addons=("a",), force=False)),
        ({"do": "hold a"}, HoldRequest(addon="a", reason="by hand")),
        ({"do": "hold a", "reason": " audit\n until  Friday "}, HoldRequest(addon="a", reason="audit until Friday")),
        ({"do": "hold a", "reason": "x" * 300}, HoldRequest(addon="a", reason="x" * 200)),
        ({"do": "release a"}, ReleaseRequest(addon="a")),
        ({"do": "rollback a"}, RollbackRequest(addon="a")),
        ({"do": "rollback a sha256:1"}, RollbackRequest(addon="a", to="sha256:1")),
        ({"do": "replay 4711"}, ReplayRequest(numbers=(4711,))),
        ({"do": "poll"}, PollRequest()),
    ],
)
def test_a_button_means_one_request(form: dict[str, str], request_: Request) -> None:
    """The same that the commands use."""
    assert wanted(form) == request_


@pytest.mark.parametrize(
    "do", ["", "sync", "uninstall a", "replay x", "replay -1", "replay ٣", f"replay {'9' * 30}", "poll a", " a"]
)
def test_what_no_button_says_is_refused(do: str) -> None:
    """Before anything is asked of the engine."""
    with pytest.raises(NotAnAction):
        wanted({"do": do})
    with pytest.raises(NotAnAction):
        wanted({})


async def test_what_is_done_at_once_is_told_at_once() -> None:
    """To who asked, once, and to nobody else."""
    commands = Commands(HELD)
    commands.gate.set()
    changes: list[None] = []
    taken = Actions(commands, changed=lambda: changes.append(None))
    await taken.take(WHO, PollRequest(), "a")
    assert taken.notices(OTHER) == []
    (notice,) = taken.notices(WHO)
    assert (notice.tone, "addons/a: held at v1" in notice.text) == ("good", True)
    assert taken.notices(WHO) == []
    await asyncio.sleep(0)
    assert changes == [None]


@pytest.mark.usefixtures("hurried")
async def test_what_takes_longer_goes_on_and_is_told_later() -> None:
    """Who asked is not held up."""
    commands = Commands(HELD)
    changed = asyncio.Event()
    taken = Actions(commands, changed=changed.set)
    await taken.take(WHO, PollRequest(), "a")
    assert taken.notices(WHO) == [Notice("plain", "a: asked for; what comes of it will be told here")]
    commands.gate.set()
    await changed.wait()
    assert [notice.tone for notice in taken.notices(WHO)] == ["good"]


async def test_what_cannot_be_done_is_told_with_its_reason() -> None:
    """As the commands say it."""
    commands = Commands(error=NotInstalled("nothing was ever installed"))
    commands.gate.set()
    taken = Actions(commands, changed=lambda: None)
    await taken.take(WHO, RollbackRequest(addon="a"), "a")
    assert taken.notices(WHO) == [Notice("bad", "a: nothing was ever installed")]


async def test_a_fault_of_ours_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A task that nobody awaits hides no bug."""
    commands = Commands(error=ZeroDivisionError("a bug"))
    commands.gate.set()
    taken = Actions(commands, changed=lambda: None)
    await taken.take(WHO, PollRequest(), "a")
    await asyncio.sleep(0)
    assert "Fault while carrying out page a" in caplog.text


@pytest.mark.usefixtures("hurried")
async def test_not_everything_is_begun_at_a_time() -> None:
    """Who clicks and clicks is told to wait, and what runs is ended with the server."""
    commands = Commands()
    taken = Actions(commands, changed=lambda: None)
    for _ in range(20):
        await taken.take(WHO, PollRequest(), "a")
    assert len(commands.requests) <= 16
    assert taken.notices(WHO)[-1].text.startswith("too much was asked for")
    await taken.close(0.01)
    assert not taken._running


@pytest.mark.parametrize(
    ("report", "tone"),
    [
        (HELD, "good"),
        (Changed(repository="addons/a", action="not held", note="nothing was done"), "plain"),
        (Surveyed(started=1.0, duration=1.0), "good"),
        (Surveyed(started=1.0, duration=1.0, error="away"), "bad"),
        (Replayed(events=1), "plain"),
        (Replayed(problems=["delivery 7: gone"]), "bad"),
        (outcome("installed"), "good"),
        (outcome("unchanged"), "good"),
        (outcome("held"), "plain"),
        (outcome("failed"), "bad"),
    ],
)
def test_every_report_has_its_words(report: Report, tone: str) -> None:
    """Green where it is done, red where somebody must act."""
    notice = said(report)
    assert notice is not None
    assert (notice.tone, bool(notice.text)) == (tone, True)


def test_what_a_hold_left_out_is_told() -> None:
    """A reason that was not recorded, or a name that nobody knows."""
    notice = said(replaced(HELD, warning="nothing of that name is known"))
    assert notice is not None
    assert notice.text.endswith("; nothing of that name is known")


def test_what_is_not_asked_for_here_is_not_told() -> None:
    """A listing is no outcome."""
    assert said(Parked(repository="addons/a", digest=None, error=None, attempts=1, since=1.0)) is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/", "/"),
        ("/?q=held", "/?q=held"),
        ("/addon/monitoring", "/addon/monitoring"),
        ("/journal?kind=by%20hand&before=7", "/journal?kind=by%20hand&before=7"),
        ("//evil.example/", "/"),
        ("///evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/addon/\\..", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/logout", "/"),
        ("/addon/a\r\nSet-Cookie: x", "/"),
        ("http://[evil", "/"),
        ("", "/"),
        ("addon/a", "/"),
    ],
)
def test_people_are_sent_to_our_own_views_only(text: str, path: str) -> None:
    """Whatever a link to the form for signing in says."""
    assert own_path(text) == path
