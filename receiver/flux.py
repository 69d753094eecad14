"""Tells FluxCD of what was installed, so that its own way is as quick as ours. A courtesy: Flux polls anyway.

A request to a Receiver of the type generic-hmac (notification-controller, "Receivers"). Nothing of it is durable: what
cannot be delivered after a few tries is logged, and Flux finds it with its next poll.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import ssl
from collections.abc import Callable, Sequence
from typing import Literal
from urllib.parse import urlsplit

from receiver import __version__
from receiver.http_client import aiohttp
from receiver.packaging.flux import NAMESPACE, resource_name
from receiver.secret import Secret
from receiver.sync.outcome import Outcome, Surveyed

_log = logging.getLogger(__name__)

NAME = "addon-sync"
"""Of the Receiver in ``deploy/receiver/components/flux-webhook``."""
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_PAUSES = (1.0, 5.0)
"""Seconds before the second and the third try."""
_MAX_PENDING = 1000

Told = Literal["delivered", "failed"]


def hook(url: str, token: str) -> str:
    """The URL of the Receiver: ``url`` or, where that has no path, the one that Flux derives from token and name."""
    if urlsplit(url).path:
        return url
    return f"{url}/hook/{hashlib.sha256(f'{token}{NAME}{NAMESPACE}'.encode()).hexdigest()}"


def signature(body: bytes, token: str) -> str:
    """The value of ``X-Signature`` for ``body``."""
    return f"sha256={hmac.new(token.encode(), body, hashlib.sha256).hexdigest()}"


class FluxWebhook:
    """A listener of outcomes; what it hears, `run` delivers, an addon at a time."""

    def __init__(
        self,
        url: str,
        *,
        token: Secret,
        told: Callable[[Told], None],
        pauses: Sequence[float] = _PAUSES,
    ) -> None:
        self._url = url
        self._token = token
        self._told = told
        self._pauses = pauses
        self._pending: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def __call__(self, outcome: Outcome | Surveyed) -> None:
        """Remember what was installed; an addon that waits already is told of once."""
        if isinstance(outcome, Outcome) and outcome.status == "installed" and len(self._pending) < _MAX_PENDING:
            self._pending[outcome.repository] = None
            self._idle.clear()
            self._wake.set()

    async def settle(self) -> None:
        """All that was heard so far is delivered, or given up; `run` must run."""
        await self._idle.wait()

    async def run(self) -> None:
        """Deliver until cancelled."""
        headers = {"User-Agent": f"addon-sync/{__version__}", "Content-Type": "application/json"}
        # Reads the certificates of the system.
        tls = await asyncio.to_thread(ssl.create_default_context)
        connector = aiohttp.TCPConnector(ssl=tls)
        async with aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers, connector=connector) as session:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._pending:
                    repository = next(iter(self._pending))
                    del self._pending[repository]
                    await self._deliver(session, repository)
                self._idle.set()

    async def _deliver(self, session: aiohttp.ClientSession, repository: str) -> None:
        addon = repository.rpartition("/")[2]
        # What the Receiver's filter compares is the name that Flux knows.
        document = {"addon": addon, "repository": repository, "resource": resource_name(addon)}
        problem = ""
        for pause in (0.0, *self._pauses):
            await asyncio.sleep(pause)
            problem = await self._post(session, document)
            if not problem:
                _log.debug("FluxCD was told", extra={"addon": addon})
                self._told("delivered")
                return
        self._told("failed")
        _log.warning(
            "FluxCD could not be told of %s: %s. It finds it with its next poll; see ADDON_SYNC_FLUX_WEBHOOK",
            addon,
            problem,
        )

    async def _post(self, session: aiohttp.ClientSession, document: dict[str, str]) -> str:
        """One try; what went wrong, without the URL, whose path is as good as a password."""
        token = self._token.word() or ""
        body = json.dumps(document).encode()
        try:
            async with session.post(
                hook(self._url, token),
                data=body,
                headers={"X-Signature": signature(body, token)},
                allow_redirects=False,
            ) as response:
                # 404: no such Receiver, or another token; 400: the signature.
                return "" if response.ok else f"it answered {response.status}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return f"{type(error).__name__} at {urlsplit(self._url).netloc}"
