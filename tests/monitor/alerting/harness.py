"""A fleet that gets samples minute by minute, with an alert engine and receivers that record notifications.

Only the clock, AWS and the receivers are replaced. Samples are text, with one letter for each minute of a
series:

    .  within the band               a  above the band
    b  below the band                c  near the limit
    l  within, near the lower edge   s  throttled
    h  within, near the upper edge   ?  within the band, throttled demand not read
                                     _  no sample

Notices are text, too: the letters are those of `LETTER_OF_KIND`, and `.` is a minute without a notice.
"""

import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Set
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry

from collectors.resource import ResourcePath
from monitor.alerting.delivery import Delivery
from monitor.alerting.engine import AlertEngine
from monitor.alerting.journal import Journal
from monitor.alerting.sender import DeliveryTarget
from monitor.alerting.state_store import AlertStateStore
from monitor.alerting.telemetry import DeliveryTelemetry
from monitor.aws.failure import Failure
from monitor.aws.run_status import RunStatus
from monitor.aws.status import CellStatus, MonitorStatus
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.series_settings import SeriesSettings
from monitor.notifiers.notice import Notice, NoticeKind, Notification
from monitor.outbound.result import DeliveryResult, delivered_result
from monitor.schema.types import ConfigContext
from rules.limits import Limit, LimitSource
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, SETTINGS, add, key, throttled_metric, traffic
from tests.registries import REGISTRY

LIMIT = 1000.0  # bytes a second, of each series
DENIED = Failure("ListStreams", "", "AccessDeniedException", "no")
LETTERS = {  # by letter: utilization, and the demand throttled in the minute
    "b": (0.10, 0.0),
    "l": (0.41, 0.0),
    ".": (0.50, 0.0),
    "h": (0.68, 0.0),
    "a": (0.80, 0.0),
    "c": (0.95, 0.0),
    "s": (1.00, 60.0),
    "?": (0.50, 0.0),
    "_": (0.0, 0.0),
}
UNREAD_THROTTLED_DEMAND = "?"  # the letter of a sample whose throttled demand is not read
LETTER_OF_KIND = {
    NoticeKind.FIRING: "F",
    NoticeKind.WORSENED: "W",
    NoticeKind.EASED: "E",
    NoticeKind.RESOLVED: "R",
    NoticeKind.REPEATED: "r",
}
SHORT = replace(SETTINGS, pending_for=2, keep_firing_for=2)  # settings of series: the durations are 2 minutes
AT_ONCE = {"group_wait": 0, "group_interval": 0}  # a route that does not wait
ALL = {**AT_ONCE, "severities": ["info", "warning", "critical"]}  # a route for all alerts that does not wait


def configuration(receivers: Iterable[str | Mapping[str, Any]] = ("pager",), **changes: Any) -> Config:
    """Return a configuration whose receivers get every notice at once. `changes` replace keys of the file.

    receivers: each is the name of a webhook, or the configuration of any receiver.
    """
    receiver_settings = [
        {"name": receiver, "type": "webhook", "url": "https://example.org/"}
        if isinstance(receiver, str)
        else receiver
        for receiver in receivers
    ]
    return Config.model_validate(
        {"receivers": receiver_settings, "route": ALL} | changes, context=ConfigContext()
    )


@asynccontextmanager
async def open_store(storage: Path | MemoryStore) -> AsyncIterator[AlertStateStore]:
    """Yield a store: the journal in a folder, or the store in memory that is passed."""
    if isinstance(storage, MemoryStore):
        yield storage
        return
    journal = await Journal.open(storage / "journal.db")
    try:
        yield journal
    finally:
        await journal.close()


