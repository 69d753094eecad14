"""One blob from the registry into the store, repeated as a whole where the line breaks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from receiver.oci.descriptor import Descriptor
from receiver.sync.ports import Blobs, Registry

T = TypeVar("T")


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

    ``advanced`` is told how many more bytes have arrived, and takes them back (a negative count) before a repetition.

    Raises:
        RegistryError, ContentError, InstallError: nothing of the blob is in the store.
    """

    async def once() -> Path:
        counted = _Counted(advanced)
        try:
            async with registry.blob(repository, descriptor) as chunks:
                return await blobs.ingest(descriptor, counted.of(chunks))
        except BaseException:
            counted.take_back()
            raise

    return await retry(once)


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

    def take_back(self) -> None:
        if self._passed:
            self._advanced(-self._passed)
