"""What deliveries tell of themselves: exported families by receiver."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class DeliveryTelemetry:
    """Counters that deliveries increase, and gauges that look when they are asked."""

    def __init__(self, registry: CollectorRegistry) -> None:
        by_receiver = ["receiver"]
        self.sent = Counter(
            "headroom_notifications_sent",
            "Notifications that a receiver accepted.",
            by_receiver,
            registry=registry,
        )
        self.failed = Counter(
            "headroom_deliveries_failed",
            "Attempts that a receiver did not accept, by why.",
            ["receiver", "reason"],
            registry=registry,
        )
        self.dropped = Counter(
            "headroom_notices_dropped",
            "Notices given up: repeats and superseded ones of a queue too long or too old, and the like.",
            ["receiver", "reason"],
            registry=registry,
        )
        self.queued = Gauge(
            "headroom_notices_queued",
            "Notices that a receiver is still to be told.",
            by_receiver,
            registry=registry,
        )
        self.parked = Gauge(
            "headroom_notifications_parked",
            "Notifications that were given up, until they are replayed.",
            by_receiver,
            registry=registry,
        )
        self.age = Gauge(
            "headroom_notification_oldest_age_seconds",
            "Age of the oldest notice that a receiver is still to be told, 0 when there is none.",
            by_receiver,
            registry=registry,
        )

    def watch(
        self,
        receiver: str,
        *,
        queued: Callable[[], float],
        parked: Callable[[], float],
        age: Callable[[], float],
    ) -> None:
        """Show a receiver, by functions that tell how it stands."""
        self.queued.labels(receiver).set_function(queued)
        self.parked.labels(receiver).set_function(parked)
        self.age.labels(receiver).set_function(age)

    def forget(self, receiver: str) -> None:
        """Show how a receiver stands no more; what was counted stays."""
        for gauge in (self.queued, self.parked, self.age):
            gauge.remove(receiver)
