"""A fleet that gets samples minute by minute, with an alert engine and receivers that record notifications.

Only the clock, AWS and the receivers are replaced. A story has one letter for each minute of a series: `.` is
within its band, `b` below, `l` within but not clear of below, `h` within but not clear of above, `a` above,
`c` near the limit, `s` throttled, `?` within its band while the throttles are not read, `_` no sample. The
notices that receivers get are letters of `LETTER_OF_KIND`.
"""

import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry

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
from monitor.outbound.result import DeliveryResult, delivered
from monitor.schema.types import ConfigContext
from rules.limits import Limit, LimitSource
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, SETTINGS, add, key, refused, traffic
from tests.registries import REGISTRY

LIMIT = 1000.0
DENIED = Failure("ListStreams", "", "AccessDeniedException", "no")
LETTERS = {
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
UNREAD_THROTTLES = "?"
LETTER_OF_KIND = {
    NoticeKind.FIRING: "F",
    NoticeKind.WORSENED: "W",
    NoticeKind.EASED: "E",
    NoticeKind.RESOLVED: "R",
    NoticeKind.REPEATED: "r",
}
SHORT = replace(SETTINGS, pending_for=2, keep_firing_for=2)
AT_ONCE = {"group_wait": 0, "group_interval": 0}
ALL = {**AT_ONCE, "severities": ["info", "warning", "critical"]}


def configuration(receivers: Iterable[str | Mapping[str, Any]] = ("pager",), **changes: Any) -> Config:
    """Return a configuration with receivers that get every notice at once, with changes."""
    named = [
        {"name": one, "type": "webhook", "url": "https://example.org/"} if isinstance(one, str) else one
        for one in receivers
    ]
    return Config.model_validate({"receivers": named, "route": ALL} | changes, context=ConfigContext())


@asynccontextmanager
async def open_store(storage: Path | MemoryStore) -> AsyncIterator[AlertStateStore]:
    """Open the journal in a folder; yield a store in memory unchanged."""
    if isinstance(storage, MemoryStore):
        yield storage
        return
    journal = await Journal.open(storage / "journal.db")
    try:
        yield journal
    finally:
        await journal.close()


class Stage:
    """A process with its own clock. sent: all notifications, in order. status: of the monitor.

    answer: the result that receivers return. seconds: the time, in epoch seconds.
    """

    def __init__(
        self,
        fleet: Fleet,
        journal: AlertStateStore,
        config: Config,
        minute: int,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.fleet, self.store, self.minute = fleet, journal, minute
        self.seconds = minute * 60.0
        self.sent: list[Notification] = []
        self.answer: DeliveryResult = delivered("it took it")
        self.delivery = Delivery(
            journal, DeliveryTelemetry(CollectorRegistry()), now=self.clock, random=random
        )
        self.engine = AlertEngine(
            fleet, journal, self.delivery, config.alerting_settings(REGISTRY), now=self.clock
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
        **more: Any,
    ) -> AsyncIterator["Stage"]:
        """Start a process that continues from the state in a folder or a store."""
        async with open_store(storage) as store:
            yield cls(fleet or Fleet(), store, config or configuration(), minute, **more)

    def configure(self, config: Config) -> None:
        """Apply a configuration, as a reload does."""
        self.delivery.configure(
            DeliveryTarget(
                name=one.name,
                send=partial(self._take, one.name),
                per_alert=one.per_alert,
                keepalive=one.keepalive,
            )
            for one in config.receivers
        )
        self.engine.configure(config.alerting_settings(REGISTRY))

    async def _take(self, name: str, notification: Notification) -> DeliveryResult:
        self.sent.append(notification)
        return self.answer

    def set_read_result(
        self, service: str = "kinesis", succeeded: float | None = -1.0, failures: Any = ()
    ) -> None:
        """Set the result of reading the cell; by default a success now. succeeded: epoch seconds, or None."""
        succeeded_at = self.seconds if succeeded == -1.0 else succeeded
        run = RunStatus(started_at=self.seconds, succeeded_at=succeeded_at, failures=failures)
        self.status = MonitorStatus(
            cells=[
                CellStatus(account=ACCOUNT, region=REGION, name="prod", collectors={service: run}, poll=run)
            ]
        )

    def write(self, series: Series, minute: int, letter: str) -> None:
        """Write the sample of a minute, and mark the minute as read. `_` writes no sample.

        Metrics that no series uses have none.
        """
        rows, (used, throttled) = self.fleet.metrics(series.key.cell), LETTERS[letter]
        points = {"_": [], UNREAD_THROTTLES: [(traffic, used * LIMIT * 60)]}
        written = points.get(letter, [(traffic, used * LIMIT * 60), (refused, throttled)])
        value_of = {
            rows.get(metric_query(metric.of(StreamName=series.key.id))): value for metric, value in written
        }
        value_of.pop(None, None)
        if value_of:
            found, values = np.array([*value_of], np.int32), np.array([*value_of.values()], np.float32)
            self.fleet.rings.write(found, np.full_like(found, minute), values, marked_next=True)
            self.fleet.rings.mark_read(found, minute)

    async def process(self, seconds: float = 0) -> list[Notice]:
        """Advance the clock, judge the fleet, run the engine, and return the notices that receivers got."""
        self.seconds += seconds
        before = len(self.sent)
        judge(self.fleet, int(self.seconds // 60))
        await self.engine.process(self.status, self.account_names)
        await self.deliver()
        return [notice for one in self.sent[before:] for notice in one.notices]

    async def deliver(self) -> None:
        """Make the attempts that are due."""
        for sender in self.delivery.senders.values():
            while len(sender.outbox) and (sender.outbox.next_due() or 0) <= self.seconds:
                await sender.send_due()

    async def play(self, **stories: str) -> str:
        """Play the stories of several resources in parallel. Return the letters of the notices sent."""
        sent = ""
        for letters in zip(*stories.values(), strict=True):
            for resource, letter in zip(stories, letters, strict=True):
                self.write(self.series(resource), self.minute, letter)
            self.minute += 1
            self.seconds = self.minute * 60.0
            self.fleet.confirmed[: self.fleet.size] = self.minute
            self.set_read_result()
            sent += "".join(LETTER_OF_KIND[notice.kind] for notice in await self.process()) or "."
        return sent

    async def play_hours(self, hours: int, **letters: str) -> str:
        """Play hours in each minute of which a resource does the same, polled once an hour."""
        sent = ""
        for _ in range(hours):
            for minute in range(self.minute, self.minute + 59):
                for resource, letter in letters.items():
                    self.write(self.series(resource), minute, letter)
            self.minute += 59
            sent += await self.play(**letters)
        return sent

    def series(self, resource: str, settings: SeriesSettings = SHORT, **options: Any) -> Series:
        """Return the series of a resource. It is added on the first call, and again with new settings."""
        known = self.fleet.series.get(key(resource))
        if known and settings is SHORT and not options:
            return known
        series = add(self.fleet, key(resource), settings, **options)
        self.fleet.confirmed[series.slot] = self.minute
        return series

    def relimit(self, resource: str, limit: float) -> None:
        """Change the limit of a series, as an inventory does."""
        settings = self.series(resource).settings
        self.series(resource, replace(settings, limit=Limit(limit, LimitSource.API, int(self.seconds))))

    @property
    def notices(self) -> list[Notice]:
        return [notice for one in self.sent for notice in one.notices]

    @property
    def states(self) -> Mapping[Key, str]:
        """The state and severity of each active alert."""
        words = {1: "pending", 2: "firing"}
        return {
            self.fleet.by_slot[one.slot].key: f"{words[one.state]} {one.severity}"
            for one in self.engine.active_alerts()
        }
