"""Run a request: here, or through the ``serve`` that works on the same state folder. Never against it."""

import asyncio
import contextlib
import http.client
import json
import logging
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from urllib.parse import urlsplit

from receiver.config import Settings, differing
from receiver.document import InvalidDocument, encode, replaced
from receiver.errors import ConfigError, InvalidNameError, QueueUnavailable
from receiver.lock import Holder, StateLock
from receiver.sync.engine import Report
from receiver.sync.outcome import Outcome
from receiver.sync.request import DiscardRequest, EventsRequest, OperatorRequest, Request, StatusRequest, ViewRequest
from receiver.sync.wire import End, Failure, read_report, request_kind

_log = logging.getLogger(__name__)

LOCK_PATIENCE = 600.0
"""Seconds that a command waits for another one to end: the Jobs of several addons may start at the same time."""
_PAUSE = 0.1
_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 120.0
"""Without a sign of life from ``serve``, which gives one every 15 s."""


def run(settings: Settings, *requests: Request, command: str, report: Callable[[Report], None]) -> None:
    """Carry out ``requests``, one after the other, and pass on every report.

    Raises:
        ConfigError: the state folder cannot be used.
        InvalidNameError: an addon of a request has no possible name.
        ReceiverError: nothing could be done.
    """
    run_all(settings, requests, command=command, report=report)


def run_all(settings: Settings, requests: Iterable[Request], *, command: str, report: Callable[[Report], None]) -> None:
    """As `run`; a request is asked for when the one before it is done."""
    lock = StateLock(settings.state_dir, install_dir=settings.install_dir)
    with _held_or_served(lock, command) as holder:
        if holder is None:
            asyncio.run(_here(settings, requests, report))
            return
        _tell_what_is_not_used(settings, holder)
        for request in requests:
            for line in through(holder, request):
                report(line)


def view(settings: Settings, request: ViewRequest, *, command: str, report: Callable[[Report], None]) -> bool:
    """Pass on every answer to ``request``; whether it was ``serve`` that answered.

    Raises:
        ConfigError, InvalidNameError, ReceiverError: as for `run`.
    """
    lock = StateLock(settings.state_dir, install_dir=settings.install_dir)
    with _held_or_served(lock, command) as holder:
        if holder is not None:
            if isinstance(request, StatusRequest) and request.ask:
                _tell_what_is_not_used(settings, holder)
            for line in through(holder, request):
                report(line)
        elif isinstance(request, EventsRequest) and request.follow:
            raise ConfigError("'addon-sync serve' does not run on this state folder: nothing new would come")
        else:
            asyncio.run(_view(settings, request, report))
        return holder is not None


def _tell_what_is_not_used(settings: Settings, holder: Holder) -> None:
    """Whoever gave a registry, and gets what another one has, must learn of it."""
    theirs = holder.settings
    if theirs is None:
        return  # of a version before, which does not say
    given = [settings.given[name] for name in differing(settings, theirs)]
    unused = [f"{one.name} {one.text}" for one in given if one.source != "default"]
    if unused:
        _log.warning(
            "%s does this with its own settings (registry %s); not used: %s",
            holder,
            theirs.get("REGISTRY_URL"),
            ", ".join(unused),
        )


async def _here(settings: Settings, requests: Iterable[Request], report: Callable[[Report], None]) -> None:
    from receiver import app  # noqa: PLC0415 - half of the start-up, not needed where serve runs
    from receiver.cli.progress import progress  # noqa: PLC0415

    with progress() as shown:
        async with contextlib.aclosing(app.execute(settings, requests, progress=shown)) as reports:
            async for line in reports:
                report(_unplanned(line))


def _unplanned(report: Report) -> Report:
    """The same of a process that ends now: what has failed is tried again by whoever comes next, whenever that is."""
    return replaced(report, retry_at=None) if isinstance(report, Outcome) else report


async def _view(settings: Settings, request: ViewRequest, report: Callable[[Report], None]) -> None:
    from receiver import app  # noqa: PLC0415 - see _here

    async with contextlib.aclosing(app.view(settings, request)) as answers:
        async for answer in answers:
            report(answer)


