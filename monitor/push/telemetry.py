"""What pushing tells of itself: exported families by receiver."""

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge


class PushTelemetry:
    """Counters that pushing increases, and gauges that look when they are asked."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        self.sent = counter("headroom_push_samples_sent", "Samples that a receiver accepted.", ["receiver"])
        self.dropped = counter(
            "headroom_push_samples_dropped",
            "Samples given up: refused by the receiver, or the oldest of a queue that was full.",
            ["receiver", "reason"],
        )
        self.failed = counter(
            "headroom_push_requests_failed",
            "Requests that a receiver did not accept, by why.",
            ["receiver", "reason"],
        )
        self.disk_failures = counter(
            "headroom_push_queue_failures", "Failures of the disk that samples are queued on.", ["receiver"]
        )
        gauge = partial(Gauge, labelnames=["receiver"], registry=registry)
        self.queued = gauge("headroom_push_samples_queued", "Samples that a receiver is still to be sent.")
        self.bytes = gauge("headroom_push_queue_bytes", "Size of the requests that wait for a receiver.")
        self.lag = gauge(
            "headroom_push_lag_seconds", "How long the oldest request has waited, 0 when there is none."
        )
        self.newest = gauge(
            "headroom_push_sample_timestamp_seconds",
            "Start of the newest minute that a receiver accepted samples of.",
        )

    def watch(
        self,
        receiver: str,
        *,
        queued: Callable[[], float],
        size: Callable[[], float],
        lag: Callable[[], float],
    ) -> None:
        """Show a receiver, by functions that tell how it stands."""
        for gauge, tell in ((self.queued, queued), (self.bytes, size), (self.lag, lag)):
            gauge.labels(receiver).set_function(tell)

    def forget(self, receiver: str) -> None:
        """Show how a receiver stands no more; what was counted stays."""
        for gauge in (self.queued, self.bytes, self.lag):
            gauge.remove(receiver)
