"""Describes each scene of the demo's story by Headroom's data, once Headroom has seen the scene."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from monitor.demo.receiver import DemoReceiver
from monitor.demo.scenes import Scene
from monitor.fleet.key import LABELS
from monitor.fleet.rows import Row
from monitor.notifiers.webhook_body import WebhookAlert
from rules.band import Zone
from rules.forecast import LIKELY

RISEN_UTILIZATION = 0.85


@dataclass(frozen=True, slots=True)
class Sighting:
    """The data of a sighting. row: the story's series. first_limit: the limit before it was raised."""

    row: Row
    first_limit: float
    receiver: DemoReceiver

    @property
    def subject(self) -> str:
        """The service and the resource of the series."""
        return f"{self.row.key.service} {self.row.key.resource}"

    @property
    def usage(self) -> str:
        """The utilization, the limit and the throttled demand, as text."""
        row = self.row
        percent = "?" if row.utilization is None else f"{row.utilization:.0%}".replace("%", " %")
        limit = "" if row.limit is None else f" of {row.unit.format(row.limit)}"
        throttled = f", {row.throttled:.3g}/s throttled" if row.throttled else ""
        return f"{self.subject}: {percent}{limit}{throttled}"

    def received(self, **fields: str) -> str:
        """Return the summary of the newest received alert on the series with these fields; else ''."""
        for notification in self.receiver.received:
            for alert in notification.data.alerts:
                if self._is_of_series(alert) and all(getattr(alert, name) == fields[name] for name in fields):
                    return f"{alert.summary}\nreceived by {self.receiver.address}"
        return ""

    def _is_of_series(self, alert: WebhookAlert) -> bool:
        labels = self.row.key.labels
        return all(alert.labels.get(name) == labels[name] for name in LABELS)


def risen(sighting: Sighting) -> str:
    """Return the usage once it has risen; until then, an empty text."""
    utilization = sighting.row.utilization
    return sighting.usage if utilization is not None and utilization >= RISEN_UTILIZATION else ""


def foreseen(sighting: Sighting) -> str:
    """Return the forecast once the limit will likely be reached within an hour; until then, an empty text."""
    reach = sighting.row.reach
    is_likely = reach.minutes and reach.probability and reach.probability[0] >= LIKELY
    minute = int(sighting.receiver.clock() // 60)
    return f"{sighting.subject}: {reach.text(minute)}" if is_likely else ""


def throttled(sighting: Sighting) -> str:
    """Return the usage once demand is throttled; until then, an empty text."""
    return sighting.usage if sighting.row.zone is Zone.SATURATED else ""


def notified(sighting: Sighting) -> str:
    """Return the alert on throttled demand once it was received; until then, an empty text."""
    return sighting.received(status="firing", severity="critical")


def raised(sighting: Sighting) -> str:
    """Return the limit once the higher one was read; until then, an empty text."""
    row, first = sighting.row, sighting.first_limit
    if row.limit is None or row.limit <= first:
        return ""
    now, before = row.unit.format(row.limit), row.unit.format(first)
    return f"{sighting.subject}: the limit is {now} now, instead of {before}"


def resolved(sighting: Sighting) -> str:
    """Return the end of the alert once it was received; until then, an empty text."""
    return sighting.received(status="resolved")


SIGHTINGS: Mapping[Scene, Callable[[Sighting], str]] = {
    Scene.RISE: risen,
    Scene.FORESEEN: foreseen,
    Scene.THROTTLED: throttled,
    Scene.NOTIFIED: notified,
    Scene.RAISED: raised,
    Scene.RESOLVED: resolved,
}
