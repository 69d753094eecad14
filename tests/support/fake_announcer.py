"""Announces pushes as Distribution 2.x does: one event a delivery, in order, the same one until it is taken.

Shapes are those recorded in ``tests/fixtures/notifications``. Lives in the event loop of its registry.
"""

import asyncio
import json
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

_TYPE = "application/vnd.docker.distribution.events.v1+json"


@dataclass(frozen=True, kw_only=True)
class Notify:
    """Where pushes are announced; durations in seconds."""

    url: str
    token: str = ""
    timeout: float = 2.0
    threshold: int = 5
    backoff: float = 0.2
    ignored_actions: tuple[str, ...] = ()
    ignored_media_types: tuple[str, ...] = ()


class Announcer:
    """The queue of one run of a registry: in memory, so lost with it."""

    def __init__(self, notify: Notify | None) -> None:
        self.instance_id = str(uuid.uuid4())
        self.deliveries: list[tuple[int, dict[str, Any]]] = []
        """Each attempt to deliver an event: the status of its answer (0 for none) and the event."""
        self._notify = notify
        self._events: deque[dict[str, Any]] = deque()
        self._wake: asyncio.Event | None = None

    @property
    def pending(self) -> int:
        """How many events are not delivered yet."""
        return len(self._events)

    def add(self, action: str, about: dict[str, Any], *, host: str, method: str, agent: str) -> None:
        """Queue an event, unless the endpoint ignores its kind."""
        if self._notify is None or action in self._notify.ignored_actions:
            return
        if about.get("mediaType") in self._notify.ignored_media_types:
            return
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        request = {"id": str(uuid.uuid4()), "addr": "127.0.0.1:0", "host": host, "method": method, "useragent": agent}
        event = {"id": str(uuid.uuid4()), "timestamp": now, "action": action, "target": about, "request": request}
        self._events.append({**event, "actor": {}, "source": {"addr": f"fake:{host}", "instanceID": self.instance_id}})
        if self._wake is not None:
            self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        if self._notify is None:
            return
        self._wake = asyncio.Event()
        failures = 0
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._notify.timeout)) as session:
            while True:
                if not self._events:
                    self._wake.clear()
                    await self._wake.wait()
                status = await self._deliver(session, self._notify, self._events[0])
                if 200 <= status < 400:
                    self._events.popleft()
                    failures = 0
                    continue
                failures += 1
                await asyncio.sleep(self._notify.backoff if failures >= self._notify.threshold else 0.01)

    async def _deliver(self, session: aiohttp.ClientSession, notify: Notify, event: dict[str, Any]) -> int:
        headers = {"Content-Type": _TYPE, "User-Agent": "Go-http-client/1.1"}
        if notify.token:
            headers["Authorization"] = f"Bearer {notify.token}"
        body = json.dumps({"events": [event]})
        try:
            async with session.post(notify.url, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            status = 0
        self.deliveries.append((status, event))
        return status


def target(
    host: str, repository: str, folder: str, digest: str, media_type: str, size: int, tag: str | None
) -> dict[str, Any]:
    """The ``target`` of an event about a blob or a manifest."""
    about: dict[str, Any] = {
        "mediaType": media_type,
        "size": size,
        "digest": digest,
        "length": size,
        "repository": repository,
        "url": f"http://{host}/v2/{repository}/{folder}/{digest}",
    }
    return about if tag is None else {**about, "tag": tag}
