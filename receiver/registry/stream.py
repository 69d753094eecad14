"""A body in large chunks, bounded in size and in patience.

Large chunks, because each one costs two ways to a thread and back (disk, hash).
"""

from collections.abc import AsyncGenerator, Awaitable, Callable

from receiver.errors import RegistryError, Unavailable

MIN_CHUNK = 256 * 1024
"""Bytes that are gathered before a chunk is handed on, the last one excepted."""
READ_BUFFER = 256 * 1024
"""Bytes; aiohttp buffers twice this and one read of the socket (256 KiB), so that a chunk stays below 1 MiB."""
GRACE = 30.0
"""Seconds that a body may take before its rate is judged."""
MIN_RATE = 4096.0
"""Bytes a second, on average: a slow line passes, a drip that holds a worker for ever does not (hazards J14)."""


DEADLINE = 3600.0
"""Seconds that one body may take on the whole: the largest layer (256 MiB) then comes at 75 kB a second. What has
arrived is not lost, the next try asks for the rest."""


class Patience:
    """Adds up the time spent waiting for the other side, and ends it below the minimum rate or after the deadline.

    Only waiting counts: a slow disk of ours is not the registry's fault.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waited = 0.0
        self._received = 0

    async def read(self, read: Callable[[], Awaitable[bytes]]) -> bytes:
        """One read.

        Raises:
            Unavailable: too slow on the whole, or too long.
        """
        before = self._clock()
        part = await read()
        self._waited += self._clock() - before
        self._received += len(part)
        if part and self._waited > GRACE and self._received < MIN_RATE * self._waited:
            raise Unavailable(f"the registry sends less than {MIN_RATE:.0f} bytes a second; given up")
        if part and self._waited > DEADLINE:
            raise Unavailable(f"the registry has not sent the whole in {DEADLINE:.0f} seconds; given up")
        return part


async def chunks(
    read: Callable[[], Awaitable[bytes]], *, limit: int, clock: Callable[[], float]
) -> AsyncGenerator[bytes, None]:
    """Yield what ``read`` gives until its empty end, gathered into large chunks, and never more than ``limit`` bytes.

    Raises:
        RegistryError: cut off or too slow; what had arrived by then was yielded.
    """
    patience = Patience(clock)
    gathered: list[bytes] = []
    size = 0
    try:
        while limit > 0 and (part := await patience.read(read)):
            part = part[:limit]
            limit -= len(part)
            gathered.append(part)
            size += len(part)
            if size >= MIN_CHUNK:
                yield b"".join(gathered)
                gathered, size = [], 0
    except RegistryError:
        if gathered:
            yield b"".join(gathered)
        raise
    if gathered:
        yield b"".join(gathered)