@contextlib.contextmanager
def _held_or_served(lock: StateLock, command: str) -> Iterator[Holder | None]:
    """Hold the lock, or give who serves. Who holds it may end, or begin to serve: both are looked for in turn."""
    holder = _awaited(lock, command)
    if holder is not None:
        yield holder
        return
    try:
        yield None
    finally:
        lock.release()


def _awaited(lock: StateLock, command: str) -> Holder | None:
    """Take the lock, or find who serves.

    Raises:
        ConfigError: neither came about in time; the text says who holds the lock.
    """
    deadline = time.monotonic() + LOCK_PATIENCE
    told = False
    while not lock.try_acquire(command=command):
        holder = lock.holder()
        if holder is not None and holder.url is not None and _answers(holder):
            return holder
        if not told:
            _log.info("waiting for %s to end", holder or "another process")
            told = True
        if time.monotonic() >= deadline:
            raise ConfigError(
                f"{holder or 'another process'} works on the state folder and did not end within {LOCK_PATIENCE:.0f} s"
            )
        time.sleep(_PAUSE)
    return None


def _answers(holder: Holder) -> bool:
    try:
        with _asked(holder, "GET", "/healthz", None):
            return True
    except QueueUnavailable:
        return False


def through(holder: Holder, request: Request) -> Generator[Report, None, None]:
    """What the ``serve`` of ``holder`` reports on ``request``.

    Raises:
        InvalidNameError: the request names no possible addon, or holds what is no text.
        QueueUnavailable: it refused, or the conversation was cut off.
    """
    with _asked(holder, "POST", f"/v1/{request_kind(request)}", _body(request)) as response:
        try:
            for line in response:
                if not line.strip():
                    continue  # a sign of life
                report = read_report(line)
                if isinstance(report, End):
                    return
                if isinstance(report, Failure):
                    raise InvalidNameError(report.error) if report.usage else QueueUnavailable(report.error)
                yield report
            # http.client takes the end of a connection for the end of what was to come.
            raise http.client.IncompleteRead(b"")
        except (OSError, http.client.HTTPException, InvalidDocument) as error:
            raise QueueUnavailable(_cut_off(holder, request, error)) from error


def _cut_off(holder: Holder, request: Request, error: Exception) -> str:
    """What it means for ``request`` that no more of its answer comes."""
    if isinstance(request, EventsRequest) and request.follow and _is_end(error):
        return f"{holder} has stopped: nothing new comes"
    if isinstance(request, ViewRequest):
        what = "ask again"
    elif isinstance(request, OperatorRequest | DiscardRequest):
        what = "'addon-sync events --kind operation' tells whether it was done"
    else:
        what = "what was asked for is queued and will be done"
    return f"{holder} ended the conversation ({error}); {what}"


def _is_end(error: Exception) -> bool:
    """Whether the connection is closed, in whatever way: not a silence, and not an answer that makes no sense."""
    return isinstance(error, ConnectionError | http.client.IncompleteRead)


def _body(request: Request) -> bytes:
    try:
        return encode(request)
    except UnicodeEncodeError as error:
        raise InvalidNameError(
            f"{error.object[:200]!a} is no UTF-8, and 'addon-sync serve', which would do this, takes nothing else: "
            "give it another name"
        ) from error


@contextlib.contextmanager
def _asked(holder: Holder, method: str, path: str, body: bytes | None) -> Iterator[http.client.HTTPResponse]:
    url = urlsplit(holder.url or "")
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=_CONNECT_SECONDS)
    try:
        try:
            connection.connect()
            connection.sock.settimeout(_SILENCE_SECONDS)
            connection.request(method, path, body=body, headers={"Authorization": f"Bearer {holder.token}"})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise QueueUnavailable(f"{holder} at {holder.url} does not answer: {error}") from error
        if response.status != 200:
            raise QueueUnavailable(f"{holder} at {holder.url} refused: {_reason(response)}")
        yield response
    finally:
        connection.close()


def _reason(response: http.client.HTTPResponse) -> str:
    try:
        return str(json.loads(response.read(65536)).get("error", response.reason))
    except (OSError, ValueError, AttributeError):
        return f"{response.status} {response.reason}"
