"""A stage for stories: a fleet that is fed minute by minute, judged, and told of to receivers that note it.

Everything is real but the clock, AWS and the receivers. A story gives each series a letter a minute:
`.` within its band, `b` below, `l` within but not clear of below, `h` within but not clear of above, `a`
above, `c` critical, `s` refused, `_` no sample. What is told are letters, too, those of `TELLS`.
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

from monitor.alerting.alarm import Alarm
from monitor.alerting.delivery import Delivery, Receiver
from monitor.alerting.delivery_telemetry import DeliveryTelemetry
from monitor.alerting.journal import Journal
from monitor.alerting.notice import Kind, Notice, Notification
from monitor.aws import Failure
from monitor.config import Config
from monitor.config_types import Sources
from monitor.fleet import Fleet, Key, Ruling, Series, fragment
from monitor.inventory import Outcome
from monitor.judge import judge
from monitor.notifiers.answer import Answer, delivered
from monitor.status import CellStatus, Told
from rules.limits import Limit, Source
from tests.monitor.fleets import ACCOUNT, NOW, REGION, RULING, add, key, refused, traffic

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
}
TELLS = {
    Kind.FIRING: "F",
    Kind.WORSENED: "W",
    Kind.EASED: "E",
    Kind.RESOLVED: "R",
    Kind.REPEATED: "r",
}
SHORT = replace(RULING, hold=2, keep_firing_for=2)
AT_ONCE = {"group_wait": 0, "group_interval": 0}
ALL = {**AT_ONCE, "severities": ["info", "warning", "critical"]}


def configuration(receivers: Iterable[str | Mapping[str, Any]] = ("pager",), **changes: Any) -> Config:
    """Receivers that are told at once of everything, unless `changes` say otherwise."""
    named = [
        {"name": one, "type": "webhook", "url": "https://example.org/"} if isinstance(one, str) else one
        for one in receivers
    ]
    return Config.model_validate({"receivers": named, "route": ALL} | changes, context=Sources())


class Stage:
    """sent: each notification, in order. told: of how the watching fares; who waits is told nothing twice."""

    def __init__(
        self,
        fleet: Fleet,
        journal: Journal,
        config: Config,
        minute: int,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.fleet, self.journal, self.minute = fleet, journal, minute
        self.seconds = minute * 60.0
        self.sent: list[Notification] = []
        self.answer: Answer = delivered("it took it")
        self.delivery = Delivery(
            journal, DeliveryTelemetry(CollectorRegistry()), now=self.clock, random=random
        )
        self.alarm = Alarm(fleet, journal, self.delivery, config, now=self.clock)
        self.told, self.names = Told(), {ACCOUNT: "prod"}
        self.configure(config)
        self.see()

    def clock(self) -> float:
        return self.seconds

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        folder: Path,
        config: Config | None = None,
        minute: int = NOW,
        fleet: Fleet | None = None,
        **more: Any,
    ) -> AsyncIterator["Stage"]:
        """A process of its own: what it remembers of those before is in the folder."""
        journal = await Journal.open(folder / "journal.db")
        try:
            yield cls(fleet or Fleet(), journal, config or configuration(), minute, **more)
        finally:
            await journal.close()

    def configure(self, config: Config) -> None:
        """As a reload does."""
        self.delivery.configure(
            Receiver(
                name=one.name,
                send=partial(self._take, one.name),
                per_alert=one.per_alert,
                keepalive=one.keepalive,
            )
            for one in config.receivers
        )
        self.alarm.configure(config)

    async def _take(self, name: str, notification: Notification) -> Answer:
        self.sent.append(notification)
        return self.answer

    def see(self, service: str = "kinesis", succeeded: float | None = -1.0, failures: Any = ()) -> None:
        """Have the cell be looked at, with success now unless told otherwise."""
        seen = self.seconds if succeeded == -1.0 else succeeded
        outcome = Outcome(attempted=self.seconds, succeeded=seen, failures=failures)
        self.told = Told(
            cells=[
                CellStatus(
                    account=ACCOUNT, region=REGION, name="prod", collectors={service: outcome}, poll=outcome
                )
            ]
        )

    def write(self, series: Series, minute: int, letter: str) -> None:
        """A sample of a minute; one that is missing was read, and is not there."""
        rows = self.fleet.metrics(series.key.cell)
        names = [fragment(one.of(StreamName=series.key.id)) for one in (traffic, refused)]
        row = np.array([rows[name] for name in names])
        if letter != "_":
            values = np.array(LETTERS[letter], np.float32) * (LIMIT * 60, 1)
            self.fleet.rings.write(row, np.array([minute] * 2), values.astype(np.float32))
            self.fleet.rings.mark_read(row, minute)

    async def turn(self, seconds: float = 0) -> list[Notice]:
        """A judgement, and what the receivers are told then."""
        self.seconds += seconds
        before = len(self.sent)
        judge(self.fleet, int(self.seconds // 60))
        await self.alarm.turn(self.told, self.names)
        await self.deliver()
        return [notice for one in self.sent[before:] for notice in one.notices]

    async def deliver(self) -> None:
        for sender in self.delivery.senders.values():
            while len(sender.outbox) and (sender.outbox.next() or 0) <= self.seconds:
                await sender.round()

    async def play(self, **stories: str) -> str:
        """Play stories of resources side by side; return what was told, as letters."""
        told = ""
        for letters in zip(*stories.values(), strict=True):
            for resource, letter in zip(stories, letters, strict=True):
                self.write(self.series(resource), self.minute, letter)
            self.minute += 1
            self.seconds = self.minute * 60.0
            self.fleet.confirmed[: self.fleet.size] = self.minute
            self.see()
            told += "".join(TELLS[notice.kind] for notice in await self.turn()) or "."
        return told

    def series(self, resource: str, ruling: Ruling = SHORT, **seen: Any) -> Series:
        """The series of a resource, registered when it is first named, or ruled otherwise."""
        known = self.fleet.series.get(key(resource))
        if known and ruling is SHORT and not seen:
            return known
        series = add(self.fleet, key(resource), ruling, **seen)
        self.fleet.confirmed[series.place] = self.minute
        return series

    def relimit(self, resource: str, limit: float) -> None:
        """As an inventory does that finds another limit."""
        ruling = self.series(resource).ruling
        self.series(resource, replace(ruling, limit=Limit(limit, Source.API, int(self.seconds))))

    @property
    def notices(self) -> list[Notice]:
        return [notice for one in self.sent for notice in one.notices]

    @property
    def states(self) -> Mapping[Key, str]:
        """The alerts that are active, as they are exported."""
        words = {1: "pending", 2: "firing"}
        return {
            self.fleet.by_place[one.place].key: f"{words[one.state]} {one.severity}"
            for one in self.alarm.active()
        }
