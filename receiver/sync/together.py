"""Several coroutines at once, whose failure is one error of ours."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from receiver.errors import ReceiverError

T = TypeVar("T")


async def all_or_none(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """What each comes to; where one raises, the others are ended.

    Raises:
        ReceiverError: the first of theirs: one is enough to report, what fails together mostly fails alike.
        ExceptionGroup: one of them raised something else.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    # Not `except*`: up to Python 3.11.3, which Debian 12 has, it wraps what is raised in it into a group again.
    except BaseExceptionGroup as failed:
        ours = [error for error in failed.exceptions if isinstance(error, ReceiverError)]
        if len(ours) < len(failed.exceptions):
            raise
        raise ours[0] from failed
    return [task.result() for task in tasks]
