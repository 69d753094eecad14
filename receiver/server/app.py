"""The HTTP server as the rest of the program sees it: what it needs, its endpoints, start and stop."""

import asyncio
import errno
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from receiver.errors import ConfigError
from receiver.metrics import Metrics
from receiver.server.api.app import Api
from receiver.server.api.gate import ApiGate, Keys
from receiver.server.connections import ConnectionServer, Limits
from receiver.server.control import Commands, Control
from receiver.server.credentials import Tokens
from receiver.server.endpoint import NotificationEndpoint
from receiver.server.failures import Failures, is_loopback
from receiver.server.gate import Gate
from receiver.server.handshake import Handshake
from receiver.server.notifications import Notifications
from receiver.server.routes import Router, Routes
from receiver.server.session import Sessions
from receiver.server.status import MetricsEndpoint, Reasons, StatusEndpoint
from receiver.server.tls import ServerTls
from receiver.sync.views import Views
from receiver.tasks.journal import Journal
from receiver.tasks.queue import TaskQueue

if TYPE_CHECKING:
    from receiver.server.page.endpoint import Page

_TAKEN = frozenset({errno.EADDRINUSE, 10013, 10048})
"""What the system says of a port that somebody has; Windows says WSAEACCES where that one wants it for itself alone."""
_BACKLOG = 512
"""Connections that the system holds for us while the event loop is busy; the system may cap it."""


