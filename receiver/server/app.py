"""The HTTP server as the rest of the program sees it: what it needs, its endpoints, start and stop."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from receiver.errors import ConfigError
from receiver.metrics import Metrics
from receiver.server.connections import ConnectionServer, Limits
from receiver.server.control import Commands, Control
from receiver.server.credentials import Tokens
from receiver.server.endpoint import NotificationEndpoint
from receiver.server.gate import Gate
from receiver.server.notifications import Notifications
from receiver.server.routes import Router, Routes
from receiver.server.status import MetricsEndpoint, Reasons, StatusEndpoint
from receiver.tasks.queue import TaskQueue

_BACKLOG = 512
"""Connections that the system holds for us while the event loop is busy; the system may cap it."""


def _all_is_well() -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the endpoints work with."""

    queue: TaskQueue
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
    commands: Commands | None = None
    control_token: str | None = None
    """The credential of those who may give ``commands``; both are there, or nobody can."""


def routes(door: Door) -> Routes:
    """Every endpoint there is."""
    notifications = Notifications(queue=door.queue, metrics=door.metrics, prefix=door.prefix, clock=door.clock)
    endpoint = NotificationEndpoint(
        gate=Gate(door.tokens, door.senders), notifications=notifications, metrics=door.metrics, limits=door.limits
    )
    return {
        "/v1/notifications": {"POST": endpoint},
        "/v1/notifications/": {"POST": endpoint.below},
        "/healthz": {"GET": StatusEndpoint(door.alive)},
        "/readyz": {"GET": StatusEndpoint(door.ready)},
        "/metrics": {"GET": MetricsEndpoint(metrics=door.metrics, queue=door.queue)},
        **_control(door),
    }


def _control(door: Door) -> Routes:
    if door.commands is None or door.control_token is None:
        return {}
    return Control(door.commands, token=door.control_token, limits=door.limits).routes()


class HttpServer:
    """One listening address, from `start` to `stop`."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._connections: ConnectionServer | None = None
        self._listener: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen, and say where: ``port`` 0 takes a free one, ``host`` may be an IPv6 address without brackets.

        Raises:
            ConfigError: the address cannot be listened on; nothing is open.
        """
        self._connections = ConnectionServer(
            Router(routes(self._door)), limits=self._door.limits, metrics=self._door.metrics
        )
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._connections, host, port, backlog=_BACKLOG
            )
        except (OSError, OverflowError) as error:
            raise ConfigError(f"ADDON_SYNC_LISTEN: cannot listen on {host!r}, port {port}: {error}") from error
        address = self._listener.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    async def stop(self, grace: float = 3.0) -> None:
        """Accept no more, let running requests finish for at most ``grace`` seconds, close the rest."""
        if self._listener is None or self._connections is None:
            return
        self._listener.close()
        await self._connections.finish(grace)
        self._listener = self._connections = None
