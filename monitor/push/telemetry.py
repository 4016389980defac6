"""The metrics that Headroom exports about pushing, by receiver."""

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge


class PushTelemetry:
    """Counters of pushing, and gauges that are computed when they are scraped."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        self.sent = counter("headroom_push_samples_sent", "Samples that a receiver accepted.", ["receiver"])
        self.dropped = counter(
            "headroom_push_samples_dropped",
            "Samples dropped: rejected by the receiver, or the oldest of a full queue.",
            ["receiver", "reason"],
        )
        self.failed = counter(
            "headroom_push_requests_failed",
            "Requests that a receiver did not accept, by reason.",
            ["receiver", "reason"],
        )
        self.queue_failures = counter(
            "headroom_push_queue_failures", "Failures to read or write the queue on disk.", ["receiver"]
        )
        gauge = partial(Gauge, labelnames=["receiver"], registry=registry)
        self.queued = gauge("headroom_push_samples_queued", "Samples in the queue of a receiver.")
        self.bytes = gauge("headroom_push_queue_bytes", "Size of the requests in the queue of a receiver.")
        self.lag = gauge(
            "headroom_push_lag_seconds", "Age of the oldest request in the queue; 0 when the queue is empty."
        )
        self.newest = gauge(
            "headroom_push_sample_timestamp_seconds",
            "Start of the newest minute whose samples a receiver accepted, in epoch seconds.",
        )

    def add_receiver(
        self,
        receiver: str,
        *,
        queued: Callable[[], float],
        size: Callable[[], float],
        lag: Callable[[], float],
    ) -> None:
        """Export the gauges of a receiver: `queued` (samples), `size` (bytes) and `lag` (seconds)."""
        for gauge, value in ((self.queued, queued), (self.bytes, size), (self.lag, lag)):
            gauge.labels(receiver).set_function(value)

    def remove_receiver(self, receiver: str) -> None:
        """Stop exporting the gauges of a receiver; its counters stay."""
        for gauge in (self.queued, self.bytes, self.lag):
            gauge.remove(receiver)
