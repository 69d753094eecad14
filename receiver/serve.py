"""The long-running process: endpoint, workers and fallback poll, until it is told to stop.

Imported by the command ``serve`` only: no other command pays for the server and the metrics.
"""

import asyncio
import logging
import os
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from receiver import app
from receiver.config import Settings, deciding
from receiver.errors import ConfigError, QueueUnavailable
from receiver.flux import FluxWebhook
from receiver.lock import Holder, StateLock, new_token
from receiver.metrics import Metrics
from receiver.registry.location import Location
from receiver.report import describe, describe_change, describe_import, describe_look
from receiver.server.app import Door, HttpServer
from receiver.server.connections import Limits
from receiver.server.tls import ServerTls, TlsFiles
from receiver.sync.circuit import Circuit
from receiver.sync.importing import Imported
from receiver.sync.missed import MissedEvents, Reason
from receiver.sync.operations import Changed, Verified
from receiver.sync.outcome import Outcome, Surveyed
from receiver.sync.poller import Poller
from receiver.sync.ports import Progress
from receiver.systemd import keep_alive, notify, watchdog_pause
from receiver.tasks.sqlite import SqliteQueue

_log = logging.getLogger(__name__)

_REQUEST_GRACE = 2.0
_WORK_GRACE = 5.0
_LAST_GRACE = 2.0
"""Seconds after SIGTERM: for requests, for syncs to end by themselves, what is given back; 10 at most (contract)."""
_FLUX_GRACE = 2.0
"""Seconds of these, at most, for FluxCD to hear of the last installations."""
_TRIM_SECONDS = 3600.0
_MISSED_GRACE = 10.0
"""Seconds that an event may come after the poll that brought its push: ten times the usual pause of a sender."""


async def serve(
    settings: Settings, lock: StateLock, *, progress: Progress, stop: asyncio.Event, listening: Callable[[str], None]
) -> None:
    """Serve until ``stop`` is set; ``listening`` is told the URL. The caller holds ``lock``.

    Raises:
        ConfigError: the address cannot be listened on, or is open to others without a credential; a TLS file cannot be
            used.
        ReceiverError: see `receiver.app.opened`.
    """
    if not settings.listen.loopback and not settings.token.configured and not settings.senders:
        raise ConfigError(
            f"ADDON_SYNC_LISTEN is {settings.listen.host}, which others can reach, and there is no ADDON_SYNC_TOKEN: "
            "set a token, or credentials of senders, or listen on 127.0.0.1"
        )
    tls = await asyncio.to_thread(_tls, settings)
    metrics = _metrics(settings)
    async with app.opened(settings, progress=progress, circuit=Circuit(), asked=metrics.registry_request) as parts:
        for record in await asyncio.to_thread(lambda: list(parts.store.records())):
            if (release := record.installed) is not None:
                metrics.installed(
                    record.repository,
                    version=release.version or release.tag,
                    digest=release.digest,
                    when=release.installed,
                )
        reporter = _Reporter(metrics)
        parts.workers.subscribe(reporter)
        parts.operations.subscribe(reporter.operated)
        flux = _flux(parts, metrics)
        parts.retention.mark()  # a crash may have left blobs that nobody needs
        working = asyncio.create_task(parts.workers.run(), name="workers")
        control = new_token()
        server = HttpServer(_door(parts, metrics, working, control, tls))
        background: list[asyncio.Task[None]] = []
        telling = None if flux is None else asyncio.create_task(flux.run(), name="flux")
        try:
            address = await server.start(settings.listen.host, settings.listen.port)
            commands = _url("http", *await server.start_commands())
            own = _url("http" if tls is None else "https", *address)
            sign_in = _sign_in(settings) if server.sessions is not None else None
            lock.announce(
                Holder.mine(
                    command="serve",
                    url=commands,
                    token=control,
                    listen=own,
                    sign_in=sign_in,
                    settings=deciding(settings),
                )
            )
            listening(own)
            poller = _poller(parts, metrics)
            parts.views.next_poll = lambda: poller.next_at
            background = [
                asyncio.create_task(poller.run(), name="poller"),
                asyncio.create_task(_trim(parts.queue, settings), name="journal"),
                asyncio.create_task(parts.retention.run(), name="retention"),
            ]
            if tls is not None:
                background.append(asyncio.create_task(tls.run(), name="certificate"))
            if (pause := watchdog_pause()) is not None:
                background.append(asyncio.create_task(keep_alive(pause), name="watchdog"))
            notify("READY=1")
            await _until(stop, working, *background, *([] if telling is None else [telling]))
        finally:
            ended = time.monotonic() + _REQUEST_GRACE + _WORK_GRACE + _LAST_GRACE
            await _shut_down(parts, server, working, background)
            if flux is not None and telling is not None:
                await _last_words(flux, telling, min(ended - time.monotonic(), _FLUX_GRACE))


