"""What Headroom tells of itself: its own exported families, one registry a process."""

from functools import partial
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from monitor.price import DOLLARS_PER_METRIC, DOLLARS_PER_UPDATE

VERSION = version("aws-headroom")
PAYING = ("account", "region", "service")  # labels of what is billed
DURATIONS = (0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)  # seconds


class Telemetry:
    """The counters and gauges of one process, each with its unit in its name."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._count_calls()
        self._time_looks()
        self._count_turns()
        build = Gauge("headroom_build_info", "The version that runs.", ["version"], registry=self.registry)
        build.labels(VERSION).set(1)

    def _count_calls(self) -> None:
        counter = partial(Counter, registry=self.registry)
        self.aws_calls = counter(
            "headroom_aws_calls",
            "Calls to AWS by service, operation and the error's code (empty when it was answered).",
            ["service", "operation", "code"],
        )
        self.metrics_requested = counter(
            "headroom_metrics_requested",
            "CloudWatch metrics requested by GetMetricData, the unit AWS bills.",
            PAYING,
        )
        self.updates = counter(
            "headroom_stream_updates",
            "Metric updates that streams delivered, the unit AWS bills; of nobody where labels are empty.",
            PAYING,
        )
        self.dollars = counter(
            "headroom_estimated_cost_dollars",
            "Estimated cost of the metrics requested and of the updates streamed, in US dollars.",
            PAYING,
        )
        self.decode_errors = counter(
            "headroom_decode_errors", "Results from CloudWatch that could not be used.", ["reason"]
        )
        self.points = counter(
            "headroom_points",
            "Points of metrics by how they came (stream, poll) and what became of them: written, late (out "
            "of the window), future, unused (nobody uses the metric), unknown (no such series), unit "
            "(contradicts), missing (no such number).",
            ["source", "outcome"],
        )
        self.reloads = counter("headroom_config_reloads", "Reloads of the configuration.", ["outcome"])

    def _time_looks(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        self.inventory_time = gauge(
            "headroom_inventory_timestamp_seconds",
            "When a cell's inventory last ended with every part of the collector successful.",
            ["account", "region", "service"],
        )
        self.poll_time = gauge(
            "headroom_poll_timestamp_seconds",
            "When a cell's metrics were last read completely.",
            ["account", "region"],
        )

    def _count_turns(self) -> None:
        counter = partial(Counter, labelnames=["loop"], registry=self.registry)
        self.ticks = counter("headroom_ticks", "Turns of a loop.")
        self.missed = counter("headroom_missed_ticks", "Turns skipped as the one before took too long.")
        self.failures = counter("headroom_tick_failures", "Turns that ended with an unexpected error.")
        self.durations = Histogram(
            "headroom_tick_duration_seconds",
            "How long a turn of a loop took.",
            ["loop"],
            buckets=DURATIONS,
            registry=self.registry,
        )

    def requested(self, account: str, region: str, service: str, metrics: int) -> None:
        """Count metrics asked of GetMetricData, and what they cost."""
        self.metrics_requested.labels(account, region, service).inc(metrics)
        self.dollars.labels(account, region, service).inc(metrics * DOLLARS_PER_METRIC)

    def streamed(self, account: str, region: str, service: str, updates: int) -> None:
        """Count updates that a stream delivered, and what they cost."""
        self.updates.labels(account, region, service).inc(updates)
        self.dollars.labels(account, region, service).inc(updates * DOLLARS_PER_UPDATE)
