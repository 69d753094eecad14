"""Commands beside ``serve``: here, through it, or after it, and never against it. No socket is opened."""

import http.client
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from receiver.cli import running
from receiver.cli.commands import replay
from receiver.config import Settings, deciding, load
from receiver.document import replaced
from receiver.errors import ConfigError, InvalidNameError, QueueUnavailable
from receiver.lock import Holder, StateLock
from receiver.sync.engine import Report
from receiver.sync.outcome import Surveyed
from receiver.sync.request import (
    DiscardRequest,
    EventsRequest,
    ImportRequest,
    ParkedRequest,
    PollRequest,
    Request,
    RollbackRequest,
    StatusRequest,
    SyncRequest,
)
from receiver.sync.wire import End, Failure, write_report
from receiver.tasks.task import Trigger
from tests.support.outcomes import outcome

STARTING = Holder(pid=1, command="serve")
SERVING = Holder(pid=1, command="serve", url="http://127.0.0.1:8080", token="T0ken")
SURVEYED = Surveyed(started=1.0, duration=1.0, unchanged=2)


class Lock(StateLock):
    """A lock whose holders a test says: each look finds the next; after the last it is free."""

    def __init__(self, *holders: Holder | None) -> None:
        self.holders = list(holders)
        self.released = 0

    def try_acquire(self, *, command: str) -> bool:
        return not self.holders

    def holder(self) -> Holder | None:
        return self.holders.pop(0) if len(self.holders) > 1 or not self.stays else self.holders[0]

    def release(self) -> None:
        self.released += 1

    stays = False


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.cli.running.time.sleep", lambda _: None)
    monkeypatch.setattr(running, "_answers", lambda holder: True)


def test_a_free_folder_is_held_and_freed() -> None:
    """Also where the work fails."""
    lock = Lock()

    def work() -> None:
        with running._held_or_served(lock, "sync") as holder:
            assert holder is None
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert lock.released == 1


def test_a_serve_that_is_still_starting_is_waited_for_and_then_used() -> None:
    """It holds the lock before it listens: a command must not wait for it to end, which it never does."""
    lock = Lock(None, STARTING, SERVING, STARTING)
    with running._held_or_served(lock, "sync") as holder:
        assert holder == SERVING
    assert lock.released == 0


def test_a_serve_that_stops_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its note still names an address that does not answer."""
    monkeypatch.setattr(running, "_answers", lambda holder: False)
    with running._held_or_served(Lock(SERVING, SERVING), "sync") as holder:
        assert holder is None


def test_who_holds_the_folder_for_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the end a person must look."""
    lock = Lock(Holder(pid=7, command="sync"))
    lock.stays = True
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr("receiver.cli.running.time.monotonic", lambda: next(clock))
    with pytest.raises(ConfigError, match=r"addon-sync sync \(process 7\).* within 600 s"):
        running._awaited(lock, "poll")


class Response(io.BytesIO):
    """What ``serve`` answers; ``error`` after its lines."""

    def __init__(self, *lines: bytes, error: Exception | None = None) -> None:
        super().__init__(b"".join(lines))
        self.error = error

    def __next__(self) -> bytes:
        line = self.readline()
        if line:
            return line
        if self.error is not None:
            raise self.error
        raise StopIteration


def answer(monkeypatch: pytest.MonkeyPatch, response: Response) -> None:
    @contextmanager
    def asked(*_: object) -> Iterator[Response]:
        yield response

    monkeypatch.setattr(running, "_asked", asked)


def collect() -> list[Report]:
    return list(running.through(SERVING, PollRequest()))


