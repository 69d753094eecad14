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
