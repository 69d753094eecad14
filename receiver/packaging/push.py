"""Upload an artifact: the blobs that the registry lacks, then manifests, tags last. It retries nothing.

Requests and answers: distribution-spec "Push". A tag appears only when everything below it is in the registry.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from receiver.errors import DigestMismatch, InstallError, ProtocolViolation, Unavailable
from receiver.oci.digest import Digest
from receiver.oci.reference import RegistryAddress, Repository, Tag
from receiver.packaging.artifact import Artifact
from receiver.registry.answers import MAX_ERROR_BODY, Refusal, error_codes, error_for
from receiver.registry.location import Location

# No limit on the whole: an upload may take hours. A registry that is silent for a minute is gone.
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
_SIDE_BY_SIDE = 4
"""Blobs on their way at once; as many as the receiver fetches of an artifact's usual four layers."""
_REMEDY = "check REGISTRY_URL, and that the account may push there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What an upload came to."""

    digest: Digest
    uploaded: int
    """Blobs that were sent."""
    present: int
    """Blobs that the registry had already."""


async def push(
    artifact: Artifact,
    address: RegistryAddress,
    repository: Repository,
    tags: Iterable[Tag],
    *,
    authorization: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> Pushed:
    """Upload ``artifact`` and point ``tags`` at it.

    Args:
        artifact: What to upload.
        address: The registry.
        repository: Where in the registry.
        tags: Each is pointed at the artifact, in this order.
        authorization: Value of the ``Authorization`` header; sent to ``address`` only.
        tls: Trust and client certificate; the system's where None.

    Raises:
        RegistryError: by what cures it. Blobs may have been stored; no tag was moved that comes after the failure.
        DigestMismatch: the registry stored something else than was sent.
        InstallError: a file of the artifact cannot be read.
    """
    headers = {} if authorization is None else {"Authorization": authorization}
    connector = aiohttp.TCPConnector(ssl=True if tls is None else tls)
    async with aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT, connector=connector) as session:
        upload = _Upload(session, address, repository)
        await upload.content(artifact)
        for tag in tags:
            await upload.manifest(artifact, tag)
    return Pushed(digest=artifact.digest, uploaded=upload.uploaded, present=upload.present)


class _Upload:
    """One artifact on its way into one repository."""

    def __init__(self, session: aiohttp.ClientSession, address: RegistryAddress, repository: Repository) -> None:
        self.uploaded = 0
        self.present = 0
        self._gate = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._session = session
        self._base = Location.of(address).at(f"/v2/{repository}")
        self._subject = f"{address.authority}/{repository}"

    async def content(self, artifact: Artifact) -> None:
        """Everything below the artifact's own manifest."""
        for child in artifact.children:
            await self.content(child)
            await self.manifest(child, str(child.digest))
        # All are waited for, so that no file is left open; those that fail together mostly fail alike.
        ends = await asyncio.gather(
            *(self._blob(digest, blob) for digest, blob in artifact.blobs.items()), return_exceptions=True
        )
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def manifest(self, artifact: Artifact, reference: str) -> None:
        """The manifest itself, under a tag or its digest."""
        headers = {"Content-Type": artifact.media_type}
        url = f"{self._base.url}/manifests/{reference}"
        async with self._request("PUT", url, expect={201}, data=artifact.manifest, headers=headers) as answer:
            stored = answer.headers.get("Docker-Content-Digest", str(artifact.digest))
        if stored != str(artifact.digest):
            raise DigestMismatch(f"{self._subject}:{reference} was stored as {stored[:80]!r}, not as {artifact.digest}")

    async def _blob(self, digest: Digest, content: bytes | Path) -> None:
        async with self._gate:
            await self._sent_or_there(digest, content)

    async def _sent_or_there(self, digest: Digest, content: bytes | Path) -> None:
        async with self._request("HEAD", f"{self._base.url}/blobs/{digest}", expect={200, 404}) as answer:
            if answer.status == 200:
                self.present += 1
                return
        async with self._request("POST", f"{self._base.url}/blobs/uploads/", expect={202}) as answer:
            session = self._session_location(answer)
        separator = "&" if session.query else "?"
        await self._send(f"{session.url}{separator}digest={digest}", content)
        self.uploaded += 1

    async def _send(self, url: str, content: bytes | Path) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        if isinstance(content, bytes):
            async with self._request("PUT", url, expect={201}, data=content, headers=headers):
                return
        try:
            file = await asyncio.to_thread(content.open, "rb")
        except OSError as error:
            raise InstallError(f"{content} cannot be read: {error}") from error
        # The client reads an open file in a thread, a chunk at a time, and announces its size.
        with file:
            async with self._request("PUT", url, expect={201}, data=file, headers=headers):
                return

    def _session_location(self, answer: aiohttp.ClientResponse) -> Location:
        # distribution-spec "POST then PUT": absolute or relative. Another origin would get the credential.
        location = self._base.join(answer.headers.get("Location", ""))
        if location.origin != self._base.origin or not location.path.startswith("/v2/"):
            raise ProtocolViolation(f"{self._subject}: the registry sends the upload to another place; refused")
        return location

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        url: str,
        *,
        expect: set[int],
        data: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(method, url, data=data, headers=headers, allow_redirects=False) as answer:
                if answer.status not in expect:
                    refusal = await _refusal(answer)
                    raise error_for(refusal, subject=self._subject, remedy=_REMEDY, now=time.time())
                yield answer
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise Unavailable(f"{self._subject}: the registry cannot be reached or broke off: {error}") from error


async def _refusal(answer: aiohttp.ClientResponse) -> Refusal:
    body = await answer.content.read(MAX_ERROR_BODY)
    return Refusal(status=answer.status, retry_after=answer.headers.get("Retry-After"), codes=error_codes(body))
