"""One blob from the registry into the store, continued where the line broke."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from receiver.errors import RateLimited, Unavailable
from receiver.oci.descriptor import Descriptor
from receiver.sync.ports import Blobs, Registry

T = TypeVar("T")

_WORTH_IT = 1024 * 1024
"""Bytes that a round of tries must bring for another one: a large layer comes through a line that breaks often."""


class Retry(Protocol):
    """Repeats what seconds may cure, a few times."""

    async def __call__(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run ``work`` until it succeeds or is given up; then its last error."""
        ...


async def fetch_blob(
    registry: Registry,
    blobs: Blobs,
    repository: str,
    descriptor: Descriptor,
    *,
    retry: Retry,
    advanced: Callable[[int], None],
) -> Path:
    """Fetch a blob that is not in the store yet; where it is now.

    ``advanced`` is told how many more bytes have arrived, and takes back (a negative count) what was lost.

    Raises:
        RegistryError, ContentError, InstallError: nothing of the blob is in the store.
    """
    counted = _Counted(advanced)
    async with blobs.ingest(descriptor) as ingest:

        async def once() -> Path:
            async with registry.blob(repository, descriptor, offset=ingest.received) as body:
                counted.back_to(body.start)
                return await ingest.take(body.start, counted.of(body.chunks))

        try:
            while True:
                before = ingest.received
                try:
                    return await retry(once)
                except Unavailable as error:
                    if isinstance(error, RateLimited) or ingest.received - before < _WORTH_IT:
                        raise
        except BaseException:
            counted.back_to(0)
            raise


class _Counted:
    """Reports chunks as they pass."""

    def __init__(self, advanced: Callable[[int], None]) -> None:
        self._advanced = advanced
        self._passed = 0

    async def of(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self._passed += len(chunk)
            self._advanced(len(chunk))
            yield chunk

    def back_to(self, position: int) -> None:
        if self._passed != position:
            self._advanced(position - self._passed)
            self._passed = position
