"""Metrics of deliveries, by receiver."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from monitor.lib.tracing import NO_TRACER, Tracer


class DeliveryTelemetry:
    """The metrics of deliveries. Senders increase the counters; gauges are computed at each scrape.

    tracer: records each attempt to deliver a notification.
    """

    def __init__(self, registry: CollectorRegistry, tracer: Tracer = NO_TRACER) -> None:
        self.tracer = tracer
        by_receiver = ["receiver"]
        self.sent = Counter(
            "headroom_notifications_sent",
            "Notifications that a receiver accepted.",
            by_receiver,
            registry=registry,
        )
        self.failed = Counter(
            "headroom_deliveries_failed",
            "Failed attempts to deliver a notification, by reason.",
            ["receiver", "reason"],
            registry=registry,
        )
        self.dropped = Counter(
            "headroom_notices_dropped",
            "Notices dropped, by reason: repeat, superseded, no_such_receiver or dead_letter.",
            ["receiver", "reason"],
            registry=registry,
        )
        self.queued = Gauge(
            "headroom_notices_queued",
            "Notices waiting for delivery to a receiver.",
            by_receiver,
            registry=registry,
        )
        self.dead_letters = Gauge(
            "headroom_notification_dead_letters",
            "Notifications that could not be delivered, until they are replayed.",
            by_receiver,
            registry=registry,
        )
        self.oldest_age = Gauge(
            "headroom_notification_oldest_age_seconds",
            "Age of the oldest notice that waits for delivery to a receiver; 0 when none waits.",
            by_receiver,
            registry=registry,
        )

    def add_receiver(
        self,
        receiver: str,
        *,
        queued: Callable[[], float],
        dead_letters: Callable[[], float],
        oldest_age: Callable[[], float],
    ) -> None:
        """Export the gauges of a receiver.

        queued: returns the number of queued notices. dead_letters: returns the number of dead letters.
        oldest_age: returns the age of the oldest queued notice, in seconds.
        """
        self.queued.labels(receiver).set_function(queued)
        self.dead_letters.labels(receiver).set_function(dead_letters)
        self.oldest_age.labels(receiver).set_function(oldest_age)

    def remove_receiver(self, receiver: str) -> None:
        """Stop exporting the gauges of a receiver; its counters stay."""
        for gauge in (self.queued, self.dead_letters, self.oldest_age):
            gauge.remove(receiver)