def _metrics(settings: Settings) -> Metrics:
    """Of the registry's hosts, those that an operator has named are told apart."""
    return Metrics(hosts=[Location.of(settings.registry).origin, *settings.token_services])


def _poller(parts: app.Parts, metrics: Metrics) -> Poller:
    """The fallback poll, and what tells it that events are lost."""
    settings = parts.settings

    def gap(seconds: float) -> None:
        metrics.missed_event("gap")
        _log.warning(
            "this host slept, or its clock was put forward, by %.0f s: events may be lost, looking at every addon",
            seconds,
        )

    poller = Poller(
        queue=parts.queue,
        interval=settings.poll_interval,
        shortest=settings.poll_interval_min,
        longest=settings.poll_interval_max,
        clock=time.time,
        gap=gap,
    )

    parts.views.next_poll = lambda: poller.next_at

    def missed(reason: Reason) -> None:
        metrics.missed_event(reason)
        poller.missed()

    metrics.poll_interval(lambda: poller.interval)
    parts.workers.subscribe(MissedEvents(journal=parts.queue, clock=time.time, missed=missed, grace=_MISSED_GRACE))
    return poller


def _flux(parts: app.Parts, metrics: Metrics) -> FluxWebhook | None:
    """What tells FluxCD of every installation, where that is configured."""
    if parts.settings.flux_webhook is None:
        return None
    flux = FluxWebhook(parts.settings.flux_webhook, token=parts.settings.flux_token, told=metrics.flux_told)
    parts.workers.subscribe(flux)
    return flux


def _tls(settings: Settings) -> ServerTls | None:
    """TLS of the endpoint, where a certificate is configured. Blocks."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    tls = ServerTls(TlsFiles(cert=settings.tls_cert, key=settings.tls_key, client_ca=settings.tls_client_ca))
    tls.load()
    return tls


def _door(
    parts: app.Parts, metrics: Metrics, working: "asyncio.Task[None]", control: str, tls: ServerTls | None
) -> Door:
    settings = parts.settings

    def ended() -> Sequence[str]:
        return ("the workers have ended",) if working.done() else ()

    def reasons() -> Sequence[str]:
        return [*ended(), *_missing(settings.catalogue)]

    return Door(
        queue=parts.queue,
        journal=parts.queue,
        metrics=metrics,
        tokens=settings.token.words if settings.token.configured else None,
        senders={key: secret.words for key, secret in settings.senders.items()},
        ready=reasons,
        alive=ended,
        prefix=settings.repository_prefix,
        limits=Limits(body=settings.max_body_size),
        tls=tls,
        commands=parts.engine,
        control_token=control,
        views=parts.views,
        api_tokens=settings.api_token.words if settings.api_token.configured else None,
        is_local=settings.listen.loopback,
        registry=settings.registry.authority,
    )


def _missing(catalogue: Path) -> Sequence[str]:
    """Why nothing can be installed there now, as far as a look tells."""
    try:
        return () if stat.S_ISDIR(catalogue.stat().st_mode) else (f"the catalogue {catalogue} is no folder",)
    except FileNotFoundError:
        return (f"the catalogue {catalogue} is not there",)
    except OSError as error:
        return (f"the catalogue {catalogue} cannot be looked at: {error.strerror}",)


def _sign_in(settings: Settings) -> str:
    """What opens the page: the name of the setting, or on loopback the credential of this host's commands."""
    return "token" if settings.listen.loopback else "ADDON_SYNC_API_TOKEN"


