"""Metrics in which everything was counted once, and what is read out of them."""

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from receiver.metrics import Metrics
from receiver.registry.location import Origin
from receiver.tasks.task import State


def filled() -> Metrics:
    """Every series that there can be is there."""
    metrics = Metrics(hosts=[Origin("https", "registry.example", 443)])
    metrics.delivery("zot", "accepted")
    metrics.ignored({"blob": 1})
    metrics.connection_refused()
    metrics.connection_evicted()
    metrics.address_barred()
    metrics.queue({State.PARKED: 1}, age=1.0)
    metrics.sync("installed", "event")
    metrics.push_to_installed(0.3)
    metrics.registry_bytes(1024)
    metrics.registry_request(Origin("https", "registry.example", 443), 200)
    metrics.poll_interval(lambda: 300.0)
    metrics.polled(1234.0)
    metrics.missed_event("gap")
    metrics.flux_told("delivered")
    metrics.installed("addons/a", version="v1", digest="sha256:1", when=10)
    return metrics


def families(metrics: Metrics) -> dict[str, Metric]:
    """What Prometheus reads, by the names that stand in the text."""
    text = metrics.render()[0].decode()
    # The parser takes the suffix of a counter's name for a part of the format.
    return {
        f"{family.name}_total" if family.type == "counter" else family.name: family
        for family in text_string_to_metric_families(text)
    }


def labels_of(family: Metric) -> frozenset[str]:
    """The labels of its series, without those that belong to the format."""
    return frozenset(label for sample in family.samples for label in sample.labels) - {"le"}


def series_of(metrics: Metrics) -> frozenset[str]:
    """The names that a query can ask for: of a histogram, its parts."""
    return frozenset(sample.name for family in families(metrics).values() for sample in family.samples)
