"""Notifications made durable and answered, a second, beside a bare aiohttp handler that only parses the same body."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.measure import Report, Row, peak_mebibytes, side_by_side
from tests.support.docker_registry import free_port
from tests.support.notifications import recorded
from tests.support.system import TOKEN, Host, wait_for

_SECONDS = 5
_BARE = """
import asyncio, json, sys
from aiohttp import web

async def handle(request):
    json.loads(await request.read())
    return web.Response(status=202, body=b'{"accepted": 1}', content_type="application/json")

async def main():
    app = web.Application()
    app.router.add_post("/v1/notifications", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(sys.argv[1])).start()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
# Every request has an id that was never sent: duplicates would be cheaper. 14 addons, as the product has.
_LUA = """
local body = %s
local count = 0
request = function()
  count = count + 1
  local id = string.format("%%08x-%s-4000-8000-%%012x", count %% 4294967296, count)
  local fresh = body:gsub("EVENT%%-ID", id):gsub("ADDON", "addon-" .. (count %% 14))
  return wrk.format("POST", "/v1/notifications", {
    ["Content-Type"] = "application/vnd.docker.distribution.events.v2+json",
    ["Authorization"] = "Bearer %s"}, fresh)
end
"""


def intake(root: Path, report: Report, rounds: int = 3) -> None:
    """16 connections, distinct ids."""
    require_wrk()
    delivery = fresh_deliveries()
    # A registry that refuses connections: the syncs that follow from the events cost almost nothing.
    host = Host(root / "intake", f"http://127.0.0.1:{free_port()}")
    with host.serve() as serving:
        bare_port = free_port()
        bare = subprocess.Popen([sys.executable, "-c", _BARE, str(bare_port)], stdout=subprocess.PIPE, text=True)
        try:
            assert bare.stdout is not None
            wait_for("the bare handler", lambda: bare.stdout and bare.stdout.readline())

            def ours(number: int) -> float:
                return rate(root, delivery, f"a{number:03x}", serving.url)

            def theirs(number: int) -> float:
                return rate(root, delivery, f"b{number:03x}", f"http://127.0.0.1:{bare_port}")

            mine, other = side_by_side(rounds, ours, theirs)
        finally:
            bare.kill()
            bare.communicate()
        report.remember("notifications", peak_mebibytes(serving.pid))
    row = Row(
        "notifications made durable and answered, 16 connections", "5,000/s", mine, unit="/s", reached=mine >= 5000
    )
    report.rows.append(row)
    report.rows.append(
        Row(
            "… beside a bare aiohttp handler that only parses",
            "1/2 (more is better)",
            mine,
            other,
            unit="/s",
            reached=mine >= other / 2,
        )
    )


def require_wrk() -> None:
    """Say what is missing."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt-get install wrk")


def fresh_deliveries() -> str:
    """A recorded delivery, with marks where each request has its own identifier and addon."""
    delivery = recorded("distribution-3-push-manifest-tag").body.decode()
    delivery = re.sub(r'"id": "[0-9a-f-]{36}", "timestamp"', '"id": "EVENT-ID", "timestamp"', delivery, count=1)
    delivery = delivery.replace("addons/metrics", "addons/ADDON")
    assert "EVENT-ID" in delivery
    return delivery


def rate(root: Path, delivery: str, mark: str, url: str, *, seconds: int = _SECONDS) -> float:
    """Answers a second; ``mark`` is in all identifiers, and must be another one each time."""
    return _rate(_script(root, delivery, mark), url, seconds)


def _script(root: Path, delivery: str, mark: str) -> Path:
    path = root / "wrk.lua"
    path.write_text(_LUA % (f"[==[{delivery}]==]", mark, TOKEN))
    return path


def _rate(script: Path, url: str, seconds: int) -> float:
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "-s", str(script), f"{url}/v1/notifications"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(output)
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert found is not None, output
    return float(found[1])
