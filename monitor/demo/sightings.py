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

RISEN_UTILIZATION = 0.85  # from this utilization on, the rise counts as seen


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
    def usage_text(self) -> str:
        """The utilization, the limit and the throttled demand, as text."""
        row = self.row
        percent = "?" if row.utilization is None else f"{row.utilization:.0%}".replace("%", " %")
        limit = "" if row.limit is None else f" of {row.unit.format(row.limit)}"
        throttled = f", {row.throttled:.3g}/s throttled" if row.throttled else ""
        return f"{self.subject}: {percent}{limit}{throttled}"

    @property
    def throttling_alert(self) -> WebhookAlert | None:
        """The alert on the throttled demand of the series as it began; None until it is received."""
        return self._received_alert(status="firing", severity="critical")

    @property
    def ended_alert(self) -> WebhookAlert | None:
        """The same alert as it ended, not that of a forecast; None until its end is received."""
        alert = self.throttling_alert
        return self._received_alert(status="resolved", id=alert.id) if alert else None

    def summary_of(self, alert: WebhookAlert | None) -> str:
        """Return the summary of a received alert, and who received it; '' without an alert."""
        return f"{alert.summary}\nreceived by {self.receiver.address}" if alert else ""

    def _received_alert(self, **fields: str) -> WebhookAlert | None:
        """Return the newest received alert on the series with these fields, if there is one."""
        for notification in self.receiver.received:
            for alert in notification.data.alerts:
                if self._is_of_series(alert) and all(getattr(alert, name) == fields[name] for name in fields):
                    return alert
        return None

    def _is_of_series(self, alert: WebhookAlert) -> bool:
        labels = self.row.key.labels
        return all(alert.labels.get(name) == labels[name] for name in LABELS)


def risen_usage(sighting: Sighting) -> str:
    """Return the usage once it has risen; until then, an empty text."""
    utilization = sighting.row.utilization
    return sighting.usage_text if utilization is not None and utilization >= RISEN_UTILIZATION else ""


def likely_forecast(sighting: Sighting) -> str:
    """Return the forecast once the limit will likely be reached within an hour; until then, an empty text."""
    reach = sighting.row.reach
    is_likely = reach.minutes and reach.probability and reach.probability[0] >= LIKELY
    minute = int(sighting.receiver.clock() // 60)
    return f"{sighting.subject}: {reach.text(minute)}" if is_likely else ""


def throttled_usage(sighting: Sighting) -> str:
    """Return the usage once demand is throttled; until then, an empty text."""
    return sighting.usage_text if sighting.row.zone is Zone.SATURATED else ""


def firing_alert(sighting: Sighting) -> str:
    """Return the alert on throttled demand once it was received; until then, an empty text."""
    return sighting.summary_of(sighting.throttling_alert)


def raised_limit(sighting: Sighting) -> str:
    """Return the raised limit once Headroom has read it; until then, an empty text."""
    row, first_limit = sighting.row, sighting.first_limit
    if row.limit is None or row.limit <= first_limit:
        return ""
    new_text, first_text = row.unit.format(row.limit), row.unit.format(first_limit)
    return f"{sighting.subject}: the limit is {new_text} now, instead of {first_text}"


def resolved_alert(sighting: Sighting) -> str:
    """Return the end of the alert once it was received; until then, an empty text."""
    return sighting.summary_of(sighting.ended_alert)


SIGHTINGS: Mapping[Scene, Callable[[Sighting], str]] = {
    Scene.RISE: risen_usage,
    Scene.FORESEEN: likely_forecast,
    Scene.THROTTLED: throttled_usage,
    Scene.NOTIFIED: firing_alert,
    Scene.RAISED: raised_limit,
    Scene.RESOLVED: resolved_alert,
}