def test_reports_come_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Line by line."""
    answer(monkeypatch, Response(write_report(SURVEYED), write_report(SURVEYED), write_report(End())))
    assert collect() == [SURVEYED, SURVEYED]


@pytest.mark.parametrize(
    ("response", "error", "words"),
    [
        (Response(write_report(Failure(error="bad name", usage=True))), InvalidNameError, "bad name"),
        (Response(write_report(Failure(error="disk full"))), QueueUnavailable, "disk full"),
        (Response(write_report(SURVEYED)), QueueUnavailable, "is queued and will be done"),
        (Response(write_report(SURVEYED)[:9]), QueueUnavailable, "is queued and will be done"),
        (Response(error=ConnectionResetError("reset")), QueueUnavailable, "is queued and will be done"),
        (Response(error=http.client.IncompleteRead(b"")), QueueUnavailable, "is queued and will be done"),
    ],
)
def test_what_serve_cannot_do_or_finish_is_said(
    monkeypatch: pytest.MonkeyPatch, response: Response, error: type[Exception], words: str
) -> None:
    """The caller's fault is the caller's exit code; a cut conversation loses no work."""
    answer(monkeypatch, response)
    with pytest.raises(error, match=words):
        collect()


def test_a_path_that_is_no_text_is_no_traceback() -> None:
    """Systems have file names of any bytes; what goes to ``serve`` is JSON."""
    with pytest.raises(InvalidNameError, match=r"'/k/caf\\udce9.tar' is no UTF-8.*another name"):
        list(running.through(SERVING, ImportRequest(path="/k/caf\udce9.tar")))


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (EventsRequest(), "; ask again$"),
        (ParkedRequest(), "; ask again$"),
        (RollbackRequest(addon="a"), "; 'addon-sync events --kind operation' tells whether it was done$"),
        (DiscardRequest(), "; 'addon-sync events --kind operation' tells whether it was done$"),
        (SyncRequest(), "; what was asked for is queued and will be done$"),
    ],
)
def test_an_answer_that_is_cut_off_promises_no_more_than_is_true(
    monkeypatch: pytest.MonkeyPatch, request_: Request, words: str
) -> None:
    """A question is not queued, and nor is what an operator asks for."""
    answer(monkeypatch, Response(error=http.client.IncompleteRead(b"")))
    with pytest.raises(QueueUnavailable, match=words):
        list(running.through(SERVING, request_))


@pytest.mark.parametrize("error", [None, http.client.IncompleteRead(b""), ConnectionResetError("reset")])
def test_who_follows_is_told_that_serve_has_stopped(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> None:
    """It was an ordinary stop, and no conversation that went wrong."""
    answer(monkeypatch, Response(error=error))
    with pytest.raises(QueueUnavailable, match=r"^addon-sync serve \(process 1\) has stopped: nothing new comes$"):
        list(running.through(SERVING, EventsRequest(follow=True)))


@pytest.mark.parametrize("response", [Response(error=TimeoutError("timed out")), Response(b"{")])
def test_a_silence_is_no_stop(monkeypatch: pytest.MonkeyPatch, response: Response) -> None:
    """Nor is an answer of another version: its cause is named."""
    answer(monkeypatch, response)
    with pytest.raises(QueueUnavailable, match="ended the conversation"):
        list(running.through(SERVING, EventsRequest(follow=True)))


def settings(folder: Path) -> Settings:
    environment = {"REGISTRY_URL": "oci://r", "K2S_INSTALL_DIR": str(folder)}
    return load(flags={}, environment=environment, file=None)


def test_a_list_of_tasks_that_is_damaged_is_no_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another version may serve."""
    monkeypatch.setattr(running, "StateLock", lambda *_, **__: Lock(SERVING, SERVING))
    answer(monkeypatch, Response(b"{"))
    with pytest.raises(QueueUnavailable, match="ended the conversation"):
        running.view(settings(tmp_path), ParkedRequest(), command="parked", report=lambda _: None)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({}, []),
        ({"registry_url": "https://r", "repository_prefix": "addons/"}, []),
        (
            {"registry_url": "oci://other:1", "repository_prefix": "p/addons/"},
            ["registry r); not used: --registry-url oci://other:1, --repository-prefix p/addons/"],
        ),
        ({"registry_url": "http://r", "insecure": "true"}, ["registry r); not used: --insecure true"]),
    ],
)
def test_what_is_given_and_not_used_is_told(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    flags: dict[str, str],
    told: list[str],
) -> None:
    """``serve`` has settings of its own; what is a default here was nobody's wish."""
    given = load(flags=flags, environment={"REGISTRY_URL": "oci://r", "K2S_INSTALL_DIR": str(tmp_path)}, file=None)
    theirs = deciding(replaced(settings(tmp_path), semver_range=">=1"))
    serving = replaced(SERVING, settings=theirs)
    monkeypatch.setattr(running, "StateLock", lambda *_, **__: Lock(serving, serving))
    answer(monkeypatch, Response(write_report(End())))
    running.run(given, PollRequest(), command="poll", report=lambda _: None)
    expected = [f"addon-sync serve (process 1) does this with its own settings ({line}" for line in told]
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == expected


def test_a_serve_that_does_not_say_its_settings_is_used_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One of a version before; and where nobody asks the registry, no registry is told of."""
    monkeypatch.setattr(running, "StateLock", lambda *_, **__: Lock(SERVING, SERVING))
    answer(monkeypatch, Response(write_report(End())))
    running.run(settings(tmp_path), PollRequest(), command="poll", report=lambda _: None)
    other = replaced(SERVING, settings={"REGISTRY_URL": "other"})
    for request, warned in ((ParkedRequest(), False), (StatusRequest(ask=False), False), (StatusRequest(), True)):
        monkeypatch.setattr(running, "StateLock", lambda *_, **__: Lock(other, other))
        answer(monkeypatch, Response(write_report(End())))
        running.view(settings(tmp_path), request, command="status", report=lambda _: None)
        assert bool(caplog.messages) == warned


def test_a_receiver_that_does_not_answer_is_named_without_its_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line goes to a log."""

    def refuse(_: http.client.HTTPConnection) -> None:
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(http.client.HTTPConnection, "connect", refuse)
    with (
        pytest.raises(QueueUnavailable, match="8080 does not answer: refused") as caught,
        running._asked(SERVING, "GET", "/", None),
    ):
        pass
    assert "T0ken" not in str(caught.value)


@pytest.mark.parametrize("source", ["file", "-"])
def test_events_are_read_as_utf8_and_without_the_mark_of_powershell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """Simulated: standard input in the code page of Windows; a byte that is no text is the reader's to refuse."""
    content = b'\xef\xbb\xbf{"a": "\xc3\xa4\x81"}\n'
    (tmp_path / "file").write_bytes(content)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="cp1252"))
    with replay._lines("-" if source == "-" else str(tmp_path / "file")) as lines:
        assert list(lines) == ['{"a": "ä\udc81"}\n']


def test_who_ends_now_plans_no_other_try(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a command leaves in the queue waits for whoever comes next; what serve plans is planned."""
    failed = outcome("failed", Trigger.COMMAND, error="down", retry_at=9.0)

    async def here(*_: object, **__: object) -> AsyncIterator[Report]:
        yield failed

    monkeypatch.setattr("receiver.app.execute", here)
    told: list[Report] = []
    for holders in ((), (SERVING, SERVING)):
        monkeypatch.setattr(running, "StateLock", lambda *_, holders=holders, **__: Lock(*holders))
        answer(monkeypatch, Response(write_report(failed), write_report(End())))
        running.run(settings(tmp_path), PollRequest(), command="poll", report=told.append)
    assert told == [replaced(failed, retry_at=None), failed]
