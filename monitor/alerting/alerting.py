"""Alerting as one thing to open, configure and run: journal, deliveries, alarm and the way out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge

from monitor.alerting.alarm import Alarm
from monitor.alerting.delivery import Delivery, Receiver
from monitor.alerting.delivery_telemetry import DeliveryTelemetry
from monitor.alerting.journal import Journal
from monitor.alerting.reach import Reach
from monitor.config import Config
from monitor.fleet import Fleet
from monitor.outbound import Outbound


@dataclass(frozen=True, slots=True)
class Alerting:
    """What remembers, decides and tells. `run` until cancelled; `configure` at each reload."""

    journal: Journal
    delivery: Delivery
    alarm: Alarm
    client: Outbound
    reach: Reach

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, config: Config, fleet: Fleet, registry: CollectorRegistry
    ) -> AsyncIterator["Alerting"]:
        """Raises JournalError when another process holds the journal, or a newer Headroom made it."""
        journal = await Journal.open(Path(config.journal))
        health = Gauge("headroom_journal_healthy", "1 when what is told would survive.", registry=registry)
        health.set_function(lambda: float(journal.healthy))
        try:
            async with Outbound(endpoint_url=config.endpoint_url) as client:
                delivery = Delivery(journal, DeliveryTelemetry(registry))
                alerting = cls(
                    journal, delivery, Alarm(fleet, journal, delivery, config), client, Reach(client)
                )
                alerting.configure(config)
                yield alerting
        finally:
            await journal.close()

    def configure(self, config: Config) -> None:
        """Take the receivers, routes and texts of a configuration into use."""
        self.delivery.configure(
            Receiver(
                name=one.name,
                send=partial(one.send, client=self.client),
                per_alert=one.per_alert,
                keepalive=one.keepalive,
            )
            for one in config.receivers
        )
        self.alarm.configure(config)
        self.reach.configure(config.receivers)

    async def run(self) -> None:
        """Deliver, and tell what becomes due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.delivery.run(), name="delivery")
            tasks.create_task(self.alarm.run(), name="alarm")
            tasks.create_task(self.reach.run(), name="reach")