def _all_is_well() -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the endpoints work with."""

    queue: TaskQueue
    journal: Journal
    metrics: Metrics
    tokens: Tokens | None
    """The tokens that are valid now; None where none is configured."""
    senders: Mapping[str, Tokens] = field(default_factory=dict)
    """The credentials of single senders, by the names of `receiver.webhook.decode.BY_KEY`. Where there are neither
    tokens nor these, everybody may send who could have sent a token."""
    ready: Reasons
    """Why events cannot be taken or worked on now."""
    alive: Reasons = _all_is_well
    """Why only a restart can help."""
    prefix: str = "addons/"
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], float] = time.time
    tls: ServerTls | None = None
    """For senders and whoever reads health and metrics; loaded."""
    exempt: Callable[[str], bool] = is_loopback
    """Addresses that are never barred."""
    commands: Commands | None = None
    control_token: str | None = None
    """The credential of those who may give ``commands``; both are there, or nobody can."""
    views: Views | None = None
    """What API and page answer from; with it and ``commands`` there are both, for those who have a key."""
    api_tokens: Tokens | None = None
    """The tokens of the API that are valid now; None where none is configured."""
    is_local: bool = False
    """Whether only this host reaches the address: then ``control_token`` opens the API too."""
    registry: str = ""
    """Host and port of the registry, for people."""


def desk(door: Door) -> Notifications:
    """Where notifications are taken."""
    return Notifications(
        queue=door.queue, journal=door.journal, metrics=door.metrics, prefix=door.prefix, clock=door.clock
    )


def routes(door: Door, notifications: Notifications) -> Routes:
    """Every endpoint of the address that is configured."""
    return {
        **_notifications(door, notifications),
        "/healthz": {"GET": StatusEndpoint(door.alive)},
        "/readyz": {"GET": StatusEndpoint(door.ready)},
        "/metrics": {"GET": MetricsEndpoint(metrics=door.metrics, queue=door.queue, clock=door.clock)},
    }


def _notifications(door: Door, notifications: Notifications) -> Routes:
    endpoint = NotificationEndpoint(
        gate=Gate(door.tokens, door.senders),
        notifications=notifications,
        limits=door.limits,
        certified=door.tls is not None and door.tls.files.client_ca is not None,
    )
    return {"/v1/notifications": {"POST": endpoint}, "/v1/notifications/": {"POST": endpoint.below}}


def api_keys(door: Door) -> Keys | None:
    """The words that open API and page now; None where nothing can, and neither is there."""
    if door.views is None or door.commands is None:
        return None
    host = door.control_token if door.is_local else None
    senders = [*([] if door.tokens is None else [door.tokens]), *door.senders.values()]
    keys = Keys(door.api_tokens, host=host, senders=senders)
    return keys if keys.are_there else None


def api(door: Door, keys: Keys, sessions: Sessions) -> Api:
    """The API, also for those who are signed in at the page."""
    assert door.views is not None
    assert door.commands is not None
    return Api(
        views=door.views,
        commands=door.commands,
        gate=ApiGate(keys, is_local=door.is_local, also=sessions.holds),
        limits=door.limits,
        prefix=door.prefix,
        clock=door.clock,
    )


def page_of(door: Door, sessions: Sessions) -> "Page":
    """The page for those who are signed in."""
    assert door.views is not None
    assert door.commands is not None
    from receiver.server.page.endpoint import Page, Sources  # noqa: PLC0415 - templates, for those who have the page

    sources = Sources(
        views=door.views,
        journal=door.journal,
        queue=door.queue,
        commands=door.commands,
        ready=door.ready,
        registry=door.registry,
        clock=door.clock,
        limits=door.limits,
    )
    return Page(sources, sessions)


def command_routes(door: Door) -> Routes:
    """Every endpoint of the address for commands; none where nobody may give any."""
    if door.commands is None or door.control_token is None:
        return {}
    control = Control(door.commands, token=door.control_token, limits=door.limits)
    return {"/healthz": {"GET": StatusEndpoint(door.alive)}, **control.routes()}


class HttpServer:
    """The listening addresses, from `start` to `stop`."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._desk = desk(door)
        self._listeners: list[_Listener] = []
        keys = api_keys(door)
        self.sessions = None if keys is None else Sessions(keys, clock=time.monotonic)
        """Who is signed in to the page; None where there is none."""
        self._api = None if keys is None or self.sessions is None else api(door, keys, self.sessions)
        self._page = None if self.sessions is None else page_of(door, self.sessions)

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen, and say where: ``port`` 0 takes a free one, ``host`` may be an IPv6 address without brackets.

        Raises:
            ConfigError: the address cannot be listened on; nothing is open.
        """
        try:
            table = routes(self._door, self._desk)
            if self._api is not None and self._page is not None:
                table = {**self._page.routes(), **self._api.routes(), **table}
            return await self._listen(table, host, port, self._door.tls)
        except (OSError, OverflowError) as error:
            raise ConfigError(_why_not(host, port, error)) from error

    async def start_commands(self) -> tuple[str, int]:
        """Listen for commands of this host, and say where.

        Raises:
            ConfigError: loopback cannot be listened on.
        """
        try:
            return await self._listen(command_routes(self._door), "127.0.0.1", 0, None)
        except OSError as error:
            raise ConfigError(f"cannot listen on 127.0.0.1 for commands: {error}") from error

    async def stop(self, grace: float = 3.0) -> None:
        """Accept no more, let running requests finish for at most ``grace`` seconds, close the rest."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.sockets.close()
        if self._api is not None:
            self._api.end_streams()
        if self._page is not None:
            await self._page.close(grace / 2)
        await asyncio.gather(*(listener.connections.finish(grace) for listener in listeners))
        if self._api is not None:
            await self._api.close()

    async def _listen(self, table: Routes, host: str, port: int, tls: ServerTls | None) -> tuple[str, int]:
        connections = self._connections(table)
        loop = asyncio.get_running_loop()
        accept = connections if tls is None else lambda: Handshake(connections, tls, refused=self._desk.uncertified)
        sockets = await loop.create_server(accept, host, port, backlog=_BACKLOG)
        self._listeners.append(_Listener(sockets, connections))
        address = sockets.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    def _connections(self, table: Routes) -> ConnectionServer:
        limits = self._door.limits
        failures = Failures(
            allowed=limits.failures,
            within=limits.failure_seconds,
            barred_for=limits.barred_seconds,
            trusted_for=limits.trusted_seconds,
            clock=time.monotonic,
            exempt=self._door.exempt,
        )
        return ConnectionServer(Router(table), limits=limits, metrics=self._door.metrics, failures=failures)


def _why_not(host: str, port: int, error: OSError | OverflowError) -> str:
    """In a person's words, with the remedy: asyncio's text repeats the address twice."""
    name = f"[{host}]" if ":" in host else host
    number = error.errno if isinstance(error, OSError) else None
    if number in _TAKEN:
        cause = "is taken by another program: stop that one, or give"
        return f"ADDON_SYNC_LISTEN: port {port} of {host or 'every address'} {cause} --listen {name}:<another port>"
    if isinstance(error, PermissionError):
        cause = "may not be opened by this account: give"
        return f"ADDON_SYNC_LISTEN: port {port} {cause} --listen {name}:<a port above 1023>"
    return f"ADDON_SYNC_LISTEN: cannot listen on {host!r}, port {port}: {error}"


@dataclass(frozen=True, slots=True)
class _Listener:
    sockets: asyncio.Server
    connections: ConnectionServer
