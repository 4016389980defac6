"""The receivers of an alert, and how far each was told of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from monitor.alerting.delivery import ReceiverStatus
from monitor.alerting.engine import AlertEngine
from monitor.alerting.routes import RoutedReceiver
from monitor.notifiers.notice import Notice


class DeliveryState(StrEnum):
    """The state of telling a receiver of an alert, the worst last."""

    TOLD = "told"
    SOON = "soon"  # once `group_wait` or `group_interval` has passed
    LATER = "later, by its time window"
    QUEUED = "queued"
    FAILING = "failing"  # queued, and the last attempt failed
    UNDELIVERED = "not delivered"  # a dead letter

    @property
    def is_trouble(self) -> bool:
        """True where somebody should have been told and was not."""
        return self in (DeliveryState.QUEUED, DeliveryState.FAILING, DeliveryState.UNDELIVERED)


@dataclass(frozen=True, slots=True)
class ToldReceiver:
    """A receiver of an alert."""

    receiver: str
    state: DeliveryState

    @property
    def is_told(self) -> bool:
        """True if it was told."""
        return self.state is DeliveryState.TOLD


@dataclass(frozen=True, slots=True)
class ToldReceivers:
    """Finds the receivers of alerts. Any thread may use it.

    routes: returns where routes lead an alert. known: the receivers that know an alert as firing, by its id.
    queued, undelivered: by receiver, the alerts that wait, and those of which it could not be told. failing:
    the receivers whose last attempt failed.
    """

    routes: Callable[[Notice], Sequence[RoutedReceiver]]
    known: Mapping[str, Iterable[str]]
    queued: Mapping[str, frozenset[str]]
    undelivered: Mapping[str, frozenset[str]]
    failing: frozenset[str]

    @classmethod
    def of(cls, engine: AlertEngine, receivers: Sequence[ReceiverStatus]) -> Self:
        """Return what is known now. Call it on the event loop."""
        undelivered = {
            one.receiver: frozenset(
                notice.alert for dead in one.dead_letters for notice in dead.notification.notices
            )
            for one in receivers
        }
        return cls(
            engine.routes_of,
            engine.notified_receivers(),
            {one.receiver: one.queued_alerts for one in receivers},
            undelivered,
            frozenset(one.receiver for one in receivers if one.stats.last_error),
        )

    def told(self, notice: Notice) -> list[ToldReceiver]:
        """Return the receivers of an alert: those that routes lead it to, and others that know it."""
        known = {*self.known.get(notice.alert, ())}
        routed = {one.receiver: one.suppressed for one in self.routes(notice)}
        names = dict.fromkeys([*routed, *sorted(known)])
        return [ToldReceiver(one, self._state(notice.alert, one, known, routed)) for one in names]

    def _state(self, alert: str, receiver: str, known: set[str], routed: Mapping[str, bool]) -> DeliveryState:
        if alert in self.queued.get(receiver, ()):
            return DeliveryState.FAILING if receiver in self.failing else DeliveryState.QUEUED
        if alert in self.undelivered.get(receiver, ()):
            return DeliveryState.UNDELIVERED
        if receiver in known:
            return DeliveryState.TOLD
        return DeliveryState.LATER if routed.get(receiver) else DeliveryState.SOON
