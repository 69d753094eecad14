"""``/healthz``, ``/readyz`` and ``/metrics``: how we are, for machines. Open to everybody who can reach the address."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from aiohttp import web

from receiver.errors import QueueUnavailable
from receiver.metrics import Metrics
from receiver.server.answers import answer, json_answer
from receiver.tasks.queue import TaskQueue
from receiver.tasks.task import State, Task

Reasons = Callable[[], Sequence[str]]
"""Why not, in words for people; nothing where all is well. Must not block."""


class StatusEndpoint:
    """200 where ``reasons`` has none, else 503 with them."""

    def __init__(self, reasons: Reasons) -> None:
        self._reasons = reasons

    async def __call__(self, _: web.BaseRequest) -> web.StreamResponse:
        """Answer from what is known now; nothing is asked or awaited, so that the answer is quick."""
        reasons = list(self._reasons())
        status, word = (503, "unavailable") if reasons else (200, "ok")
        return json_answer({"status": word, "reasons": reasons}, status=status)


class MetricsEndpoint:
    """The metrics, with the queue counted at this moment."""

    def __init__(self, *, metrics: Metrics, queue: TaskQueue, clock: Callable[[], float] = time.time) -> None:
        self._metrics = metrics
        self._queue = queue
        self._clock = clock

    async def __call__(self, _: web.BaseRequest) -> web.StreamResponse:
        """Answer in the text format; a queue that cannot tell takes only its own numbers away."""
        try:
            tasks = await self._queue.tasks()
        except QueueUnavailable:
            self._metrics.queue(None)
        else:
            self._metrics.queue(Counter(task.state for task in tasks), age=_age(tasks, self._clock()))
        body, content_type = self._metrics.render()
        return answer(body, headers={"Content-Type": content_type})


def _age(tasks: Iterable[Task], now: float) -> float:
    """Seconds that the oldest due task has waited; a task that is to be tried later does not wait yet."""
    return max((now - task.due for task in tasks if task.state is State.QUEUED and task.due <= now), default=0.0)
