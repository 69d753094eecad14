"""What an operator sees: a real Prometheus reads a receiver, and the dashboard's questions have answers."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import Site
from tests.support.addons import artifact, push_addon
from tests.support.monitoring import filled_in, panels
from tests.support.prometheus import Prometheus
from tests.support.system import wait_for

pytestmark = pytest.mark.registry


def test_the_dashboard_shows_a_push_and_an_alert_a_wrong_token(site: Site, tmp_path: Path) -> None:
    """Every panel has something to show, nothing is amiss, and then somebody knocks with another token."""
    with site.serve(ADDON_SYNC_POLL_INTERVAL="1h") as serving:
        with Prometheus(urlsplit(serving.url).netloc, tmp_path / "prometheus") as prometheus:
            push_addon(site.registry.url, "monitoring", artifact(tmp_path, addon="monitoring"))
            shown = 'addon_sync_installed_release_info{repository="addons/monitoring", version="v1.0.0"}'
            wait_for("the installed release", lambda: prometheus.query(shown))
            for panel in panels():
                for target in panel.get("targets", ()):
                    query = filled_in(target["expr"])
                    assert wait_for(f"an answer for {panel['title']}", lambda query=query: prometheus.query(query))  # type: ignore[misc] # bound for the loop
            asked = f'addon_sync_registry_requests_total{{host="{site.registry.authority}", status="200"}} > 3'
            assert prometheus.query(asked)
            assert not prometheus.query('addon_sync_registry_requests_total{host="other"}')
            assert prometheus.query("addon_sync_poll_interval_seconds == 3600")
            assert not prometheus.query('ALERTS{alertname!="AddonSyncNotScraped"}')

            for _ in range(6):
                assert serving.post(b"{}", token="an old one")[0] == 401
            wait_for("an alert", lambda: prometheus.query('ALERTS{alertname="AddonSyncDeliveriesUnauthenticated"}'))
            assert {rule["health"] for rule in prometheus.rules()} == {"ok"}
        assert serving.stop() == 0
