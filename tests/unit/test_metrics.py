"""What Prometheus may read of us."""

import math
import re
from pathlib import Path

import pytest

from receiver import __version__
from receiver.metrics import Metrics
from receiver.registry.location import Origin
from receiver.tasks.task import State
from tests.support.metrics import families, filled, labels_of

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "log-and-metrics.md"
REGISTRY = Origin("https", "registry.example", 5000)
TOKENS = Origin("https", "auth.example", 443)


def lines(metrics: Metrics) -> list[str]:
    return metrics.render()[0].decode().splitlines()


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    """Type and labels by name, as the table of the reference has them; of `process_*` it has a row for all."""
    rows = [line.split("|")[1:4] for line in REFERENCE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [(name.strip().strip("`"), kind.strip(), re.findall(r"`(\w+)`", labels)) for name, kind, labels in rows]
    return {name: (kind, frozenset(labels)) for name, kind, labels in cells if name.startswith("addon_sync_")}


def test_all_series_have_the_names_and_labels_that_are_documented() -> None:
    """Dashboards and alerts hold on to them."""
    shown = {name: (family.type, labels_of(family)) for name, family in families(filled()).items()}
    ours = {name: facts for name, facts in shown.items() if not name.startswith("process_")}
    assert ours == documented()
    assert len(ours) < len(shown)


def test_nothing_is_shown_twice() -> None:
    """The library adds a time of making to every counter, which doubles the series."""
    assert "_created" not in "\n".join(lines(filled()))


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
    metrics.missed_event("unannounced")
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
        'addon_sync_missed_events_total{reason="unannounced"} 1.0',
        f'addon_sync_build_info{{version="{__version__}"}} 1.0',
    } <= set(lines(metrics))


def test_a_repository_has_one_installed_release() -> None:
    """The release before it would look installed for ever."""
    metrics = Metrics()
    metrics.installed("addons/a", version="v1", digest="sha256:1", when=10)
    metrics.installed("addons/a", version="v2", digest="sha256:2", when=20)
    metrics.installed("addons/b", version="v1", digest="sha256:3", when=30)
    metrics.removed("addons/b")
    metrics.removed("addons/never")
    assert [line for line in lines(metrics) if line.startswith("addon_sync_installed_release_")] == [
        'addon_sync_installed_release_info{digest="sha256:2",repository="addons/a",version="v2"} 1.0',
        'addon_sync_installed_release_timestamp_seconds{repository="addons/a"} 20.0',
    ]


def test_the_queue_shows_every_state_or_nothing() -> None:
    """An empty state is a 0, an unknown queue is no number at all."""
    metrics = Metrics()
    metrics.queue({State.QUEUED: 3}, age=1.5)
    shown = [line for line in lines(metrics) if line.startswith("addon_sync_queue_tasks{")]
    assert shown == [
        f'addon_sync_queue_tasks{{state="{s}"}} {n}' for s, n in (("queued", 3.0), ("leased", 0.0), ("parked", 0.0))
    ]
    assert "addon_sync_queue_age_seconds 1.5" in lines(metrics)
    metrics.queue(None)
    assert not [line for line in lines(metrics) if line.startswith("addon_sync_queue_tasks{")]
    assert math.isnan(families(metrics)["addon_sync_queue_age_seconds"].samples[0].value)


@pytest.mark.parametrize(
    ("origin", "status", "labels"),
    [
        (REGISTRY, 200, 'host="registry.example:5000",status="200"'),
        (TOKENS, 401, 'host="auth.example",status="401"'),
        (REGISTRY, None, 'host="registry.example:5000",status="error"'),
        (Origin("http", "registry.example", 5000), 200, 'host="other",status="200"'),
        (Origin("https", "one-of-a-million.example", 443), 307, 'host="other",status="307"'),
        (REGISTRY, 499, 'host="registry.example:5000",status="400"'),
        (REGISTRY, 99, 'host="registry.example:5000",status="500"'),
        (REGISTRY, 600, 'host="registry.example:5000",status="500"'),
    ],
)
def test_requests_are_counted_by_host_and_status(origin: Origin, status: int | None, labels: str) -> None:
    """What an operator has configured is told apart; a registry must make no series by names of its own."""
    metrics = Metrics(hosts=[REGISTRY, TOKENS])
    for _ in range(2):
        metrics.registry_request(origin, status)
    assert f"addon_sync_registry_requests_total{{{labels}}} 2.0" in lines(metrics)


def test_a_registry_makes_no_series_beyond_a_bound() -> None:
    """Whatever hosts it redirects to, and whatever they answer."""
    metrics = Metrics(hosts=[REGISTRY])
    for status in range(1000):
        metrics.registry_request(Origin("https", f"host{status}.example", 443), status)
    assert len([line for line in lines(metrics) if line.startswith("addon_sync_registry_requests_total{")]) < 80
    assert len(metrics._asked) < 80


def test_what_alerts_wait_for_is_there_from_the_start() -> None:
    """Of a series that begins with 1, Prometheus sees no increase, and the first missed event would be no alert."""
    assert {
        'addon_sync_missed_events_total{reason="unannounced"} 0.0',
        'addon_sync_syncs_total{outcome="failed",trigger="event"} 0.0',
        'addon_sync_deliveries_total{sender="distribution",verdict="accepted"} 0.0',
        'addon_sync_deliveries_total{sender="unknown",verdict="quarantined"} 0.0',
        'addon_sync_deliveries_total{sender="unknown",verdict="unauthenticated"} 0.0',
        'addon_sync_deliveries_total{sender="unknown",verdict="unavailable"} 0.0',
        'addon_sync_registry_requests_total{host="registry.example:5000",status="error"} 0.0',
    } <= set(lines(Metrics(hosts=[REGISTRY])))


def test_the_poll_interval_is_that_of_the_moment() -> None:
    """It shrinks and grows; the alert on overdue polls goes by it."""
    seconds = [300.0, 60.0]
    metrics = Metrics()
    metrics.poll_interval(lambda: seconds.pop(0))
    assert "addon_sync_poll_interval_seconds 300.0" in lines(metrics)
    assert "addon_sync_poll_interval_seconds 60.0" in lines(metrics)


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
    assert 'addon_sync_deliveries_total{sender="zot",verdict="accepted"} 1.0' in lines(one)
    assert 'addon_sync_deliveries_total{sender="zot",verdict="accepted"} 0.0' in lines(other)


def test_the_content_type_is_that_of_the_text_format() -> None:
    """Prometheus 3 refuses to guess it."""
    assert Metrics().render()[1] == "text/plain; version=0.0.4; charset=utf-8"
