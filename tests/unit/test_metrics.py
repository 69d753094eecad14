"""What Prometheus may read of us."""

import pytest

from receiver.metrics import Metrics
from receiver.tasks.task import State


def lines(metrics: Metrics) -> list[str]:
    return metrics.render()[0].decode().splitlines()


def test_all_series_have_the_names_that_are_documented() -> None:
    """Dashboards and alerts hold on to them."""
    text = "\n".join(lines(Metrics()))
    for name, kind in [
        ("addon_sync_deliveries_total", "counter"),
        ("addon_sync_events_ignored_total", "counter"),
        ("addon_sync_connections_refused_total", "counter"),
        ("addon_sync_connections_evicted_total", "counter"),
        ("addon_sync_addresses_barred_total", "counter"),
        ("addon_sync_queue_tasks", "gauge"),
        ("addon_sync_syncs_total", "counter"),
        ("addon_sync_push_to_installed_seconds", "histogram"),
        ("addon_sync_registry_bytes_total", "counter"),
        ("addon_sync_last_poll_timestamp_seconds", "gauge"),
        ("addon_sync_installed_release_info", "gauge"),
    ]:
        assert f"# TYPE {name} {kind}" in text


def test_what_happened_is_counted() -> None:
    """Each method moves its series."""
    metrics = Metrics()
    metrics.delivery("zot", "accepted")
    metrics.delivery("zot", "accepted")
    metrics.ignored({"blob": 4, "pull": 1})
    metrics.connection_refused()
    metrics.connection_evicted()
    metrics.address_barred()
    metrics.sync("installed", "event")
    metrics.push_to_installed(0.3)
    metrics.registry_bytes(1024)
    metrics.polled(1234.0)
    assert {
        'addon_sync_deliveries_total{sender="zot",verdict="accepted"} 2.0',
        'addon_sync_events_ignored_total{reason="blob"} 4.0',
        "addon_sync_connections_refused_total 1.0",
        "addon_sync_connections_evicted_total 1.0",
        "addon_sync_addresses_barred_total 1.0",
        'addon_sync_syncs_total{outcome="installed",trigger="event"} 1.0',
        'addon_sync_push_to_installed_seconds_bucket{le="0.25"} 0.0',
        'addon_sync_push_to_installed_seconds_bucket{le="0.5"} 1.0',
        "addon_sync_registry_bytes_total 1024.0",
        "addon_sync_last_poll_timestamp_seconds 1234.0",
    } <= set(lines(metrics))


def test_a_repository_has_one_installed_release() -> None:
    """The release before it would look installed for ever."""
    metrics = Metrics()
    metrics.installed("addons/a", version="v1", digest="sha256:1")
    metrics.installed("addons/a", version="v2", digest="sha256:2")
    metrics.installed("addons/b", version="v1", digest="sha256:3")
    metrics.removed("addons/b")
    metrics.removed("addons/never")
    assert [line for line in lines(metrics) if line.startswith("addon_sync_installed_release_info{")] == [
        'addon_sync_installed_release_info{digest="sha256:2",repository="addons/a",version="v2"} 1.0'
    ]


def test_the_queue_shows_every_state_or_nothing() -> None:
    """An empty state is a 0, an unknown queue is no number at all."""
    metrics = Metrics()
    metrics.queue_tasks({State.QUEUED: 3})
    shown = [line for line in lines(metrics) if line.startswith("addon_sync_queue_tasks{")]
    assert shown == [
        f'addon_sync_queue_tasks{{state="{s}"}} {n}' for s, n in (("queued", 3.0), ("leased", 0.0), ("parked", 0.0))
    ]
    metrics.queue_tasks(None)
    assert not [line for line in lines(metrics) if line.startswith("addon_sync_queue_tasks{")]


@pytest.mark.parametrize("proc", ["/proc", "/nonexistent"])
def test_the_process_is_watched_with_and_without_proc(proc: str) -> None:
    """Windows has no /proc: what `time` knows stands in for it."""
    text = "\n".join(lines(Metrics(proc=proc)))
    assert "\nprocess_cpu_seconds_total " in text
    assert "\nprocess_start_time_seconds " in text


def test_two_instances_share_nothing() -> None:
    """No global registry, so tests and embedding programs do not meet."""
    one, other = Metrics(), Metrics()
    one.delivery("zot", "accepted")
    assert not [line for line in lines(other) if line.startswith("addon_sync_deliveries_total{")]


def test_the_content_type_is_that_of_the_text_format() -> None:
    """Prometheus 3 refuses to guess it."""
    assert Metrics().render()[1] == "text/plain; version=0.0.4; charset=utf-8"
