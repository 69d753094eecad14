"""The push side: blobs in chunks that go on where the line broke, and manifests.

distribution-spec "Pushing blobs" and "Pushing manifests". Fulfils `receiver.packaging.ports.Uploads`.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable

from receiver.document import Mutable, replaced
from receiver.errors import DigestMismatch, NotInRegistry, ProtocolViolation, RateLimited, RegistryError, Unavailable
from receiver.oci.digest import Digest
from receiver.oci.reference import Repository
from receiver.packaging.ports import Read, UploadBlob
from receiver.registry.location import Location
from receiver.registry.retry import BriefRetry
from receiver.registry.session import Question, RegistrySession, Told

CHUNK_SIZE = 32 * 1024 * 1024
"""Bytes of one request: what a broken line costs at most, where the registry keeps nothing of a request that broke."""
_TRIES = 5
"""In a row, without a byte more in the registry."""
_FIRST_PAUSE = 0.2
"""Seconds, and each time twice as many: with what the requests between them take, some five seconds in all."""
_MIN_RATE = 16 * 1024
"""Bytes a second below which a registry that takes a chunk is given up."""
_COMMIT_SECONDS, _COMMIT_RATE = 30.0, 4 * 1024 * 1024
"""What the registry may take to close an upload: seconds, and bytes a second. It may hash or copy the whole blob (on S3
it is moved by a copy of all its parts)."""
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})\Z")
_MIN_CHUNK = re.compile(r"[0-9]{1,10}\Z")
_OCTETS = {"Content-Type": "application/octet-stream"}
_HEAD_ANSWERS = frozenset({200, 301, 302, 303, 307, 308, 404, 405, 501})


class _Session(Mutable):
    """An upload that has begun."""

    blob: UploadBlob
    location: Location
    chunk: int
    done: int = 0
    resumed: bool = False
    lost: bool = False
    """Its bytes are of no use: the next one begins with the first."""

    def reached(self, done: int) -> None:
        self.blob.advanced(done - self.done)
        self.done = done


class RegistryUploads:
    """Uploads to one registry; made by `receiver.registry.client.RegistryClient.uploads`."""

    def __init__(
        self,
        root: Location,
        session: RegistrySession,
        *,
        name: str,
        remedy: str,
        retry: BriefRetry,
        chunk_size: int = CHUNK_SIZE,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._root = root
        self._session = session
        self._name = name
        self._remedy = remedy
        self._retry = retry
        self._chunk_size = chunk_size
        self._sleep = sleep

    async def has_blob(self, repository: Repository, digest: Digest) -> bool:
        """Whether the blob is in ``repository``.

        Raises:
            RegistryError: by what cures it.
        """
        question = self._question(repository, f"blobs/{digest}", "HEAD")
        told = await self._retry(lambda: self._session.tell(question, expect=_HEAD_ANSWERS))
        # A redirect leads to where the blob is stored; a registry that answers no HEAD gets the blob once more.
        return told.status not in {404, 405, 501}

    async def send_blob(self, blob: UploadBlob, *, mount: Repository | None = None) -> bool:
        """Put a blob into its repository; True where it was mounted from the repository ``mount`` instead.

        Raises:
            RegistryError: by what cures it; the registry may have kept a part.
            ReceiverError: what ``blob.read`` raises.
        """
        reading = _Reading(blob.read)
        session = await self._begin(replaced(blob, read=reading), mount)
        if session is None:
            return True
        setbacks = _Setbacks()
        while True:
            try:
                going = await self._resumed(session) if setbacks.in_a_row else session
                if going is None:
                    return False
                session = going
                await self._send(session)
            except RegistryError as error:
                if reading.error is not None:
                    raise reading.error from error
                session.lost |= setbacks.judge(error, done=session.done, resumed=session.resumed)
            else:
                return False
            await self._sleep(setbacks.pause)

    async def send_manifest(self, repository: Repository, reference: str, body: bytes, media_type: str) -> None:
        """Store a manifest under a tag or its digest.

        Raises:
            RegistryError: by what cures it.
            DigestMismatch: the registry stored something else than was sent.
        """
        question = self._question(
            repository, f"manifests/{reference}", "PUT", body=body, headers={"Content-Type": media_type}
        )
        told = await self._retry(lambda: self._session.tell(question, expect={201}))
        digest = str(Digest.of(body))
        stored = told.headers.get("Docker-Content-Digest", digest)
        if stored != digest:
            raise DigestMismatch(f"{question.subject}:{reference} was stored as {stored[:80]!r}, not as {digest}")

    async def _begin(self, blob: UploadBlob, mount: Repository | None) -> _Session | None:
        """Open an upload; None where the blob was mounted instead."""
        question = self._question(blob.repository, "blobs/uploads/", "POST", headers={"Content-Length": "0"})
        told: Told | None = None
        if mount is not None:
            told = await self._mounted(question, blob.digest, mount)
            if told is not None and told.status == 201:
                blob.advanced(blob.size)
                return None
        if told is None:
            told = await self._retry(lambda: self._session.tell(question, expect={202}))
        least = _MIN_CHUNK.match(told.headers.get("OCI-Chunk-Min-Length", ""))
        chunk = max(self._chunk_size, int(least[0]) if least else 0)
        return _Session(blob=blob, location=self._following(question, told), chunk=chunk)

    async def _mounted(self, question: Question, digest: Digest, mount: Repository) -> Told | None:
        """Ask for a mount: 201, or 202 and an upload; None where the registry has something against it."""
        other = f"repository:{mount}:pull"
        scope = question.scope if question.scope.startswith(other) else f"{question.scope} {other}"
        target = f"{question.location.target}?mount={digest}&from={mount}"
        asked = replaced(question, location=self._root.at(target), scope=scope)
        try:
            return await self._retry(lambda: self._session.tell(asked, expect={201, 202}))
        except Unavailable:
            raise
        except RegistryError:
            # It may be forbidden to read the other repository, or not be known: the blob is sent, then.
            return None

    async def _send(self, session: _Session) -> None:
        """Send what is missing, the last chunk with the digest that closes the upload."""
        blob = session.blob
        while blob.size - session.done > session.chunk:
            question = self._chunk(session, "PATCH", session.location, session.chunk)
            told = await self._session.tell(question, expect={202})
            before = session.done
            session.location = self._following(question, told)
            session.reached(_received(told, before + session.chunk, blob.size))
            if session.done <= before:
                raise ProtocolViolation(f"{question.subject}: the registry takes a chunk and keeps nothing of it")
        separator = "&" if session.location.query else "?"
        location = session.location.at(f"{session.location.target}{separator}digest={blob.digest}")
        question = self._chunk(session, "PUT", location, blob.size - session.done)
        question = replaced(question, answer_seconds=_COMMIT_SECONDS + blob.size / _COMMIT_RATE)
        await self._session.tell(question, expect={201})
        session.reached(blob.size)

    async def _resumed(self, session: _Session) -> _Session | None:
        """Where the registry stands after a failure, or another upload; None where it has the whole blob."""
        blob = session.blob
        if not session.lost and await self.has_blob(blob.repository, blob.digest):
            session.reached(blob.size)  # the answer was lost, and not the blob
            return None
        done = 0 if session.lost else await self._status(session)
        session.reached(done)
        if done:
            session.resumed = True
            return session
        return await self._begin(blob, None)

    async def _status(self, session: _Session) -> int:
        """How many bytes the registry has of an upload; 0 also where it has forgotten it, or does not say."""
        question = replaced(self._question(session.blob.repository, "", "GET"), location=session.location)
        try:
            told = await self._retry(lambda: self._session.tell(question, expect={200, 204}))
            session.location = self._following(question, told)
        except (NotInRegistry, ProtocolViolation):
            return 0
        done = _received(told, 0, session.blob.size)
        # "0-0" is what registries say of nothing, too.
        return done if done > 1 else 0

    def _chunk(self, session: _Session, method: str, location: Location, count: int) -> Question:
        blob, start = session.blob, session.done
        headers = {**_OCTETS, "Content-Length": str(count)}
        if 0 < count < blob.size:  # there is no range of nothing
            headers["Content-Range"] = f"{start}-{start + count - 1}"
        question = self._question(blob.repository, "", method, headers=headers)
        return replaced(
            question,
            location=location,
            body=lambda: blob.read(start, count),
            body_seconds=count / _MIN_RATE,
        )

    def _following(self, question: Question, told: Told) -> Location:
        """Where an upload goes on: absolute or relative. Another origin would get content and credential.

        The path is the registry's affair (distribution-spec "Pushing a blob in chunks"): Google has one outside /v2/.
        """
        location = question.location.join(told.headers.get("Location", ""))
        if location.origin != self._root.origin:
            raise ProtocolViolation(
                f"{question.subject}: the registry sends the upload to another place; refused. Where a proxy in front "
                "of it ends TLS, it must be told its own address"
            )
        return location

    def _question(
        self,
        repository: Repository,
        path: str,
        method: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Question:
        return Question(
            location=self._root.at(f"/v2/{repository}/{path}"),
            scope=f"repository:{repository}:pull,push",
            subject=f"{self._name}/{repository}",
            method=method,
            headers=headers or {},
            body=body,
            remedy=self._remedy,
        )


class _Reading:
    """Reads a blob and remembers why it could not: the HTTP client tells only that the request broke."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.error: Exception | None = None

    async def __call__(self, start: int, count: int) -> AsyncIterator[bytes]:
        try:
            async for piece in self._read(start, count):
                yield piece
        except Exception as error:
            self.error = error
            raise


