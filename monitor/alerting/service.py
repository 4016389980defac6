"""Alerting as a whole: opens, configures and runs the journal, the alert engine and the deliveries."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from msgspec.structs import replace
from prometheus_client import CollectorRegistry, Gauge

from monitor.alerting.delivery import Delivery
from monitor.alerting.engine import AlertEngine
from monitor.alerting.journal import Journal
from monitor.alerting.journal_file import Connect, JournalFile, connect
from monitor.alerting.records import Acknowledgement, Silence
from monitor.alerting.sender import DeliveryTarget
from monitor.alerting.settings import AlertingSettings
from monitor.alerting.state_store import AlertStateStore
from monitor.alerting.telemetry import DeliveryTelemetry
from monitor.aws.status import MonitorStatus
from monitor.fleet.fleet import Fleet
from monitor.lib.telemetry import ProcessTelemetry, SnapshotGauge
from monitor.notifiers.reachability import ReachabilityProbe
from monitor.outbound.client import OutboundClient

MICROSECONDS_PER_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class AcknowledgedTogether:
    """The result of acknowledging several alerts at once.

    at: the time of all new acknowledgements, in epoch seconds. stored: the new acknowledgements. earlier: the
    previous acknowledgements of alerts that were acknowledged already. not_firing_count: the number of
    alerts that no longer fire, and so were not acknowledged.
    """

    at: float
    stored: Sequence[Acknowledgement]
    earlier: Sequence[Acknowledgement]
    not_firing_count: int


def is_same_time(first: float, second: float) -> bool:
    """Return true if two times are in the same microsecond, the precision of times as text."""
    return round(first * MICROSECONDS_PER_SECOND) == round(second * MICROSECONDS_PER_SECOND)


@dataclass(frozen=True, slots=True)
class Alerting:
    """The journal, the alert engine and the deliveries together. now: returns epoch seconds."""

    journal: AlertStateStore
    delivery: Delivery
    engine: AlertEngine
    client: OutboundClient
    reachability: ReachabilityProbe
    blind_places: SnapshotGauge
    now: Callable[[], float] = time.time

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        settings: AlertingSettings,
        fleet: Fleet,
        telemetry: ProcessTelemetry,
        connect: Connect = connect,
    ) -> AsyncIterator["Alerting"]:
        """Open alerting, with the state that the journal has. connect: opens the journal's database.

        Raises JournalError when another process holds the journal, or a newer Headroom created it.
        """
        path, registry = Path(settings.journal), telemetry.registry
        journal = await Journal.open(path, file=JournalFile(path, connect))
        _export_health(journal, registry)
        try:
            async with OutboundClient(endpoint_url=settings.endpoint_url) as client:
                delivery = Delivery(journal, DeliveryTelemetry(registry, telemetry.tracer))
                engine = AlertEngine(fleet, journal, delivery, settings)
                alerting = cls(
                    journal, delivery, engine, client, ReachabilityProbe(client), _blind_places(registry)
                )
                alerting.configure(settings)
                yield alerting
        finally:
            await journal.close()

    @property
    def public_url(self) -> str | None:
        """The URL at which people reach this server, as it is configured; None if it is not."""
        return self.engine.notice_builder.settings.links.headroom

    def configure(self, settings: AlertingSettings) -> None:
        """Apply new settings, except `journal` and `endpoint_url`, which only `opened` applies."""
        self.delivery.configure(
            DeliveryTarget(
                name=receiver.name,
                send=partial(receiver.send, client=self.client),
                per_alert=receiver.per_alert,
                keepalive=receiver.keepalive,
            )
            for receiver in settings.receivers
        )
        self.engine.configure(settings)
        self.reachability.configure(settings.receivers)

    async def acknowledge(
        self, alert: str, *, author: str, comment: str, duration: float | None = None
    ) -> Acknowledgement:
        """Acknowledge a firing alert at its present severity, so that it is not repeated.

        duration: seconds; None for as long as the alert fires. Raises NotFiringError when no alert with this
        id fires, and InvalidInputError for an author, comment or duration that is out of bounds.
        """
        now, notice = self.now(), self.engine.firing_notice(alert)
        acknowledgement = Acknowledgement(
            alert=alert,
            severity=notice.severity,
            author=author,
            comment=comment,
            at=now,
            until=None if duration is None else now + duration,
        )
        return await self.engine.acknowledge(acknowledgement)

    async def acknowledge_new(
        self, alerts: Iterable[str], *, author: str, comment: str
    ) -> AcknowledgedTogether:
        """Acknowledge those of the alerts that fire and are not acknowledged yet, all with the same time.

        Raises InvalidInputError for an author or a comment that is out of bounds.
        """
        now, distinct_alerts = self.now(), dict.fromkeys(alerts)
        firing = [
            notice for alert in distinct_alerts if (notice := self.engine.alerts.get(alert)) and notice.firing
        ]
        stored, earlier = await self.engine.acknowledge_new(
            Acknowledgement(
                alert=notice.alert, severity=notice.severity, author=author, comment=comment, at=now
            )
            for notice in firing
        )
        return AcknowledgedTogether(now, stored, earlier, len(distinct_alerts) - len(firing))

    async def comment(self, alert: str, *, author: str, comment: str) -> Acknowledgement:
        """Replace the comment of an alert's acknowledgement. Its author stays the same.

        If `author` is somebody else, the name is added to the comment.

        Raises KeyError when the alert is not acknowledged, and InvalidInputError for a comment out of bounds.
        """
        acknowledgement = self.engine.silences.acknowledgements[alert]
        text = comment if author == acknowledgement.author else f"{comment} ({author})"
        return await self.engine.acknowledge(
            replace(acknowledgement, comment=text if comment.strip() else "")
        )

    async def unacknowledge(self, alert: str) -> Acknowledgement:
        """Remove the acknowledgement of an alert, and restore the one that it replaced.

        Raises KeyError when there is none.
        """
        removed = await self.engine.unacknowledge(
            lambda acknowledgement: acknowledgement.alert == alert, self.now()
        )
        if not removed:
            raise KeyError(alert)
        return removed[0]

    async def undo_acknowledgements(self, at: float) -> list[Acknowledgement]:
        """Remove the acknowledgements that were made together at `at`, and return them.

        The acknowledgements that they replaced are restored.
        """
        return await self.engine.unacknowledge(
            lambda acknowledgement: is_same_time(acknowledgement.at, at), self.now()
        )

    async def silence(
        self,
        matchers: Iterable[str],
        *,
        author: str,
        comment: str,
        duration: float,
        starts: float | None = None,
    ) -> Silence:
        """Silence the alerts that all matchers match, for `duration` seconds.

        starts: the epoch second from which on it lasts, so that several silences can start together; None:
        now. Raises MatcherError for an invalid matcher, and InvalidInputError for any value that is out of
        bounds.
        """
        now = self.now()
        start = now if starts is None else starts
        silence = Silence(
            id="",
            matchers=tuple(matchers),
            starts=start,
            ends=start + duration,
            author=author,
            comment=comment,
        )
        return await self.engine.silence(silence, now)

    async def end_silence(self, silence_id: str) -> Silence:
        """End the silence with this id before its time. Raises KeyError when there is none."""
        return await self.engine.end_silence(silence_id)

    async def process(self, status: MonitorStatus, account_names: Mapping[str, str]) -> None:
        """Run the alert engine after a judgement (see `AlertEngine.process`), and export blind spots."""
        await self.engine.process(status, account_names)
        self.blind_places.replace(self.engine.blind_places())

    async def run(self) -> None:
        """Plan and deliver notifications until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.delivery.run(), name="delivery")
            tasks.create_task(self.engine.run(), name="alert engine")
            tasks.create_task(self.reachability.run(), name="reachability")


def _blind_places(registry: CollectorRegistry) -> SnapshotGauge:
    gauge = SnapshotGauge(
        "headroom_blind_places",
        "Unreadable regions and services of an account, by cause, while a blind-spot alert fires.",
        ["account", "cause"],
    )
    registry.register(gauge)
    return gauge


def _export_health(journal: AlertStateStore, registry: CollectorRegistry) -> None:
    """Export whether the journal works, and how many unusable rows it moved and corrupt files it renamed."""
    health = Gauge(
        "headroom_journal_healthy",
        "1 while alerts and notifications survive a restart, 0 while the journal fails.",
        registry=registry,
    )
    health.set_function(lambda: float(journal.failure is None))
    unusable = Gauge(
        "headroom_journal_set_aside",
        "Rows that this process moved to unusable_rows, and corrupt journal files that it renamed.",
        ["what"],
        registry=registry,
    )
    unusable.labels("row").set_function(lambda: float(journal.unusable_count))
    unusable.labels("file").set_function(lambda: float(len(journal.corrupt_files)))
