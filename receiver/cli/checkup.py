"""Which check needs which, and what they are given: the composition of `receiver.diagnosis`.

Registry, folders, endpoint and journal are looked at side by side; on the way to the registry each step needs the one
before. Every probe has its seconds, and nothing here waits for somebody else's lock.
"""

import asyncio
import ipaddress
import os
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from receiver.cli.running import through
from receiver.config import Settings, deciding, differing
from receiver.diagnosis import endpoint, folders, network, tasks
from receiver.diagnosis import settings as together
from receiver.diagnosis.finding import Finding, broken, ok, warning
from receiver.diagnosis.probe import http, sqlite
from receiver.diagnosis.probe.bounded import within
from receiver.diagnosis.probe.folders import host_facts
from receiver.diagnosis.probe.network import Way, free_port, reach
from receiver.diagnosis.registry import Looked
from receiver.errors import ConfigError, ReceiverError
from receiver.lock import Holder, StateLock
from receiver.sync.engine import Report as Answer
from receiver.sync.heard import LOOK_BACK, heard, questions
from receiver.sync.request import EventsRequest, HealthRequest, TasksRequest, ViewRequest
from receiver.sync.views import QueueHealth
from receiver.tasks.journal import DOCTOR, Arrival
from receiver.tasks.task import Task

_SECONDS = 10.0
"""For one probe that has no limit of its own."""
_CHECK_SECONDS = 20.0
"""For a look at the queue's file, which may be large, and for a way of several steps."""
_WILDCARDS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where others listen


@dataclass(slots=True, kw_only=True)
class Report:
    """What was looked at."""

    settings: list[together.Row]
    findings: list[Finding] = field(default_factory=list)
    addons: list[Looked] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Occupied:
    """Who works on the state folder."""

    held: bool
    holder: Holder | None

    @property
    def served(self) -> Holder | None:
        """The ``serve`` that does, once it takes commands."""
        holder = self.holder
        return holder if self.held and holder is not None and holder.url is not None else None


async def examine(settings: Settings, *, notify: bool) -> Report:
    """Look at everything; ``notify``: send the endpoint a notification, which can do no harm."""
    from receiver.cli.registry_checkup import look_at_registry  # noqa: PLC0415 - brings the client

    report = Report(settings=list(together.rows(settings)))
    report.findings += together.judge(settings)
    occupied = None
    try:
        occupied = await within(_SECONDS, lambda: _occupied(settings))
    except (ConfigError, TimeoutError) as error:
        report.findings.append(broken("folders.lock", _words(error), "run addon-sync doctor as the account of serve"))
    looks = [
        _collected("folders", _look_at_folders(settings, occupied)),
        _collected("registry", look_at_registry(settings, report.addons)),
    ]
    if occupied is not None:  # else nobody can say whether serve runs
        looks.append(_collected("endpoint", _look_at_endpoint(settings, occupied, notify=notify)))
        looks.append(_collected("journal", _look_at_journal(settings, occupied)))
    for findings in await asyncio.gather(*looks):
        report.findings += findings
    return report


async def _collected(area: str, look: AsyncIterator[Finding]) -> list[Finding]:
    """What a look found up to where it failed, and how it did."""
    found: list[Finding] = []
    try:
        async for finding in look:
            found.append(finding)  # noqa: PERF401 - what was found before an error counts
    except (ReceiverError, TimeoutError, OSError) as error:
        found.append(broken(f"{area}.look", _words(error), "cure what it says, and look again"))
    return found


def _words(error: Exception) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error)


def _occupied(settings: Settings) -> _Occupied:
    lock = StateLock(settings.state_dir, install_dir=settings.install_dir)
    held = lock.is_held()
    return _Occupied(held=held, holder=lock.holder() if held else None)


async def _look_at_folders(settings: Settings, occupied: _Occupied | None) -> AsyncIterator[Finding]:
    facts = await within(
        _SECONDS,
        lambda: host_facts(
            install_dir=settings.install_dir,
            catalogue=settings.catalogue,
            state=settings.state_dir,
            secrets=together.secret_files(settings),
        ),
    )
    needed = settings.max_layer_size + settings.max_addon_size
    held = occupied is None or occupied.held
    for finding in folders.judge(facts, held=held, needed=needed, files=settings.max_files):
        yield finding
    if occupied is None:
        return
    if occupied.held:
        yield ok("folders.lock", f"{occupied.holder or 'another process'} works on them")
    else:
        yield ok("folders.lock", "nobody works on them now")