class _Setbacks(Mutable):
    """What has gone wrong with one blob so far, and whether there is a way on."""

    in_a_row: int = 0
    """Without a byte more in the registry than at the one before."""
    done: int = 0
    begun_anew: bool = False

    @property
    def pause(self) -> float:
        """Seconds to wait now."""
        return float(_FIRST_PAUSE * 2 ** (self.in_a_row - 1))

    def judge(self, error: RegistryError, *, done: int, resumed: bool) -> bool:
        """Whether to begin anew, rather than to go on.

        Raises:
            RegistryError: neither would help.
        """
        self.in_a_row = 1 if done > self.done else self.in_a_row + 1
        self.done = done
        if isinstance(error, RateLimited) or self.in_a_row >= _TRIES:
            raise error
        if isinstance(error, Unavailable):
            return False
        # It has forgotten the upload, or has miscounted what came before the line broke: once, all of it again.
        lost = isinstance(error, NotInRegistry) or (resumed and isinstance(error, ProtocolViolation))
        if not lost or self.begun_anew:
            raise error
        self.begun_anew = True
        return True


def _received(told: Told, otherwise: int, size: int) -> int:
    """How many bytes the registry says that it has."""
    match = _RANGE.match(told.headers.get("Range", ""))
    return min(int(match[1]) + 1, size) if match else otherwise
