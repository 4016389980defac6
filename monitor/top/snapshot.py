"""The latest responses of a running Headroom."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial

from monitor.alerting.inhibit import BLIND_SIGNAL
from monitor.api.alert_models import AlertList, AlertModel
from monitor.api.models import SeriesModel, SeriesPageModel
from monitor.top.detail import SeriesDetail
from monitor.top.filters import SeriesView
from rules.alerts import AlertState
from rules.band import ZONES, Zone

EMPTY_PAGE = SeriesPageModel(items=[], next=None, total=0, zones={}, newest_sample_at=None)
DEFAULT_VIEW = SeriesView()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRow:
    """A series of the list, with its detail and its alert once they are known."""

    model: SeriesModel
    detail: SeriesDetail | None
    alert: AlertModel | None

    @property
    def id(self) -> str:
        """The id of the series."""
        return self.model.id

    @property
    def zone(self) -> Zone:
        """The zone of the series."""
        return ZONES[self.model.zone]

    @property
    def since(self) -> float | None:
        """The epoch second in which the alert of the series began; else, in which it entered its zone.

        None if that is unknown or before the history.
        """
        if self.alert:
            return self.alert.since.timestamp()
        return self.detail.since if self.detail else None


@dataclass(frozen=True, kw_only=True)
class TopSnapshot:
    """The latest responses: a page of series and the alerts.

    pending: a phrase with the accounts and services that Headroom has not read yet.
    details: the loaded details by series id.
    fetched_at: when the page was fetched, in epoch seconds; 0: never.
    complete: true once both the page and the alerts were fetched.
    """

    view: SeriesView = DEFAULT_VIEW
    page: SeriesPageModel = EMPTY_PAGE
    alerts: AlertList = field(default_factory=partial(AlertList, items=[], total=0))
    pending: str = ""
    details: Mapping[str, SeriesDetail] = field(default_factory=dict)
    fetched_at: float = 0.0
    complete: bool = False

    @cached_property
    def alerts_by_series(self) -> Mapping[str, AlertModel]:
        """The alerts by id, which is the id of the series unless it is about a forecast or a blind spot."""
        return {alert.id: alert for alert in self.alerts.items}

    @property
    def rows(self) -> list[SeriesRow]:
        """The rows of the list."""
        return [
            SeriesRow(
                model=series, detail=self.details.get(series.id), alert=self.alerts_by_series.get(series.id)
            )
            for series in self.page.items
        ]

    @property
    def counts(self) -> Mapping[Zone, int]:
        """The number of series in each zone, the worst zone first; the zone filter does not change them."""
        return {ZONES[word]: count for word, count in self.page.zones.items()}

    @property
    def newest_sample_at(self) -> datetime | None:
        """The time of the newest sample."""
        return self.page.newest_sample_at

    @property
    def firing_count(self) -> int:
        """The number of fetched alerts that fire."""
        return sum(alert.state == AlertState.FIRING.word for alert in self.alerts.items)

    @property
    def blind_spot_count(self) -> int:
        """The number of fetched alerts about blind spots."""
        return sum(alert.zone == BLIND_SIGNAL for alert in self.alerts.items)

    def is_firing(self, identity: str) -> bool | None:
        """Return whether an alert fires; None when that is unknown because not all alerts were fetched."""
        if alert := self.alerts_by_series.get(identity):
            return alert.state == AlertState.FIRING.word
        return False if self.complete and self.alerts.total == len(self.alerts.items) else None
