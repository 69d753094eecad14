"""The API of a real ``addon-sync serve``: its credentials where operators put them, and a stream across a restart."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.addons import artifact, push_addon
from tests.support.docker_registry import free_port
from tests.support.fake_registry import FakeRegistry
from tests.support.system import TOKEN, Host, Serving, wait_for

API = "a-token-of-the-api"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        push_addon(registry.url, "monitoring", artifact(tmp_path, addon="monitoring", version="v1.0.0"))
        yield registry


@pytest.fixture
def host(registry: FakeRegistry, tmp_path: Path) -> Host:
    return Host(tmp_path / "host", registry.url)


def host_token(host: Host) -> str:
    """As a person may read it who may read the state folder."""
    token: str = json.loads((host.state / "engine.json").read_text())["token"]
    return token


def ask(serving: Serving, method: str, path: str, token: str, body: object = None, **headers: str) -> tuple[int, Any]:
    """Status and document."""
    where = urlsplit(serving.url)
    connection = http.client.HTTPConnection("127.0.0.1", where.port, timeout=40)
    sent = {"Authorization": f"Bearer {token}", **headers}
    if body is not None:
        sent["Content-Type"] = "application/json"
    connection.request(method, path, body=None if body is None else json.dumps(body), headers=sent)
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())
    connection.close()
    return answer


@contextmanager
def stream(serving: Serving, token: str, last: int) -> Iterator[Iterator[dict[str, Any]]]:
    """Entries behind the number ``last``, as they come."""
    where = urlsplit(serving.url)
    connection = http.client.HTTPConnection("127.0.0.1", where.port, timeout=20)
    headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": str(last)}
    connection.request("GET", "/v1/stream", headers=headers)
    response = connection.getresponse()
    assert response.status == 200

    def entries() -> Iterator[dict[str, Any]]:
        for line in response:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])

    try:
        yield entries()
    finally:
        response.close()
        connection.close()


def test_a_sync_is_asked_for_followed_and_found_in_the_journal(host: Host) -> None:
    """With the credential of the host; that of senders opens nothing."""
    with host.serve() as serving:
        token = host_token(host)
        assert ask(serving, "GET", "/v1/addons", TOKEN)[0] == 401
        status, job = ask(serving, "POST", "/v1/sync?wait=30s", token, {"addons": ["monitoring"]})
        assert (status, job["state"], job["result"]["summary"]["synced"]) == (200, "done", 1)
        (row,) = ask(serving, "GET", "/v1/addons", token)[1]["addons"]
        assert (row, row["standing"]) == (host.json("status", "--offline")[0], "current")
        page = ask(serving, "GET", "/v1/events?kind=sync&addon=monitoring", token)[1]
        assert [entry["detail"]["trigger"] for entry in page["events"]] == ["command"]
        assert ask(serving, "POST", "/v1/hold", token, {"addon": "monitoring"})[0] == 200
        assert ask(serving, "GET", "/v1/addons/monitoring", token)[1]["status"]["standing"] == "held"
        assert serving.stop() == 0


def test_a_stream_goes_on_behind_the_last_entry_after_a_crash(host: Host) -> None:
    """What happened before, and what happens after, without a gap: the numbers of entries outlive the process."""
    with host.serve(port=free_port()) as serving:
        token = host_token(host)
        ask(serving, "POST", "/v1/sync?wait=30s", token, {"addons": ["monitoring"]})
        with stream(serving, token, -1) as entries:
            first = next(entries)
            assert first["kind"] == "sync"
            ask(serving, "POST", "/v1/hold", token, {"addon": "monitoring"})
            assert next(entries)["kind"] == "operation"
        serving.kill()
    with host.serve() as serving:
        token = host_token(host)
        with stream(serving, token, first["id"]) as entries:
            assert next(entries)["detail"]["action"] == "held"
            ask(serving, "POST", "/v1/release", token, {"addon": "monitoring"})
            assert next(entries)["detail"]["action"] == "released"
            began = time.monotonic()
            assert serving.stop() == 0
            assert time.monotonic() - began < 8, "an open stream is not waited for"


def test_beyond_loopback_it_is_there_with_a_token_of_its_own_only(host: Host, tmp_path: Path) -> None:
    """The token comes from a file, which may be exchanged while it runs."""
    file = tmp_path / "api-token"
    file.write_text(API + "\n")
    with host.serve(ADDON_SYNC_LISTEN="0.0.0.0:0") as serving:
        found = [ask(serving, "GET", "/v1/addons", token)[0] for token in (API, host_token(host), TOKEN)]
        assert found == [404, 404, 404]
        assert serving.stop() == 0
    with host.serve(ADDON_SYNC_LISTEN="0.0.0.0:0", ADDON_SYNC_API_TOKEN_FILE=str(file)) as serving:
        found = [ask(serving, "GET", "/v1/addons", token)[0] for token in (API, host_token(host), TOKEN)]
        assert found == [200, 401, 401]
        file.write_text("another-token\n")
        wait_for("the other token opens", lambda: ask(serving, "GET", "/v1/addons", "another-token")[0] == 200)
        assert ask(serving, "GET", "/v1/addons", API)[0] == 401
        assert not [line for line in serving.lines if API in line or "another-token" in line]


def test_one_word_for_senders_and_for_the_api_is_refused_at_the_start(host: Host) -> None:
    """Every registry that sends would be an operator."""
    host.settings |= {"ADDON_SYNC_TOKEN": API, "ADDON_SYNC_API_TOKEN": f"x,{API}"}
    done = host.run("serve")
    assert done.returncode == 2
    assert "ADDON_SYNC_API_TOKEN and ADDON_SYNC_TOKEN share a token" in done.stdout + done.stderr
    assert API not in done.stdout + done.stderr
