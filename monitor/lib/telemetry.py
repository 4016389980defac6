"""The registry of the process, with metrics about its build, its loops and its reloads."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from monitor.lib.label_names import exported_names
from monitor.lib.lag_histogram import LagHistogram
from monitor.lib.tracing import NO_TRACER, Tracer
from monitor.lib.version import VERSION

DURATION_BUCKETS = (0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 300)  # seconds
LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)  # seconds


class SnapshotGauge(Collector):
    """A gauge whose series are all replaced at once.

    labels: the names of its labels, which `monitor.lib.label_names` converts to exported names.
    """

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        self._name, self._documentation, self._labels = name, documentation, labels
        self._values: Mapping[tuple[str, ...], float] = {}

    def replace(self, values: Mapping[tuple[str, ...], float]) -> None:
        """Replace all series. values: the value of each series, by its label values."""
        self._values = values

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric with its current series."""
        family = GaugeMetricFamily(self._name, self._documentation, labels=exported_names(self._labels))
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        yield family


class ProcessTelemetry:
    """The registry of one process, the metrics about the process itself, and its tracer."""

    def __init__(self, tracer: Tracer = NO_TRACER) -> None:
        self.tracer = tracer
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        gauge, counter = partial(Gauge, registry=self.registry), partial(Counter, registry=self.registry)
        gauge("headroom_build_info", "The version of this process.", ["version"]).labels(VERSION).set(1)
        self.reloads = counter("headroom_config_reloads", "Reloads of the configuration.", ["outcome"])
        self.ticks = counter("headroom_ticks", "Iterations of a loop.", ["loop"])
        self.missed_ticks = counter(
            "headroom_missed_ticks",
            "Iterations of a loop skipped because the previous one took too long.",
            ["loop"],
        )
        self.tick_failures = counter(
            "headroom_tick_failures", "Iterations of a loop that ended with an unexpected error.", ["loop"]
        )
        self.tick_durations = Histogram(
            "headroom_tick_duration_seconds",
            "Duration of an iteration of a loop.",
            ["loop"],
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self.loop_lag = LagHistogram(
            "headroom_event_loop_lag_seconds",
            "Time for which each turn of the event loop held up everything that waited for it.",
            LAG_BUCKETS,
        )
        self.registry.register(self.loop_lag)
