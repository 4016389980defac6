"""What was last seen of a Headroom."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial

from monitor.alerting.inhibit import BLIND
from monitor.api_alert_models import AlertModel, Alerts
from monitor.api_models import Page, Series
from monitor.top.closeup import Closeup
from monitor.top.view import View
from rules.alerts import State
from rules.band import ZONES, Zone

NO_PAGE = Page(items=[], next=None, total=0, zones={}, newest_sample_at=None)
USUAL = View()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A series of the list, and what else is known of it."""

    told: Series
    closeup: Closeup | None
    alert: AlertModel | None

    @property
    def id(self) -> str:
        return self.told.id

    @property
    def zone(self) -> Zone:
        return ZONES[self.told.zone]

    @property
    def since(self) -> float | None:
        """Since when it is in its zone, in epoch seconds; None: longer than is known, or not known yet."""
        if self.alert:
            return self.alert.since.timestamp()
        return self.closeup.since if self.closeup else None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What Headroom answered: the page of a view, alerts, and what was not read yet, in words.

    at: when the page came, in epoch seconds; 0: never. closeups: of series of the page.
    complete: whether all of it was told once.
    """

    view: View = USUAL
    page: Page = NO_PAGE
    alerts: Alerts = field(default_factory=partial(Alerts, items=[], total=0))
    waiting: str = ""
    closeups: Mapping[str, Closeup] = field(default_factory=dict)
    at: float = 0.0
    complete: bool = False

    @cached_property
    def by_series(self) -> Mapping[str, AlertModel]:
        """The alerts by their series' id, which is theirs."""
        return {one.id: one for one in self.alerts.items}

    @property
    def rows(self) -> list[Shown]:
        """The series of the page."""
        return [
            Shown(told=one, closeup=self.closeups.get(one.id), alert=self.by_series.get(one.id))
            for one in self.page.items
        ]

    @property
    def counts(self) -> Mapping[Zone, int]:
        """How many series of the view's filters are in each zone (of all zones), the worst first."""
        return {ZONES[word]: count for word, count in self.page.zones.items()}

    @property
    def newest(self) -> datetime | None:
        """When the newest sample is of."""
        return self.page.newest_sample_at

    @property
    def firing(self) -> int:
        """How many of the alerts that were told fire."""
        return sum(one.state == State.FIRING.word for one in self.alerts.items)

    @property
    def blind(self) -> int:
        """How many alerts are of what is not seen."""
        return sum(one.zone == BLIND for one in self.alerts.items)

    def fires(self, identity: str) -> bool | None:
        """Whether an alert fires; None when it is not among those that were told."""
        if one := self.by_series.get(identity):
            return one.state == State.FIRING.word
        return False if self.complete and self.alerts.total == len(self.alerts.items) else None