class AlertingHarness:
    """A process of the alert engine with its own clock, for tests that give it samples and read its notices.

    sent: all notifications, in order. status: the status of the monitor. answer: the result that receivers
    return. minute: the minute of the next sample. seconds: the time of the clock, in epoch seconds.
    """

    def __init__(
        self,
        fleet: Fleet,
        store: AlertStateStore,
        config: Config,
        minute: int,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.fleet, self.store, self.minute = fleet, store, minute
        self.seconds = minute * 60.0
        self.sent: list[Notification] = []
        self.answer: DeliveryResult = delivered_result("accepted")
        self.delivery = Delivery(store, DeliveryTelemetry(CollectorRegistry()), now=self.clock, random=random)
        self.engine = AlertEngine(
            fleet, store, self.delivery, config.alerting_settings(REGISTRY), now=self.clock
        )
        self.status, self.account_names = MonitorStatus(), {ACCOUNT: "prod"}
        self.configure(config)
        self.set_read_result()

    def clock(self) -> float:
        return self.seconds

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        storage: Path | MemoryStore,
        config: Config | None = None,
        minute: int = NOW,
        fleet: Fleet | None = None,
        **options: Any,
    ) -> AsyncIterator["AlertingHarness"]:
        """Start a process that continues from the state in a folder or a store. options: see `__init__`."""
        async with open_store(storage) as store:
            yield cls(fleet or Fleet(), store, config or configuration(), minute, **options)

    def configure(self, config: Config) -> None:
        """Apply a configuration, as a reload does."""
        self.delivery.configure(
            DeliveryTarget(
                name=receiver.name,
                send=partial(self._receive, receiver.name),
                per_alert=receiver.per_alert,
                keepalive=receiver.keepalive,
            )
            for receiver in config.receivers
        )
        self.engine.configure(config.alerting_settings(REGISTRY))

    async def _receive(self, name: str, notification: Notification) -> DeliveryResult:
        self.sent.append(notification)
        return self.answer

    def set_read_result(
        self,
        service: str = "kinesis",
        succeeded: float | None = -1.0,
        failures: Any = (),
        unread: Set[ResourcePath] | None = None,
    ) -> None:
        """Set the result of reading the cell's resources and metrics; by default a success now.

        succeeded: when a read last succeeded, in epoch seconds; -1 for now, None for never. unread: see
        `RunStatus`; by default empty after a success.
        """
        succeeded_at = self.seconds if succeeded == -1.0 else succeeded
        if unread is None and succeeded_at is not None:
            unread = frozenset()
        run = RunStatus(started_at=self.seconds, succeeded_at=succeeded_at, failures=failures, unread=unread)
        self.status = MonitorStatus(
            cells=[
                CellStatus(account=ACCOUNT, region=REGION, name="prod", collectors={service: run}, poll=run)
            ]
        )

    def write(self, series: Series, minute: int, letter: str) -> None:
        """Write the sample of a minute, and mark the minute as read. For `_`, do neither.

        Metrics that no series uses get no point.
        """
        row_by_query, (utilization, throttled) = self.fleet.metrics(series.key.cell), LETTERS[letter]
        usage_point = (traffic, utilization * LIMIT * 60)
        points_by_letter = {"_": [], UNREAD_THROTTLED_DEMAND: [usage_point]}
        points = points_by_letter.get(letter, [usage_point, (throttled_metric, throttled)])
        value_by_row = {
            row_by_query.get(metric_query(metric.of(StreamName=series.key.id))): value
            for metric, value in points
        }
        value_by_row.pop(None, None)
        if value_by_row:
            rows, values = np.array([*value_by_row], np.int32), np.array([*value_by_row.values()], np.float32)
            self.fleet.rings.write(rows, np.full_like(rows, minute), values, mark_read_follows=True)
            self.fleet.rings.mark_read(rows, minute)

    async def process(self, seconds: float = 0) -> list[Notice]:
        """Advance the clock, judge the fleet, run the engine, and return the notices that receivers got."""
        self.seconds += seconds
        earlier_count = len(self.sent)
        judge(self.fleet, int(self.seconds // 60))
        await self.engine.process(self.status, self.account_names)
        await self.deliver()
        return [notice for notification in self.sent[earlier_count:] for notice in notification.notices]

    async def deliver(self) -> None:
        """Make the delivery attempts that are due."""
        for sender in self.delivery.senders.values():
            while len(sender.outbox) and (sender.outbox.next_due() or 0) <= self.seconds:
                await sender.send_due()

    async def run_minutes(self, **samples: str) -> str:
        """Write the samples of resources minute by minute, and run the engine after each minute.

        Returns the letters of the notices sent.
        """
        sent_letters = ""
        for letters in zip(*samples.values(), strict=True):
            for resource, letter in zip(samples, letters, strict=True):
                self.write(self.series(resource), self.minute, letter)
            self.minute += 1
            self.seconds = self.minute * 60.0
            self.fleet.confirmed[: self.fleet.size] = self.minute
            self.set_read_result()
            sent_letters += "".join(LETTER_OF_KIND[notice.kind] for notice in await self.process()) or "."
        return sent_letters

    async def run_hours(self, hours: int, **letters: str) -> str:
        """Write samples as `run_minutes` does, but for whole hours, and run the engine once an hour.

        letters: by resource, the letter of all its samples.
        """
        sent_letters = ""
        for _ in range(hours):
            for minute in range(self.minute, self.minute + 59):
                for resource, letter in letters.items():
                    self.write(self.series(resource), minute, letter)
            self.minute += 59
            sent_letters += await self.run_minutes(**letters)
        return sent_letters

    def series(self, resource: str, settings: SeriesSettings = SHORT, **options: Any) -> Series:
        """Return the series of a resource. It is added if it is new, and replaced if options are given."""
        existing = self.fleet.series.get(key(resource))
        if existing and settings is SHORT and not options:
            return existing
        series = add(self.fleet, key(resource), settings, **options)
        self.fleet.confirmed[series.slot] = self.minute
        return series

    def change_limit(self, resource: str, limit: float) -> None:
        """Change the limit of a series, as an inventory does."""
        settings = self.series(resource).settings
        self.series(resource, replace(settings, limit=Limit(limit, LimitSource.API, int(self.seconds))))

    @property
    def notices(self) -> list[Notice]:
        """The notices of all notifications, in order."""
        return [notice for notification in self.sent for notice in notification.notices]

    @property
    def states(self) -> Mapping[Key, str]:
        """The state and severity of each active alert."""
        state_words = {1: "pending", 2: "firing"}
        return {
            self.fleet.by_slot[alert.slot].key: f"{state_words[alert.state]} {alert.severity}"
            for alert in self.engine.active_alerts()
        }
