"""One blob on its way in: what has arrived, and whether it is what was promised. Where it lies, ``blobs`` knows."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Protocol

from receiver.errors import DigestMismatch, RegistryError, SizeMismatch
from receiver.oci.descriptor import Descriptor


class Incoming(Protocol):
    """Where bytes are until they are a blob."""

    async def open(self) -> None:
        """Be ready for bytes; once is enough."""
        ...

    async def write(self, chunk: bytes) -> None:
        """Add bytes."""
        ...

    def hexdigest(self) -> str:
        """The SHA-256 of all of them."""
        ...

    async def publish(self, final: Path, size: int) -> None:
        """Make them durable under their final name."""
        ...

    async def discard(self) -> None:
        """Remove them."""
        ...


class Ingest:
    """One blob on its way in; fulfils `receiver.sync.ports.Ingest`."""

    def __init__(
        self,
        descriptor: Descriptor,
        final: Path,
        *,
        fresh: Callable[[Descriptor], Incoming],
        discard: Callable[[Incoming], Awaitable[None]],
    ) -> None:
        self.received = 0
        self._descriptor = descriptor
        self._final = final
        self._fresh = fresh
        self._discard = discard
        self._incoming: Incoming | None = None

    async def take(self, start: int, chunks: AsyncIterator[bytes]) -> Path:
        """Write ``chunks``, which begin at ``start``: where the last ones ended, or at zero, which drops those.

        Raises:
            SizeMismatch: more or fewer bytes; nothing is read after the first byte too many, nothing is kept.
            DigestMismatch: other bytes; nothing is kept.
            InstallError: the disk refused; nothing is kept.
            RegistryError: of ``chunks``; what has arrived is kept for the next call.
        """
        if start != self.received:
            await self.drop()
        assert start == self.received, "the bytes in between are nowhere"
        try:
            incoming = self._incoming = self._incoming or self._fresh(self._descriptor)
            await self._write(incoming, chunks)
            await incoming.publish(self._final, self._descriptor.size)
        except RegistryError:
            raise
        except BaseException:
            # Also where the digest is wrong: a part that somebody has poisoned must not meet the rest again.
            await self.drop()
            raise
        self._incoming = None
        return self._final

    async def drop(self) -> None:
        """Remove what has arrived."""
        incoming, self._incoming, self.received = self._incoming, None, 0
        if incoming is not None:
            await self._discard(incoming)

    async def _write(self, incoming: Incoming, chunks: AsyncIterator[bytes]) -> None:
        """Write no byte more or fewer than promised: size before hash (image-spec descriptor.md)."""
        size = self._descriptor.size
        await incoming.open()
        async for chunk in chunks:
            if self.received + len(chunk) > size:
                raise SizeMismatch(f"{self._descriptor.digest}: more than the {size} bytes of its descriptor")
            await incoming.write(chunk)
            self.received += len(chunk)
        if self.received != size:
            raise SizeMismatch(f"{self._descriptor.digest}: {self.received} bytes, {size} in its descriptor")
        check_hash(self._descriptor, incoming.hexdigest())


class InMemory:
    """The bytes of a small blob; ``store`` writes them."""

    def __init__(self, store: Callable[[Path, bytes | bytearray], None]) -> None:
        self._store = store
        self._content = bytearray()

    async def open(self) -> None:
        """Nothing to do."""

    async def write(self, chunk: bytes) -> None:
        """Add bytes."""
        self._content += chunk

    def hexdigest(self) -> str:
        """The SHA-256 of all of them."""
        return hashlib.sha256(self._content).hexdigest()

    async def publish(self, final: Path, size: int) -> None:
        """Write them in one go."""
        del size
        await asyncio.to_thread(self._store, final, self._content)

    async def discard(self) -> None:
        """Nothing is anywhere."""


def check_hash(descriptor: Descriptor, actual: str) -> None:
    """Compare a SHA-256 in hexadecimal with what was promised.

    Raises:
        DigestMismatch: it is another.
    """
    if actual != descriptor.digest.hex:
        raise DigestMismatch(f"{descriptor.digest}: the bytes hash to sha256:{actual}")
