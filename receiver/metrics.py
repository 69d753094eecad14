"""What Prometheus may read of us; the one home of prometheus_client, imported by ``serve`` only.

Label values come from closed sets or from addons that are installed, never from a delivery: a stranger must not be
able to make time series.
"""

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from http import HTTPStatus
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from receiver import __version__
from receiver.registry.location import Origin
from receiver.sync.missed import Reason
from receiver.sync.outcome import Status
from receiver.tasks.task import State, Trigger
from receiver.webhook.decode import SENDERS, UNKNOWN

# Our names need none of what later versions of the format add, and every Prometheus reads this one.
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Seconds from a push to its release in the catalogue: a small addon takes less than one, a retried one up to an hour.
_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
# What becomes of a delivery that was read, by whoever sent it; and of one that was not, where nobody knows who did.
_READ = ("accepted", "duplicate", "ignored", "quarantined")
_UNREAD = ("cut off", "oversized", "quarantined", "unauthenticated", "unavailable")
_OTHER = "other"
_STATUSES = frozenset(HTTPStatus)


class Metrics:
    """One registry of its own for one process; every method is cheap and needs no lock of the caller.

    Args:
        hosts: what an operator has named of the registry's; all others are one, a registry invents what names it likes.
        proc: where Linux tells of processes; elsewhere, what `time` knows takes its place.
    """

    def __init__(self, *, hosts: Collection[Origin] = (), proc: str = "/proc") -> None:
        self._registry = registry = _Registry()
        self._deliveries = Counter(
            "addon_sync_deliveries_total",
            "Notifications by sender and verdict.",
            ["sender", "verdict"],
            registry=registry,
        )
        self._ignored = Counter(
            "addon_sync_events_ignored_total", "Events that concern no addon.", ["reason"], registry=registry
        )
        self._refused = Counter(
            "addon_sync_connections_refused_total", "Connections over the limit.", registry=registry
        )
        self._evicted = Counter(
            "addon_sync_connections_evicted_total", "Idle connections closed for newer ones.", registry=registry
        )
        self._addresses = Counter(
            "addon_sync_addresses_barred_total", "Times that an address was barred for its failures.", registry=registry
        )
        self._tasks = Gauge("addon_sync_queue_tasks", "Tasks in the queue by state.", ["state"], registry=registry)
        self._age = Gauge(
            "addon_sync_queue_age_seconds",
            "How long the oldest task that is due has waited; NaN where the queue cannot tell.",
            registry=registry,
        )
        self._syncs = Counter(
            "addon_sync_syncs_total", "Syncs of one addon by outcome.", ["outcome", "trigger"], registry=registry
        )
        self._latency = Histogram(
            "addon_sync_push_to_installed_seconds",
            "From the arrival of a push event to the release in the catalogue.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._bytes = Counter("addon_sync_registry_bytes_total", "Bytes fetched from the registry.", registry=registry)
        self._requests = Counter(
            "addon_sync_registry_requests_total",
            "Requests to the registry by host and status of the answer.",
            ["host", "status"],
            registry=registry,
        )
        self._poll = Gauge(
            "addon_sync_last_poll_timestamp_seconds",
            "When the last poll that reached the registry ended, since the epoch; 0 before the first.",
            registry=registry,
        )
        self._interval = Gauge(
            "addon_sync_poll_interval_seconds", "From poll to poll at present; 0 where it is off.", registry=registry
        )
        self._installed = Gauge(
            "addon_sync_installed_release_info",
            "What is installed; always 1.",
            ["repository", "version", "digest"],
            registry=registry,
        )
        self._since = Gauge(
            "addon_sync_installed_release_timestamp_seconds",
            "When the installed release came, since the epoch.",
            ["repository"],
            registry=registry,
        )
        self._missed = Counter(
            "addon_sync_missed_events_total",
            "Changes that no event announced, and times when events may have been lost.",
            ["reason"],
            registry=registry,
        )
        self._flux = Counter(
            "addon_sync_flux_requests_total",
            "Addons that FluxCD was to be told of, by result.",
            ["result"],
            registry=registry,
        )
        self._releases: dict[str, tuple[str, str]] = {}
        self._bound: dict[tuple[str, str], Counter] = {}
        self._hosts = {origin: origin.authority for origin in hosts}
        self._asked: dict[tuple[str, int | None], Counter] = {}
        build = Gauge("addon_sync_build_info", "What runs; always 1.", ["version"], registry=registry)
        build.labels(__version__).set(1)
        self._begin_at_zero()
        _watch_process(registry, proc)

    def _begin_at_zero(self) -> None:
        """Show what may be counted: of a series that begins with 1, Prometheus sees no increase."""
        for sender in SENDERS:
            for verdict in _READ:
                self._deliveries.labels(sender.name, verdict)
        for verdict in _UNREAD:
            self._deliveries.labels(UNKNOWN, verdict)
        for outcome in get_args(Status):
            for trigger in Trigger:
                self._syncs.labels(outcome, trigger.value)
        for reason in get_args(Reason):
            self._missed.labels(reason)
        for result in ("delivered", "failed"):
            self._flux.labels(result)
        for host in self._hosts.values():
            self._requests.labels(host, "200")
            self._requests.labels(host, "error")

    def delivery(self, sender: str, verdict: str) -> None:
        """Count a notification."""
        bound = self._bound.get((sender, verdict))
        if bound is None:
            # labels() formats and locks on every call; there are only so many senders and verdicts.
            bound = self._bound[sender, verdict] = self._deliveries.labels(sender, verdict)
        bound.inc()

    def ignored(self, reasons: Mapping[str, int]) -> None:
        """Count events that concern no addon."""
        for reason, count in reasons.items():
            self._ignored.labels(reason).inc(count)

    def connection_refused(self) -> None:
        """Count a connection over the limit."""
        self._refused.inc()

    def connection_evicted(self) -> None:
        """Count an idle connection that made room for a newer one."""
        self._evicted.inc()

    def address_barred(self) -> None:
        """Count an address that presented too many wrong credentials."""
        self._addresses.inc()

    def queue(self, counts: Mapping[State, int] | None, *, age: float = math.nan) -> None:
        """Show the tasks by state, and for how many seconds the oldest that is due has waited.

        None where the queue cannot tell, which shows none rather than old numbers.
        """
        if counts is None:
            self._tasks.clear()
            self._age.set(math.nan)
            return
        for state in State:
            self._tasks.labels(state.value).set(counts.get(state, 0))
        self._age.set(age)

    def sync(self, outcome: str, trigger: str) -> None:
        """Count the end of a sync of one addon."""
        self._syncs.labels(outcome, trigger).inc()

    def push_to_installed(self, seconds: float) -> None:
        """Observe how long a push took to arrive in the catalogue."""
        self._latency.observe(seconds)

    def registry_bytes(self, count: int) -> None:
        """Count bytes fetched from the registry."""
        self._bytes.inc(count)

    def registry_request(self, origin: Origin, status: int | None) -> None:
        """Count a request to ``origin`` that was answered with ``status``; None where it was not answered in HTTP."""
        host = self._hosts.get(origin, _OTHER)
        bound = self._asked.get((host, status))
        if bound is None:
            bound = self._requests.labels(host, _status(status))
            if status is None or status in _STATUSES:  # of others there are too many to remember
                self._asked[host, status] = bound
        bound.inc()

    def poll_interval(self, seconds: Callable[[], float]) -> None:
        """Show the interval that ``seconds`` gives whenever it is read."""
        self._interval.set_function(seconds)

    def polled(self, when: float) -> None:
        """Remember when the last poll ended, in seconds since the epoch."""
        self._poll.set(when)

    def missed_event(self, reason: str) -> None:
        """Count a push that no event announced, or a time when events may have been lost."""
        self._missed.labels(reason).inc()

    def flux_told(self, result: str) -> None:
        """Count an addon that FluxCD was told of, or could not be."""
        self._flux.labels(result).inc()

    def installed(self, repository: str, *, version: str, digest: str, when: float) -> None:
        """Show the release of ``repository``, which came ``when`` (since the epoch); the one before it disappears."""
        self.removed(repository)
        self._releases[repository] = (version, digest)
        self._installed.labels(repository, version, digest).set(1)
        self._since.labels(repository).set(when)

    def removed(self, repository: str) -> None:
        """No release of ``repository`` is installed any more."""
        before = self._releases.pop(repository, None)
        if before is not None:
            self._installed.remove(repository, *before)
            self._since.remove(repository)

    def render(self) -> tuple[bytes, str]:
        """The text for Prometheus, and its content type."""
        return generate_latest(self._registry), _CONTENT_TYPE


def _status(status: int | None) -> str:
    """The registered status; of one that is not, what it counts as (RFC 9110 section 15)."""
    if status is None:
        return "error"
    if status in _STATUSES:
        return str(status)
    return str(status // 100 * 100) if 100 <= status < 600 else "500"


class _Registry(CollectorRegistry):
    """Without the time at which each counter was made: a series for every series, of which nobody asks anything."""

    def collect(self) -> Iterator[Metric]:
        for metric in super().collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class _Process(Collector):
    """Processor time and start where there is no /proc (Windows): what the dashboards need most."""

    def __init__(self) -> None:
        self._started = time.time()

    def collect(self) -> Iterator[Metric]:
        cpu = CounterMetricFamily("process_cpu_seconds_total", "User and system CPU time in seconds.")
        cpu.add_metric([], time.process_time())
        yield cpu
        start = GaugeMetricFamily("process_start_time_seconds", "Start time since the epoch in seconds.")
        start.add_metric([], self._started)
        yield start


def _watch_process(registry: CollectorRegistry, proc: str) -> None:
    collector = ProcessCollector(registry=None, proc=proc)
    registry.register(collector if list(collector.collect()) else _Process())
