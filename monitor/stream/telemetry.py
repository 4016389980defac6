"""The metrics that Headroom exports about the stream."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from monitor.aws.telemetry import SERVICE_LABELS
from monitor.lib.label_names import exported_names
from monitor.stream.points import OTHER_NAMESPACES

MAX_EXPORTED_NAMESPACES = 100  # label values; further namespaces are counted as OTHER_NAMESPACES
# The labels of all cells that are not monitored: a sender may name any account.
UNMONITORED_CELL = ("", "")


class StreamTelemetry:
    """The metrics of deliveries and streamed points. points: the counter that polling uses, too."""

    def __init__(self, registry: CollectorRegistry, points: Counter) -> None:
        self.points = points
        self._namespaces = set[str]()
        self.requests = Counter(
            "headroom_stream_requests",
            "Requests of Firehose, by status of the response.",
            ["status"],
            registry=registry,
        )
        self.updates = Counter(
            "headroom_stream_updates",
            "Metric updates that streams delivered, the unit that AWS bills; "
            "the labels are empty for cells that are not monitored.",
            SERVICE_LABELS,
            registry=registry,
        )
        self.unused = Counter(
            "headroom_stream_unused_points",
            "Points of metrics that no signal uses, by namespace; filters of the stream could exclude them.",
            exported_names(("namespace",)),
            registry=registry,
        )
        self.decode_errors = Counter(
            "headroom_stream_decode_errors",
            "Pieces of deliveries that could not be decoded, by format.",
            ["format"],
            registry=registry,
        )
        self.newest_delivery = Gauge(
            "headroom_stream_timestamp_seconds",
            "Time of the last delivery with points of a cell, in epoch seconds.",
            exported_names(("account", "region")),
            registry=registry,
        )
        self.held_bytes = Gauge(
            "headroom_stream_held_bytes",
            "Bytes reserved for the bodies of requests that are being received or processed.",
            registry=registry,
        )

    def set_held_bytes(self, held_bytes: Callable[[], float]) -> None:
        """Export `headroom_stream_held_bytes` with the values that `held_bytes` returns."""
        self.held_bytes.set_function(held_bytes)

    def count_updates(self, account: str, region: str, service: str, updates: int) -> None:
        """Count delivered metric updates of a service."""
        self.updates.labels(account, region, service).inc(updates)

    def count_points(self, outcome: str, points: int) -> None:
        """Count points by outcome.

        Outcomes: written, late, future, unknown (no series), unit (incompatible), missing (no such
        statistic) and unused (no signal uses the metric).
        """
        self.points.labels("stream", outcome).inc(points)

    def count_unused(self, namespace: str, points: int) -> None:
        """Count points of metrics that no signal uses."""
        self.count_updates(*UNMONITORED_CELL, "", points)
        self.count_points("unused", points)
        if len(self._namespaces) < MAX_EXPORTED_NAMESPACES:
            self._namespaces.add(namespace)
        self.unused.labels(namespace if namespace in self._namespaces else OTHER_NAMESPACES).inc(points)
