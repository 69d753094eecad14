"""Health, readiness and metrics as endpoints, called without a socket."""

import json

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from receiver.errors import QueueUnavailable
from receiver.metrics import Metrics
from receiver.server.status import MetricsEndpoint, StatusEndpoint
from receiver.tasks.task import State, Task, Trigger
from tests.support.endpoint import RememberingQueue


def body(response: web.StreamResponse) -> bytes:
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    return response.body


@pytest.mark.parametrize(
    ("reasons", "status", "word"), [((), 200, "ok"), (("recovery is running", "the disk is full"), 503, "unavailable")]
)
async def test_reasons_make_it_unavailable(reasons: tuple[str, ...], status: int, word: str) -> None:
    """Who reads it learns why, not only that."""
    response = await StatusEndpoint(lambda: reasons)(make_mocked_request("GET", "/readyz"))
    assert response.status == status
    assert json.loads(body(response)) == {"status": word, "reasons": list(reasons)}


async def test_metrics_count_the_queue_at_this_moment() -> None:
    """A gauge that is only set now and then would lie between."""
    queue = RememberingQueue(
        waiting=[Task(repository="addons/a", state=State.PARKED, trigger=Trigger.EVENT, due=0, created=0)]
    )
    endpoint = MetricsEndpoint(metrics=Metrics(), queue=queue.as_queue())
    request = make_mocked_request("GET", "/metrics")
    assert b'addon_sync_queue_tasks{state="parked"} 1.0' in body(await endpoint(request))
    queue.broken = QueueUnavailable("locked")
    response = await endpoint(request)
    assert response.status == 200
    assert b"addon_sync_queue_tasks{" not in body(response)
    assert b"addon_sync_queue_age_seconds NaN" in body(response)


@pytest.mark.parametrize(
    ("waiting", "age"),
    [
        ([], 0),
        ([(State.QUEUED, 90.0), (State.QUEUED, 60.0)], 40),
        ([(State.QUEUED, 100.0)], 0),
        ([(State.QUEUED, 170.0)], 0),  # a retry, whose time has not come
        ([(State.PARKED, 10.0), (State.LEASED, 20.0), (State.QUEUED, 95.0)], 5),
    ],
)
async def test_the_age_is_that_of_what_is_due_and_waits(waiting: list[tuple[State, float]], age: float) -> None:
    """What runs, is parked, or is to be tried later does not wait."""
    tasks = [
        Task(repository=f"addons/{number}", state=state, trigger=Trigger.EVENT, due=due, created=0)
        for number, (state, due) in enumerate(waiting)
    ]
    queue = RememberingQueue(waiting=tasks).as_queue()
    endpoint = MetricsEndpoint(metrics=Metrics(), queue=queue, clock=lambda: 100.0)
    shown = body(await endpoint(make_mocked_request("GET", "/metrics"))).decode().splitlines()
    assert f"addon_sync_queue_age_seconds {float(age)}" in shown
