"""What the stream tells of itself: exported families."""

from collections.abc import Callable

from prometheus_client import Counter, Gauge

from monitor.telemetry import Telemetry

NAMESPACES = 100  # told apart; the others are counted as one
OTHER = "other"
NOBODY = ("", "")  # the cell of updates that nobody watches: they may name any account


class StreamTelemetry:
    """Counters of what came, by what became of it; beside those of the process."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.streamed, self.points, registry = telemetry.streamed, telemetry.points, telemetry.registry
        self._namespaces = set[str]()
        self.requests = Counter(
            "headroom_stream_requests",
            "Requests of Firehose by the status they were answered with.",
            ["status"],
            registry=registry,
        )
        self.unused = Counter(
            "headroom_stream_unused_points",
            "Points of metrics that nobody uses, by namespace: what the stream's filters could leave out.",
            ["namespace"],
            registry=registry,
        )
        self.bad = Counter(
            "headroom_stream_bad_pieces", "Pieces that could not be decoded.", ["format"], registry=registry
        )
        self.heard = Gauge(
            "headroom_stream_timestamp_seconds",
            "When a stream last told of a cell.",
            ["account", "region"],
            registry=registry,
        )
        self.waiting = Gauge(
            "headroom_stream_waiting_bytes",
            "Bytes of requests that are held now.",
            registry=registry,
        )

    def watch(self, waiting: Callable[[], float]) -> None:
        self.waiting.set_function(waiting)

    def count(self, outcome: str, points: int) -> None:
        """Count points by what became of them."""
        self.points.labels("stream", outcome).inc(points)

    def count_unused(self, namespace: str, points: int) -> None:
        """Count points of metrics that nobody uses."""
        self.streamed(*NOBODY, "", points)
        self.count("unused", points)
        if len(self._namespaces) < NAMESPACES:
            self._namespaces.add(namespace)
        self.unused.labels(namespace if namespace in self._namespaces else OTHER).inc(points)
