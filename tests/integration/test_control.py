"""Commands that work through a running receiver: a real server on loopback, and the client of the command line."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from receiver.cli import running as client
from receiver.config import Settings
from receiver.errors import InvalidNameError, QueueUnavailable, ReceiverError
from receiver.lock import Holder, StateLock
from receiver.server.connections import Limits
from receiver.sync.engine import Report
from receiver.sync.outcome import Surveyed
from receiver.sync.replayed import Replayed
from receiver.sync.request import ParkedRequest, PollRequest, ReplayRequest, Request, SyncRequest
from receiver.sync.views import Parked
from receiver.tasks.task import Trigger
from tests.support.endpoint import TOKEN, Endpoint, get, post, running
from tests.support.outcomes import outcome

CONTROL = "control-token"
OUTCOME = outcome(trigger=Trigger.COMMAND, turn=1)
SURVEYED = Surveyed(started=1.0, duration=0.5, changed=("addons/a",))
PARKED = Parked(repository="addons/a", digest=None, error="bad", attempts=1, since=1.0)


class FakeCommands:
    """Remembers requests, and answers with what it is given."""

    def __init__(self, *reports: Report, error: Exception | None = None) -> None:
        self.reports = reports
        self.error = error
        self.requests: list[Request] = []
        self.gate: asyncio.Event | None = None
        self.ended = asyncio.Event()

    async def execute(self, request: Request) -> AsyncGenerator[Report, None]:
        self.requests.append(request)
        try:
            for report in self.reports:
                yield report
                if self.gate is not None:
                    await self.gate.wait()
            if self.error is not None:
                raise self.error
        finally:
            self.ended.set()


@asynccontextmanager
async def served(commands: FakeCommands, limits: Limits | None = None) -> AsyncIterator[Endpoint]:
    """A door through which ``commands`` can be given."""
    async with running(limits, commands=commands, control_token=CONTROL) as endpoint:
        yield replace(endpoint, address=endpoint.command_address)


@contextmanager
def held(state: Path, endpoint: Endpoint, token: str = CONTROL) -> Iterator[Settings]:
    """The settings of a state folder on which ``endpoint`` works."""
    host, port = endpoint.address
    with StateLock(state) as lock:
        assert lock.try_acquire(command="serve")
        lock.announce(Holder.mine(command="serve", url=f"http://{host}:{port}", token=token))
        # All that the client reads of them where somebody serves.
        yield cast("Settings", SimpleNamespace(state_dir=state, install_dir=state.parent))


async def through(settings: Settings, request: Request) -> list[Report]:
    """Run ``request`` as a command does."""
    reports: list[Report] = []
    await asyncio.to_thread(client.run, settings, request, command="test", report=reports.append)
    return reports


async def viewed(settings: Settings) -> list[Report]:
    """Ask as a command does."""
    reports: list[Report] = []
    await asyncio.to_thread(client.view, settings, ParkedRequest(), command="test", report=reports.append)
    return reports


@pytest.mark.parametrize(
    "request_",
    [SyncRequest(addons=("a",), force=False), PollRequest(), ReplayRequest(repositories=("addons/a",), since=1.5)],
    ids=lambda request: type(request).__name__,
)
async def test_a_command_works_through_the_receiver_that_runs(request_: Request, tmp_path: Path) -> None:
    """Request and reports arrive as they were; the lock stays with its holder."""
    reports: list[Report] = [Replayed(repositories={"addons/a": 1}), SURVEYED, OUTCOME]
    commands = FakeCommands(*reports)
    async with served(commands) as endpoint:
        with held(tmp_path, endpoint) as settings:
            assert await through(settings, request_) == reports
    assert commands.requests == [request_]


async def test_the_list_of_tasks_is_read_through_the_receiver(tmp_path: Path) -> None:
    """Its database is not opened by anybody else."""
    async with served(FakeCommands(PARKED)) as endpoint:
        with held(tmp_path, endpoint) as settings:
            assert await viewed(settings) == [PARKED]


async def test_reports_arrive_as_they_happen(tmp_path: Path) -> None:
    """Not at the end of a long sync."""
    commands = FakeCommands(OUTCOME, SURVEYED)
    commands.gate = asyncio.Event()
    async with served(commands) as endpoint:
        with held(tmp_path, endpoint) as settings:
            loop, first = asyncio.get_running_loop(), asyncio.Event()

            def tell(_: Report) -> None:
                loop.call_soon_threadsafe(first.set)

            asked = asyncio.create_task(
                asyncio.to_thread(
                    client.run,
                    settings,
                    SyncRequest(),
                    command="test",
                    report=tell,
                )
            )
            await first.wait()
            assert not commands.ended.is_set()
            commands.gate.set()
            await asked


@pytest.mark.parametrize(
    ("error", "raised"),
    [(InvalidNameError("no addon name"), InvalidNameError), (QueueUnavailable("disk full"), QueueUnavailable)],
    ids=["usage", "failure"],
)
async def test_errors_arrive_with_their_meaning(
    error: ReceiverError, raised: type[ReceiverError], tmp_path: Path
) -> None:
    """A wrong name is the caller's fault and exit code 2; the rest is not."""
    async with served(FakeCommands(OUTCOME, error=error)) as endpoint:
        with held(tmp_path, endpoint) as settings, pytest.raises(raised, match=str(error)):
            await through(settings, SyncRequest())


