"""The OpenAPI document against a real receiver: all that it says is so, and what it does not say is not taken."""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)

from receiver.metrics import Metrics
from receiver.server.api.openapi import openapi
from receiver.server.app import Door, HttpServer, desk, routes
from tests.support.addons import artifact, push_addon
from tests.support.fake_registry import FakeRegistry
from tests.support.notifications import envelope, event
from tests.support.sync_fakes import World
from tests.support.system import Host, Serving, wait_for

Case = schemathesis.Case[Any]
Operation = APIOperation[Any, Any, Any, Any]
EXAMPLES = 8
"""Of each operation, right and wrong ones each."""
NOT_FUZZED = {"/v1/stream"}
"""It does not end; tests/integration/test_api_stream.py reads it."""


@dataclass
class Receiver:
    """A running receiver with an addon in it, and its document."""

    serving: Serving
    token: str
    document: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    folder: Path = tmp_path_factory.mktemp("api")
    with FakeRegistry() as registry:
        push_addon(registry.url, "monitoring", artifact(folder, addon="monitoring", version="v1.0.0"))
        host = Host(folder / "host", registry.url)
        with host.serve() as serving:
            target = {"repository": "addons/monitoring", "tag": "v1.0.0"}
            assert serving.post(envelope(event(target=target)))[0] == 202
            wait_for("the addon is installed", lambda: host.digest("monitoring"))
            token = json.loads((host.state / "engine.json").read_text())["token"]
            request = urllib.request.Request(
                f"{serving.url}/v1/openapi.json", headers={"Authorization": f"Bearer {token}"}
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                yield Receiver(serving, token, json.loads(answer.read()))
            assert not [line for line in serving.lines if "Fault" in line]
            assert serving.stop() == 0


def operations(receiver: Receiver) -> Iterator[Operation]:
    """All that end by themselves."""
    for found in schemathesis.openapi.from_dict(receiver.document).get_all_operations():
        assert isinstance(found, Ok), found
        if found.ok().path not in NOT_FUZZED:
            yield found.ok()


def fuzz(operation: Operation, mode: GenerationMode, check: Callable[[Case], None], *, examples: int) -> None:
    """Call ``check`` with so many requests that are all right, or each wrong in something."""
    cases = operation.as_strategy(generation_mode=mode)
    few = settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    few(given(case=cases)(check))()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_answers_are_those_of_the_document(receiver: Receiver, mode: GenerationMode) -> None:
    """Whatever is asked, rightly or wrongly: statuses, bodies, headers; what is wrong is refused, what is right is not.

    The addons, entries and jobs that are asked for mostly do not exist, so that nothing is done to the one there is.
    """

    def check(case: Case) -> None:
        # That a replay must name something is a rule that its schema cannot say.
        excluded: list[CheckFunction] = [positive_data_acceptance] if case.operation.path == "/v1/replay" else []
        case.call_and_validate(
            base_url=receiver.serving.url, headers=receiver.headers, excluded_checks=excluded, timeout=20
        )

    for operation in operations(receiver):
        fuzz(operation, mode, check, examples=EXAMPLES)


def test_without_the_credential_every_operation_is_refused_as_the_document_says(receiver: Receiver) -> None:
    """Before anything of the request is looked at."""

    def check(case: Case) -> None:
        response = case.call(base_url=receiver.serving.url, timeout=20)
        assert response.status_code == 401
        case.validate_response(response, checks=[status_code_conformance, response_schema_conformance])

    for operation in operations(receiver):
        fuzz(operation, GenerationMode.NEGATIVE, check, examples=2)


def test_every_path_is_documented_and_every_documented_path_is_there() -> None:
    """The document is made from the table that the routes are made from; both are complete."""
    world = World()
    door = Door(
        queue=world.queue,
        journal=world.queue,
        metrics=Metrics(),
        tokens=None,
        ready=lambda: (),
        commands=world.engine,
        control_token="x",
        views=world.views,
        is_local=True,
    )
    there = HttpServer(door)._api
    assert there is not None
    routed = {(path, method) for path, methods in there.routes().items() for method in methods}
    paths = openapi(there.endpoints)["paths"]
    documented = {(path.split("{")[0], method.upper()) for path, methods in paths.items() for method in methods}
    assert documented == routed
    wanted = {
        "/v1/addons", "/v1/addons/", "/v1/events", "/v1/events/", "/v1/tasks", "/v1/parked", "/v1/parked/retry",
        "/v1/parked/discard", "/v1/replay", "/v1/sync", "/v1/jobs/", "/v1/hold", "/v1/release", "/v1/rollback",
        "/v1/missed", "/v1/stream", "/v1/openapi.json",
    }  # fmt: skip
    assert {path for path, _ in routed} == wanted
    assert set(routes(door, desk(door))) == {
        "/v1/notifications",
        "/v1/notifications/",
        "/healthz",
        "/readyz",
        "/metrics",
    }


def test_each_name_and_each_reference_of_the_document_is_one(receiver: Receiver) -> None:
    """Programs are made from it."""
    text = json.dumps(receiver.document)
    operations = [each for methods in receiver.document["paths"].values() for each in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    schemas = receiver.document["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/(\w+)"', text)) == set(schemas)
    assert "since the epoch" not in text, "times are texts here"
