"""What Headroom tells of itself: its own exported families, one registry a process."""

from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

VERSION = version("aws-headroom")
DOLLARS_PER_METRIC = 0.01 / 1000  # GetMetricData, per metric requested, whatever number of points


class Telemetry:
    """The counters and gauges of one process, each with its unit in its name."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.aws_calls = Counter(
            "headroom_aws_calls",
            "Calls to AWS by service, operation and the error's code (empty when it was answered).",
            ["service", "operation", "code"],
            registry=registry,
        )
        self.metrics_requested = Counter(
            "headroom_metrics_requested",
            "CloudWatch metrics requested by GetMetricData, the unit AWS bills.",
            ["account", "region"],
            registry=registry,
        )
        self.dollars = Counter(
            "headroom_estimated_cost_dollars",
            "Estimated cost of the CloudWatch metrics requested, in US dollars.",
            ["account", "region"],
            registry=registry,
        )
        self.decode_errors = Counter(
            "headroom_decode_errors",
            "Results from CloudWatch that could not be used.",
            ["reason"],
            registry=registry,
        )
        self.inventory_time = Gauge(
            "headroom_inventory_timestamp_seconds",
            "When a cell's inventory last ended with every part of the collector successful.",
            ["account", "region", "service"],
            registry=registry,
        )
        self.poll_time = Gauge(
            "headroom_poll_timestamp_seconds",
            "When a cell's metrics were last read completely.",
            ["account", "region"],
            registry=registry,
        )
        self.ticks = Counter("headroom_ticks", "Turns of a loop.", ["loop"], registry=registry)
        self.missed = Counter(
            "headroom_missed_ticks",
            "Turns skipped as the one before took too long.",
            ["loop"],
            registry=registry,
        )
        self.failures = Counter(
            "headroom_tick_failures",
            "Turns of a loop that ended with an unexpected error.",
            ["loop"],
            registry=registry,
        )
        self.durations = Histogram(
            "headroom_tick_duration_seconds",
            "How long a turn of a loop took.",
            ["loop"],
            buckets=(0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
            registry=registry,
        )
        self.reloads = Counter(
            "headroom_config_reloads", "Reloads of the configuration.", ["outcome"], registry=registry
        )
        build = Gauge("headroom_build_info", "The version that runs.", ["version"], registry=registry)
        build.labels(VERSION).set(1)

    def requested(self, account: str, region: str, metrics: int) -> None:
        """Count metrics asked of GetMetricData, and what they cost."""
        self.metrics_requested.labels(account, region).inc(metrics)
        self.dollars.labels(account, region).inc(metrics * DOLLARS_PER_METRIC)