async def test_a_fault_of_the_receiver_is_no_success(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The stream breaks off, and the command says so."""
    async with served(FakeCommands(OUTCOME, error=ZeroDivisionError("a bug"))) as endpoint:
        with held(tmp_path, endpoint) as settings, pytest.raises(QueueUnavailable, match="ended the conversation"):
            await through(settings, SyncRequest())
    assert "Fault while answering" in caplog.text


@pytest.mark.parametrize("token", [None, "wrong", TOKEN], ids=["none", "wrong", "the senders'"])
@pytest.mark.parametrize("path", ["/v1/sync", "/v1/poll", "/v1/replay"])
async def test_nobody_else_may_give_commands(path: str, token: str | None) -> None:
    """A credential of a sender is none for commands."""
    commands = FakeCommands(OUTCOME)
    async with served(commands) as endpoint:
        reply = await endpoint.ask(post(b"{}", token=token, path=path))
        listed = await endpoint.ask(post(b"{}", token=token, path="/v1/status"))
    assert reply is not None
    assert reply.status == 401
    assert listed is not None
    assert listed.status == 401
    assert commands.requests == []


async def test_a_sender_is_not_let_in_with_the_credential_of_commands() -> None:
    """Two doors, two keys."""
    async with running(commands=FakeCommands(), control_token=CONTROL) as endpoint:
        reply = await endpoint.ask(post(b"{}", token=CONTROL))
    assert reply is not None
    assert reply.status == 401


@pytest.mark.parametrize("path", ["/v1/sync", "/v1/poll", "/v1/replay", "/v1/status"])
async def test_commands_are_not_taken_where_senders_knock(path: str) -> None:
    """With the right credential neither: what others can reach has no such path."""
    commands = FakeCommands(OUTCOME)
    async with running(commands=commands, control_token=CONTROL) as endpoint:
        reply = await endpoint.ask(post(b"{}", token=CONTROL, path=path))
    assert reply is not None
    assert reply.status == 404
    assert commands.requests == []


async def test_a_crowd_of_senders_does_not_keep_an_operator_out(tmp_path: Path) -> None:
    """Who is called because of a flood must be able to look."""
    async with (
        running(Limits(connections=1), commands=FakeCommands(PARKED), control_token=CONTROL) as endpoint,
        endpoint.connect() as sender,
    ):
        await sender.send(post(b"", "Expect: 100-continue", length=2))
        assert await sender.reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert await endpoint.ask(get("/healthz")) is None
        with held(tmp_path, replace(endpoint, address=endpoint.command_address)) as settings:
            assert await viewed(settings) == [PARKED]


async def test_notifications_are_not_taken_where_commands_are() -> None:
    """One address, one purpose."""
    async with served(FakeCommands()) as endpoint:
        reply = await endpoint.ask(post(b"{}", token=TOKEN))
    assert reply is not None
    assert reply.status == 404


async def test_commands_are_only_reached_from_this_host() -> None:
    """Whatever address senders use."""
    async with running(commands=FakeCommands(), control_token=CONTROL) as endpoint:
        assert endpoint.command_address[0] == "127.0.0.1"
        assert endpoint.command_address != endpoint.address


@pytest.mark.parametrize("body", [b"", b"{", b'{"addons": "a"}', b"x" * 200], ids=["empty", "cut", "shape", "size"])
async def test_what_is_no_request_is_refused(body: bytes) -> None:
    """Before anything is asked of the engine."""
    commands = FakeCommands()
    async with served(commands, Limits(body=100)) as endpoint:
        reply = await endpoint.ask(post(body, token=CONTROL, path="/v1/sync"))
    assert reply is not None
    assert reply.status == 400
    assert json.loads(reply.body)["error"]
    assert commands.requests == []


async def test_a_body_that_never_ends_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    """The connection is closed, and nobody is called at night."""
    caplog.set_level(logging.ERROR)
    async with served(FakeCommands(), Limits(body_seconds=0.05)) as endpoint:
        reply = await endpoint.ask(post(b"{", token=CONTROL, path="/v1/sync", length=50))
    assert reply is None or reply.status == 408
    assert caplog.messages == []


async def test_who_asked_may_go_away(caplog: pytest.LogCaptureFixture) -> None:
    """The request ends, and the receiver goes on."""
    caplog.set_level(logging.ERROR)
    commands = FakeCommands(*[OUTCOME] * 2000)
    async with served(commands) as endpoint:
        async with endpoint.connect() as wire:
            await wire.send(post(b"{}", token=CONTROL, path="/v1/sync"))
            await wire.reader.readuntil(b"\r\n\r\n")
        await asyncio.wait_for(commands.ended.wait(), 30)
        reply = await endpoint.ask(get("/healthz"))
    assert reply is not None
    assert reply.status == 200
    assert caplog.messages == []


async def test_a_note_that_is_out_of_date_is_found_out(tmp_path: Path) -> None:
    """Whoever answers there now does not know the credential."""
    async with served(FakeCommands()) as endpoint:
        with (
            held(tmp_path, endpoint, token="of-yesterday") as settings,
            pytest.raises(QueueUnavailable, match="refused: a valid credential"),
        ):
            await through(settings, SyncRequest())
