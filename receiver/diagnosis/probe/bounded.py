"""A deadline for work that blocks: a network drive or a resolver may take minutes, and no thread can be stopped."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def within(seconds: float, work: Callable[[], T]) -> T:
    """What ``work`` gives, from a thread of its own that does not keep the program from ending.

    Raises:
        TimeoutError: it took longer; its thread is left behind.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)  # type: ignore[arg-type]  # of T, where there is no error
        else:
            future.set_exception(error)

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="addon-sync-probe", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await future
