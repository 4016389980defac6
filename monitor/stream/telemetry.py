"""What the stream tells of itself: exported families."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

NAMESPACES = 100  # told apart; the others are counted as one
OTHER = "other"


class StreamTelemetry:
    """Counters of what came, by what became of it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._namespaces = set[str]()
        self.requests = Counter(
            "headroom_stream_requests",
            "Requests of Firehose by the status they were answered with.",
            ["status"],
            registry=registry,
        )
        self.points = Counter(
            "headroom_stream_points",
            "Points by what became of them: written, late (out of the window), future, unused (nobody uses "
            "the metric), unknown (no such series), unit (contradicts), missing (no such number).",
            ["outcome"],
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

    def count_unused(self, namespace: str, points: int) -> None:
        """Count points of metrics that nobody uses."""
        self.points.labels("unused").inc(points)
        if len(self._namespaces) < NAMESPACES:
            self._namespaces.add(namespace)
        self.unused.labels(namespace if namespace in self._namespaces else OTHER).inc(points)
