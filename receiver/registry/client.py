"""The pull client: catalogue, tags, manifests and blobs of one registry (distribution-spec, "Pull").

Fulfils `receiver.sync.ports.Registry`. Documents are asked for up to three times; a blob only once, since what already
went to its reader cannot be taken back: `receiver.sync.fetch` asks for the rest.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from typing import Self

from receiver.document import Document, InvalidDocument, decode, replaced
from receiver.errors import DigestMismatch, ProtocolViolation, SizeMismatch, UnsupportedContent
from receiver.http_client import aiohttp
from receiver.oci import media
from receiver.oci.descriptor import Descriptor
from receiver.oci.digest import Digest
from receiver.oci.manifest import MAX_DOCUMENT_SIZE
from receiver.oci.reference import ADDRESS_SETTING, RegistryAddress, Repository, Tag
from receiver.registry.auth import CredentialSource
from receiver.registry.location import Location, Origin
from receiver.registry.pace import Pace
from receiver.registry.pages import MAX_PAGE_SIZE, PAGE_LENGTH, Listing
from receiver.registry.proxy import Proxy
from receiver.registry.ranges import continues
from receiver.registry.retry import BriefRetry
from receiver.registry.session import Question, RegistrySession, read_document
from receiver.registry.stream import chunks
from receiver.registry.transport import Asked, TlsFiles, Transport, translated
from receiver.registry.upload import CHUNK_SIZE, RegistryUploads
from receiver.sync.ports import BlobBody, ManifestBody

_ACCEPT = ", ".join((media.OCI_MANIFEST, media.OCI_INDEX, media.DOCKER_MANIFEST, media.DOCKER_LIST))
_CATALOGUE_SCOPE = "registry:catalog:*"
_CATALOGUE_REMEDY = "where the registry has no catalogue, name the repositories in ADDON_SYNC_REPOSITORIES"


class _Catalogue(Document, frozen=True):
    repositories: list[str] | None = None


class _Tags(Document, frozen=True):
    tags: list[str] | None = None


class RegistryClient:
    """One registry. Nothing is opened before the first question; ``async with`` or `close` ends it."""

    def __init__(
        self,
        address: RegistryAddress,
        *,
        credentials: CredentialSource | None = None,
        token_services: Collection[Origin] = (),
        tls: TlsFiles | None = None,
        proxy: Proxy | None = None,
        request_rate: float = 0.0,
        asked: Asked | None = None,
        user_agent: str,
        named: str = ADDRESS_SETTING,
        max_document_size: int = MAX_DOCUMENT_SIZE,
        retry: BriefRetry | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``named``: where ``address`` comes from, for messages about a registry that is not reached."""
        self._root = Location.of(address)
        self._name = address.authority
        self._named = named
        self._clock = clock
        self._max_document_size = max_document_size
        self._retry = retry or BriefRetry()
        self._transport = Transport(
            self._root.origin,
            tls=tls,
            proxy=proxy,
            pace=Pace(request_rate),
            asked=asked,
            user_agent=user_agent,
            named=named,
        )
        self._session = RegistrySession(
            self._root, self._transport, credentials=credentials, token_services=token_services, clock=clock
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def ping(self) -> None:
        """Ask whether there is a registry that lets us in (distribution-spec "Determining support").

        Raises:
            RegistryError: there is not, by what cures it.
        """
        question = Question(location=self._root.at("/v2/"), scope="", subject=self._name)

        async def once() -> None:
            async with self._session.ask(question):
                return

        await self._retry(once)

    def uploads(self, *, chunk_size: int = CHUNK_SIZE) -> RegistryUploads:
        """The push side, over the same connections and with the same credentials; ``chunk_size`` in bytes."""
        return RegistryUploads(
            self._root,
            self._session,
            retry=self._retry,
            name=self._name,
            remedy=f"check {self._named}, and that the account may push there",
            chunk_size=chunk_size,
        )

    async def repositories(self) -> Sequence[str]:
        """Every repository name in the registry's catalogue, unjudged.

        Raises:
            RegistryError: by what cures it; ProtocolViolation also for pages without end.
        """
        return await self._list(
            Question(
                location=self._root.at(f"/v2/_catalog?n={PAGE_LENGTH}"),
                scope=_CATALOGUE_SCOPE,
                subject=f"{self._name}, catalogue",
                remedy=_CATALOGUE_REMEDY,
            ),
            lambda body: decode(body, _Catalogue).repositories,
        )

    async def tags(self, repository: str) -> Sequence[str]:
        """Every tag of ``repository``, unjudged.

        Raises:
            InvalidNameError: no repository name; nothing was sent.
            RegistryError: by what cures it; NotInRegistry where there is no such repository.
        """
        return await self._list(
            self._question(repository, f"tags/list?n={PAGE_LENGTH}"), lambda body: decode(body, _Tags).tags
        )

    async def resolve(self, repository: str, tag: str) -> Digest:
        """The digest that ``tag`` points at now, as the registry says it: `manifest` verifies it.

        Raises:
            InvalidNameError: no repository name or no tag; nothing was sent.
            RegistryError: by what cures it.
            DigestMismatch: the registry contradicts its own manifest.
        """
        path = f"manifests/{Tag.parse(tag)}"
        headers = await self._retry(
            lambda: self._session.probe(self._question(repository, path, method="HEAD", accept=_ACCEPT))
        )
        said = None if headers is None else _digest(headers.get("Docker-Content-Digest"))
        if said is not None:
            return said
        return (await self._manifest(repository, path, None)).digest

    async def manifest(self, repository: str, digest: Digest) -> ManifestBody:
        """The manifest or index with ``digest``.

        Raises:
            InvalidNameError: no repository name; nothing was sent.
            RegistryError: by what cures it.
            DigestMismatch: the bytes are others.
        """
        return await self._manifest(repository, f"manifests/{digest}", digest)

    def blob(
        self, repository: str, descriptor: Descriptor, *, offset: int = 0
    ) -> AbstractAsyncContextManager[BlobBody]:
        """Stream a blob in chunks of at most 1 MiB; at most one byte too many is handed on. Not verified here.

        It begins at ``offset`` where the registry answers a range as it should, else at zero.

        Raises:
            InvalidNameError, UnsupportedContent: no repository name, or a foreign layer; nothing was sent.
            RegistryError: by what cures it, also between two chunks.
            SizeMismatch: the registry announces another size; nothing was read.
        """
        if descriptor.foreign:
            raise UnsupportedContent(f"{descriptor.digest} is a foreign layer (it names urls); it is never fetched")
        return self._blob(self._question(repository, f"blobs/{descriptor.digest}"), descriptor, offset)

    @asynccontextmanager
    async def _blob(self, question: Question, descriptor: Descriptor, offset: int) -> AsyncIterator[BlobBody]:
        async with AsyncExitStack() as stack:
            response = await stack.enter_async_context(self._session.ask(replaced(question, offset=offset)))
            start = offset if _continues(response, offset, descriptor.size) else 0
            if start == 0 and response.status != 200:
                await stack.aclose()  # a part that nobody asked for, or none: the whole, then
                response = await stack.enter_async_context(self._session.ask(question))
            length = response.content_length
            if start == 0 and length is not None and length != descriptor.size:
                raise SizeMismatch(f"{question.subject}: {length} bytes announced, {descriptor.size} expected")
            yield BlobBody(
                start=start,
                chunks=await stack.enter_async_context(
                    aclosing(chunks(self._reader(response), limit=descriptor.size - start + 1, clock=self._clock))
                ),
            )

    def _reader(self, response: aiohttp.ClientResponse) -> Callable[[], Awaitable[bytes]]:
        async def read() -> bytes:
            with translated(self._root.origin):
                return await response.content.readany()

        return read

    async def _manifest(self, repository: str, path: str, digest: Digest | None) -> ManifestBody:
        question = self._question(repository, path, accept=_ACCEPT)

        async def once() -> ManifestBody:
            async with self._session.ask(question) as response:
                body = await read_document(
                    response,
                    self._root.origin,
                    limit=self._max_document_size,
                    subject=question.subject,
                    setting="ADDON_SYNC_MAX_DOCUMENT_SIZE",
                )
                return _verified(body, response, digest, question.subject)

        return await self._retry(once)

    async def _list(self, question: Question, items: Callable[[bytes], list[str] | None]) -> Sequence[str]:
        listing = Listing(question.location)
        following: Location | None = question.location
        while following is not None:
            body, link = await self._page(replaced(question, location=following))
            try:
                found = items(body)
            except InvalidDocument as error:
                raise ProtocolViolation(f"{question.subject}: not a listing") from error
            following = listing.add(found or (), link)
        return listing.items

    async def _page(self, question: Question) -> tuple[bytes, str | None]:
        async def once() -> tuple[bytes, str | None]:
            async with self._session.ask(question) as response:
                body = await read_document(response, self._root.origin, limit=MAX_PAGE_SIZE, subject=question.subject)
                return body, ", ".join(response.headers.getall("Link", ())) or None

        return await self._retry(once)

    def _question(self, repository: str, path: str, *, method: str = "GET", accept: str = "*/*") -> Question:
        name = Repository.parse(repository)
        return Question(
            location=self._root.at(f"/v2/{name}/{path}"),
            scope=f"repository:{name}:pull",
            subject=f"{self._name}, repository {name}",
            method=method,
            accept=accept,
        )


def _continues(response: aiohttp.ClientResponse, offset: int, size: int) -> bool:
    content_range = response.headers.get("Content-Range")
    return continues(
        response.status, content_range=content_range, length=response.content_length, offset=offset, size=size
    )


def _digest(header: str | None) -> Digest | None:
    """A digest that a header names; one of another kind says nothing to us."""
    try:
        return None if header is None else Digest.parse(header)
    except UnsupportedContent:
        return None


def _verified(body: bytes, response: aiohttp.ClientResponse, digest: Digest | None, subject: str) -> ManifestBody:
    """The bytes must hash to what we asked for; without that, to what the registry says of them, if it does."""
    actual = Digest.of(body)
    expected = digest or _digest(response.headers.get("Docker-Content-Digest")) or actual
    if actual != expected:
        raise DigestMismatch(f"{subject}: the manifest hashes to {actual}, expected {expected}")
    # distribution-spec "Pulling manifests": parameters of the type are ignored.
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
    return ManifestBody(digest=actual, media_type=media_type, body=body)