async def _look_at_endpoint(settings: Settings, occupied: _Occupied, *, notify: bool) -> AsyncIterator[Finding]:
    serving = occupied.served
    if serving is None or serving.command != "serve":
        if occupied.holder is not None and occupied.holder.command == "serve":
            yield warning("endpoint.serve", f"{occupied.holder} is starting", "look again in a moment")
            return
        async for finding in _without_serve(settings):
            yield finding
        return
    actual = serving.listen or _configured(settings)
    yield _listener(settings, actual)
    for finding in endpoint.judge_settings(_different(settings, serving)):
        yield finding
    origin = _reachable(actual)
    try:
        tls = await within(_SECONDS, lambda: _pinned(settings, origin))
        if tls is not None:
            async for finding in _own_certificate(origin, tls):
                yield finding
        ready = await within(_SECONDS, lambda: http.ask(origin, "GET", "/readyz", headers={}, tls=tls))
        for finding in endpoint.judge_ready(ready, origin):
            yield finding
        if notify:
            yield await _notify(settings, origin, tls)
    except http.NoAnswer as error:
        yield endpoint.judge_silence(origin, str(error))


async def _own_certificate(origin: str, tls: ssl.SSLContext) -> AsyncIterator[Finding]:
    """Judge what senders are shown; where that fails, the request that follows says why."""
    url = urlsplit(origin)
    way = Way(host=url.hostname or "", port=url.port or 0, tls=tls)
    reached = await within(_CHECK_SECONDS, lambda: reach(way))
    if reached.certificate is not None and reached.protocol is not None:
        yield network.judge_certificate("endpoint.tls", reached.certificate, reached.protocol, now=time.time())


async def _without_serve(settings: Settings) -> AsyncIterator[Finding]:
    where = _configured(settings)
    reason = await within(_SECONDS, lambda: free_port(settings.listen.host, settings.listen.port))
    yield endpoint.judge_absence(where, free=reason is None, reason=reason or "")
    if settings.tls_cert is not None and settings.tls_key is not None:
        from receiver.server.tls import ServerTls, TlsFiles  # noqa: PLC0415 - only here is a server's part needed

        files = TlsFiles(cert=settings.tls_cert, key=settings.tls_key, client_ca=settings.tls_client_ca)
        try:
            await within(_SECONDS, ServerTls(files).load)
        except ConfigError as error:
            yield broken("endpoint.tls", str(error), "put a certificate and its key there, as PEM files")
        else:
            yield ok("endpoint.tls", f"certificate and key can be used: {settings.tls_cert}, {settings.tls_key}")


async def _notify(settings: Settings, origin: str, tls: ssl.SSLContext | None) -> Finding:
    """Send one event by the way that a registry's takes."""
    example = await within(_SECONDS, lambda: _example(settings))
    token, source = _credential(settings)
    headers = {"Content-Type": endpoint.MEDIA_TYPE, "User-Agent": DOCTOR}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    moment = datetime.now(UTC).isoformat()
    body = endpoint.notification(example, identifier=str(uuid.uuid4()), moment=moment)
    url = origin + "/v1/notifications"
    answer = await within(
        _SECONDS, lambda: http.ask(origin, "POST", "/v1/notifications", body=body, headers=headers, tls=tls)
    )
    certificate = settings.tls_client_ca is not None
    return endpoint.judge_answer(answer, example, url=url, source=source, certificate=certificate)


def _example(settings: Settings) -> endpoint.Example:
    """An addon that is installed and not held, so that the event is a hint like any other; else no addon."""
    from receiver import app  # noqa: PLC0415 - only where serve runs

    for record in app.catalog_store(settings).records():
        installed = record.installed
        if installed is not None and record.hold is None and record.repository.startswith(settings.repository_prefix):
            return endpoint.Example(
                repository=record.repository, tag=installed.tag, digest=installed.digest, is_addon=True
            )
    return endpoint.outside(settings.repository_prefix)


def _credential(settings: Settings) -> tuple[str | None, str | None]:
    """A token that speaks for a Docker registry, and where it is from."""
    if settings.token.configured:
        return settings.token.word(), together.source_of(settings, "ADDON_SYNC_TOKEN")
    for sender in ("distribution", "gitlab"):
        if sender in settings.senders:
            return settings.senders[sender].word(), together.source_of(settings, f"senders.{sender}")
    return None, None


