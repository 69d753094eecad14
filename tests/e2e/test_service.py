"""``addon-sync serve`` as a service: what it says to systemd and to FluxCD, through the program as it is run."""

import hashlib
import json
import queue
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.conftest import Site
from tests.support.addons import artifact, push_addon

pytestmark = pytest.mark.registry


@pytest.fixture
def webhook() -> Iterator[tuple[str, "queue.Queue[tuple[str, bytes]]"]]:
    """A server in the place of Flux, and what was posted to it."""
    heard: queue.Queue[tuple[str, bytes]] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.put((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", heard
        server.shutdown()
        thread.join()


def test_systemd_hears_when_it_is_ready_and_when_it_stops(quiet_site: Site, tmp_path: Path) -> None:
    """Ready once it listens, signs of life, and the stop before it takes its time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        serving = quiet_site.serve(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000")
        with serving:
            first = {systemd.recv(4096), systemd.recv(4096)}
            assert first == {b"READY=1", b"WATCHDOG=1"}
            assert serving.stop() == 0
        rest = [systemd.recv(4096)]
        while rest[-1] != b"STOPPING=1":
            rest.append(systemd.recv(4096))
        assert set(rest[:-1]) <= {b"WATCHDOG=1"}


def test_a_push_is_told_to_flux(
    site: Site, tmp_path: Path, webhook: tuple[str, "queue.Queue[tuple[str, bytes]]"]
) -> None:
    """From the registry's event to Flux's webhook: the addon by name, at the path that Flux derives from the token."""
    url, heard = webhook
    with site.serve(ADDON_SYNC_FLUX_WEBHOOK=url, ADDON_SYNC_FLUX_TOKEN="a word"):
        push_addon(site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
        path, body = heard.get(timeout=20)
    assert path == "/hook/" + hashlib.sha256(b"a wordaddon-synck2s-addon-sync").hexdigest()
    assert json.loads(body) == {
        "addon": "monitoring",
        "repository": "addons/monitoring",
        "resource": "addon-sync-monitoring",
    }


def test_a_webhook_without_its_token_is_a_mistake(quiet_site: Site) -> None:
    """Told at the start, with the name of the setting that is missing; the token of the overlay is empty at first."""
    quiet_site.host.settings.update(ADDON_SYNC_FLUX_WEBHOOK="http://flux.example.local", ADDON_SYNC_FLUX_TOKEN="")
    done = quiet_site.host.run("serve")
    assert done.returncode == 2
    assert "ADDON_SYNC_FLUX_WEBHOOK needs ADDON_SYNC_FLUX_TOKEN" in done.stdout