class _Reporter:
    """Writes the line of each outcome, and counts it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def __call__(self, outcome: Outcome | Surveyed) -> None:
        if isinstance(outcome, Surveyed):
            self._surveyed(outcome)
            return
        level, text = describe(outcome)
        _log.log(level, "%s", text, extra={"addon": outcome.repository})
        self._metrics.sync(outcome.status, outcome.trigger.value)
        self._metrics.registry_bytes(outcome.fetched)
        if outcome.status == "installed":
            self._metrics.installed(
                outcome.repository,
                version=outcome.version or outcome.tag or "",
                digest=outcome.digest or "",
                when=outcome.visible or outcome.started,
            )
            if outcome.trigger == "event" and outcome.visible is not None:
                self._metrics.push_to_installed(max(outcome.visible - outcome.asked, 0.0))

    def operated(self, report: Changed | Verified | Imported) -> None:
        """An operator has done something by a command: it stands in the log of the receiver too."""
        if isinstance(report, Verified):
            return
        if isinstance(report, Imported):
            level, text = describe_import(report)
            _log.log(level, "%s", text, extra={"addon": report.repository})
            if report.status == "installed":
                version = report.version or report.tag or ""
                self._metrics.installed(report.repository, version=version, digest=report.digest, when=time.time())
            return
        _log.info("%s", describe_change(report), extra={"addon": report.repository})
        if report.action == "uninstalled":
            self._metrics.removed(report.repository)
        elif report.action == "rolled back":
            self._metrics.installed(
                report.repository,
                version=report.version or report.tag or "",
                digest=report.digest or "",
                when=time.time(),
            )

    def _surveyed(self, surveyed: Surveyed) -> None:
        if surveyed.error is not None:
            _log.error("the registry could not be looked through: %s (will be tried again)", surveyed.error)
            return
        self._metrics.polled(surveyed.started + surveyed.duration)
        level = logging.INFO if surveyed.changed else logging.DEBUG
        _log.log(level, "looked at everything: %s", describe_look(surveyed))


async def _trim(queue: SqliteQueue, settings: Settings) -> None:
    """Forget old deliveries, now and every hour."""
    while True:
        try:
            await queue.trim(before=time.time() - settings.journal_age, max_bytes=settings.journal_size)
        except QueueUnavailable as error:
            _log.error("the journal could not be trimmed: %s", error)
        await asyncio.sleep(_TRIM_SECONDS)


async def _until(stop: asyncio.Event, *parts: "asyncio.Task[None]") -> None:
    """Wait for ``stop``; a part that fails ends the program with its error."""
    stopped = asyncio.create_task(stop.wait(), name="stop")
    waiting: set[asyncio.Task[None] | asyncio.Task[bool]] = {stopped, *parts}
    try:
        while not stopped.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
    finally:
        stopped.cancel()


async def _shut_down(
    parts: app.Parts, server: HttpServer, working: "asyncio.Task[None]", background: Sequence["asyncio.Task[None]"]
) -> None:
    """Accept no more, let what runs end for a while, give back what does not: nothing acknowledged is lost."""
    if background:  # else it never began
        _log.info("stopping")
    notify("STOPPING=1")
    parts.workers.stop()
    for task in background:
        task.cancel()
    await server.stop(_REQUEST_GRACE)
    operating = asyncio.ensure_future(parts.operations.settle())
    _, late = await asyncio.wait({working, operating}, timeout=_WORK_GRACE)
    if late:
        ending = [asyncio.ensure_future(end()) for end in (parts.workers.give_back, parts.operations.close)]
        _, stuck = await asyncio.wait({*ending, working, operating}, timeout=_LAST_GRACE)
        if stuck:
            await _leave(parts)


async def _last_words(flux: FluxWebhook, telling: "asyncio.Task[None]", seconds: float) -> None:
    """Let FluxCD hear what was installed at the end, in what is left of the time; it finds the rest by itself."""
    settling = asyncio.create_task(flux.settle(), name="flux settles")
    await asyncio.wait({settling, telling}, timeout=max(seconds, 0.0), return_when=asyncio.FIRST_COMPLETED)
    settling.cancel()
    telling.cancel()


async def _leave(parts: app.Parts) -> None:
    """End the process beside a thread that still installs: the next start finishes that or drops it."""
    _log.warning("an installation is still running: the next start finishes it, or drops it and begins again")
    await parts.chronicle.settle()
    await parts.queue.close()
    logging.shutdown()
    os._exit(0)


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
