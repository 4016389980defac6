"""The receivers of an alert, and whether each receiver was notified of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from monitor.alerting.delivery import ReceiverStatus
from monitor.alerting.engine import AlertEngine
from monitor.alerting.routes import RoutedReceiver
from monitor.notifiers.notice import Notice


class DeliveryState(StrEnum):
    """The state of notifying a receiver of an alert, worst last."""

    NOTIFIED = "notified"
    SOON = "soon"  # when `group_wait` or `group_interval` has passed
    LATER = "later, by its time window"
    QUEUED = "queued"
    FAILING = "failing"  # queued, and the last attempt failed
    UNDELIVERED = "not delivered"  # a dead letter

    @property
    def is_trouble(self) -> bool:
        """True if the receiver should have been notified by now and was not."""
        return self in (DeliveryState.QUEUED, DeliveryState.FAILING, DeliveryState.UNDELIVERED)


@dataclass(frozen=True, slots=True)
class AlertReceiver:
    """A receiver of an alert, and whether it was notified."""

    receiver: str
    state: DeliveryState

    @property
    def is_notified(self) -> bool:
        """True if the receiver was notified."""
        return self.state is DeliveryState.NOTIFIED


@dataclass(frozen=True, slots=True)
class AlertReceivers:
    """Finds the receivers of alerts. Any thread may call `receivers_of`.

    routes_of: returns the receivers to which an alert is routed. notified_receivers: by alert id, the
    receivers that were notified that the alert fires. queued_alerts: by receiver, the alerts with queued
    notices. undelivered_alerts: by receiver, the alerts in dead letters. failing_receivers: those whose last
    attempt failed.
    """

    routes_of: Callable[[Notice], Sequence[RoutedReceiver]]
    notified_receivers: Mapping[str, Iterable[str]]
    queued_alerts: Mapping[str, frozenset[str]]
    undelivered_alerts: Mapping[str, frozenset[str]]
    failing_receivers: frozenset[str]

    @classmethod
    def of(cls, engine: AlertEngine, receivers: Sequence[ReceiverStatus]) -> Self:
        """Return the present state of the engine and the receivers. Call it on the event loop."""
        undelivered_alerts = {
            status.receiver: frozenset(
                notice.alert for letter in status.dead_letters for notice in letter.notification.notices
            )
            for status in receivers
        }
        return cls(
            engine.routes_of,
            engine.notified_receivers(),
            {status.receiver: status.queued_alerts for status in receivers},
            undelivered_alerts,
            frozenset(status.receiver for status in receivers if status.stats.last_error),
        )

    def receivers_of(self, notice: Notice) -> list[AlertReceiver]:
        """Return the receivers of an alert: first the routed ones, then others that were notified of it."""
        notified = {*self.notified_receivers.get(notice.alert, ())}
        suppressed = {routed.receiver: routed.suppressed for routed in self.routes_of(notice)}
        names = dict.fromkeys([*suppressed, *sorted(notified)])
        return [AlertReceiver(name, self._state(notice.alert, name, notified, suppressed)) for name in names]

    def _state(
        self, alert: str, receiver: str, notified: set[str], suppressed: Mapping[str, bool]
    ) -> DeliveryState:
        """Return the state of one receiver. suppressed: by receiver, whether a time window defers notices."""
        if alert in self.queued_alerts.get(receiver, ()):
            return DeliveryState.FAILING if receiver in self.failing_receivers else DeliveryState.QUEUED
        if alert in self.undelivered_alerts.get(receiver, ()):
            return DeliveryState.UNDELIVERED
        if receiver in notified:
            return DeliveryState.NOTIFIED
        return DeliveryState.LATER if suppressed.get(receiver) else DeliveryState.SOON