def _pinned(settings: Settings, origin: str) -> ssl.SSLContext | None:
    if not origin.startswith("https:"):
        return None
    if settings.tls_cert is None:
        raise http.NoAnswer("serve speaks TLS, and ADDON_SYNC_TLS_CERT is not among the settings of this command")
    try:
        return http.pinned(settings.tls_cert)
    except OSError as error:
        raise http.NoAnswer(f"ADDON_SYNC_TLS_CERT {settings.tls_cert} cannot be used: {error.strerror}") from error


def _listener(settings: Settings, actual: str) -> Finding:
    """A name may resolve to the address that serve tells, so only addresses are compared."""
    configured, found = urlsplit(_configured(settings)), urlsplit(actual)
    same_host = configured.hostname == found.hostname or not _is_address(configured.hostname or "")
    same = same_host and configured.scheme == found.scheme and configured.port in {0, found.port}
    return endpoint.judge_listener(configured.geturl(), actual, same=same)


def _different(settings: Settings, serving: Holder) -> list[tuple[str, str, str]]:
    ours, theirs = deciding(settings), serving.settings or {}
    return [(name, theirs[name], ours[name]) for name in differing(settings, theirs)]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _configured(settings: Settings) -> str:
    scheme = "http" if settings.tls_cert is None else "https"
    return origin_of(scheme, settings.listen.host or "0.0.0.0", settings.listen.port)  # noqa: S104 - as it is written


def _reachable(origin: str) -> str:
    """The origin by an address of this host, where it is all of them."""
    url = urlsplit(origin)
    host = url.hostname or ""
    return origin_of(url.scheme, _WILDCARDS.get(host, host), url.port or 0)


def origin_of(scheme: str, host: str, port: int) -> str:
    """``http://127.0.0.1:8080``."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


async def _look_at_journal(settings: Settings, occupied: _Occupied) -> AsyncIterator[Finding]:
    file = settings.state_dir / "queue.sqlite"
    serving = occupied.served
    if serving is not None:
        found = _judged(await _asked(serving), served=True)
    elif occupied.held:
        found = iter(
            [ok("journal.tasks", f"{occupied.holder or 'another process'} is at work, the tasks were not asked")]
        )
    elif not await within(_SECONDS, file.exists):
        found = iter([ok("journal.tasks", "there is no queue yet: the first start makes it")])
    elif not await within(_SECONDS, lambda: _is_ours(settings)):
        text = f"{file} belongs to another account, and was left alone"
        found = iter([warning("journal.tasks", text, "run addon-sync doctor as that account")])
    else:
        found = iter(await within(_CHECK_SECONDS * 2, lambda: _read_here(settings)))
    for finding in found:
        yield finding


async def _asked(serving: Holder) -> Sequence[Answer]:
    return await within(_SECONDS, lambda: [answer for request in _questions() for answer in through(serving, request)])


def _questions() -> list[ViewRequest]:
    heard = [EventsRequest(wanted=wanted, limit=most) for wanted, most in questions(time.time() - LOOK_BACK)]
    return [TasksRequest(), HealthRequest(), *heard]


def _judged(reports: Sequence[Answer], *, served: bool) -> Iterator[Finding]:
    now = time.time()
    listed = [report for report in reports if isinstance(report, Task)]
    arrived = heard(report for report in reports if isinstance(report, Arrival))
    yield from tasks.judge_tasks(listed, served=served, now=now)
    for report in reports:
        if isinstance(report, QueueHealth):
            yield from tasks.judge_journal(report.journal, arrived, now=now)


def _is_ours(settings: Settings) -> bool:
    """Whether a file that is made here could be opened by the account that works here."""
    return not hasattr(os, "geteuid") or settings.state_dir.stat().st_uid == os.geteuid()


def _read_here(settings: Settings) -> list[Finding]:
    """Look at the file while the lock says that nobody else does."""
    file = settings.state_dir / "queue.sqlite"
    lock = StateLock(settings.state_dir, install_dir=settings.install_dir)
    if not lock.try_acquire(command="doctor"):
        return [
            ok("journal.tasks", f"{lock.holder() or 'another process'} has begun to work, the tasks were not asked")
        ]
    with lock:
        problem = sqlite.quick_check(file, seconds=_CHECK_SECONDS)
        found = [tasks.judge_file(str(file), problem)]
        if problem is None:
            found += _judged(asyncio.run(_views(settings)), served=False)
        return found


async def _views(settings: Settings) -> list[Answer]:
    from receiver import app  # noqa: PLC0415 - half of the start-up, not needed where serve runs

    return [report for request in _questions() async for report in app.view(settings, request)]
