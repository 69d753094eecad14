"""Work that is brought to its end although its caller is cancelled, and whose result is not lost then."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Await ``work`` to its end. Who is cancelled meanwhile, however often, gets the result all the same.

    The cancellation is not lost: it strikes where the caller waits next. Up to there, it can tell what was done.
    """
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    caller = asyncio.current_task()
    if cancelled and caller is not None:
        # One back and one anew: who counts the cancellations (asyncio.timeout) finds as many as there were.
        caller.uncancel()
        caller.cancel()
    return task.result()
