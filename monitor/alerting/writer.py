"""From the life of an alert to its notice: what is told when it begins, worsens, eases or ends."""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from monitor.alerting import sentence
from monitor.alerting.inhibit import is_blind
from monitor.alerting.lifecycle import Lifecycle
from monitor.alerting.notice import Kind, Notice, Severity
from monitor.alerting.sentence import Moment
from monitor.alerting.trend import Trend, trends
from monitor.columns import Ints
from monitor.config import Config
from monitor.fleet import Fleet, Key, Series
from monitor.judge import histories
from monitor.rows import Row, row_of
from monitor.selector import Labels
from rules.alerts import MARGIN, Rule, State
from rules.band import ZONES, Zone

GONE = "it is no longer there"
UNWANTED = "the configuration says that it is none"


Trends = Mapping[int, Trend | None]  # by place


class Stands(NamedTuple):
    """A rule on a series, the severity of its alert, and when the breach began, in epoch seconds."""

    severity: Severity
    rule: Rule
    since: int


class Writer:
    """Writes the notices of a fleet's alerts, numbered on from `number`. names: of accounts, by id."""

    def __init__(self, fleet: Fleet, lifecycle: Lifecycle, config: Config, number: int) -> None:
        self.config, self.names = config, dict[str, str]()
        self._fleet, self._lifecycle = fleet, lifecycle
        self._numbers = count(number + 1)

    def number(self) -> int:
        """The next notice's."""
        return next(self._numbers)

    def stands(self, series: Series, state: State) -> Stands | None:
        """The worst rule of a series in a state that is to be an alert; None when none is."""
        labels = Labels(*series.key, account_name=self.names.get(series.key.account, ""))
        for rule, since in self._lifecycle.rules(series.place, state):
            if severity := self.config.severity_of(labels, rule):
                return Stands(severity, rule, since * 60)
        return None

    def trends(self, places: Ints) -> Trends:
        """The trends of the usage of some series, by place; much faster for many at once."""
        return dict(zip(places.tolist(), trends(*histories(self._fleet, places)), strict=True))

    def trends_of(self, notices: Iterable[Notice]) -> Trends:
        """The same, of the series that notices are of."""
        found = (self._series_of(one) for one in notices)
        return self.trends(np.array([series.place for series in found if series], np.int32))

    def changed(
        self,
        series: Series,
        before: Notice | None,
        stands: Stands | None,
        at: float,
        trend: Trend | None,
    ) -> Notice | None:
        """The notice of what became of a series' alert; None when it is as it was.

        before: the last notice. stands: what fires now. trend: of the usage, where something fires.
        """
        lasting = before if before and before.firing else None
        if stands is None:
            return self._over(series, lasting, at) if lasting else None
        severity, rule, since = stands
        zone = ZONES[rule.word]
        kind = _kind(lasting, severity, zone)
        if kind is None:
            return None
        began = lasting.since if lasting else since
        more = {"number": self.number(), "severity": severity, "zone": zone, "since": began}
        return self._written(series, self._moment(series, kind, at, **more), trend)

    def again(self, before: Notice, at: float, trends: Trends) -> Notice:
        """The same alert as it is now."""
        series = self._series_of(before)
        if series is None:
            return replace(before, number=self.number(), at=at)
        more = {"severity": before.severity, "zone": ZONES[before.zone], "since": before.since}
        moment = self._moment(series, Kind.REPEATED, at, number=self.number(), **more)
        return self._written(series, moment, trends.get(series.place))

    def waiting(self, series: Series, at: float) -> Notice | None:
        """What would be told of a series whose breach has not lasted long enough yet; not numbered."""
        stands = self.stands(series, State.PENDING)
        if stands is None:
            return None
        severity, rule, since = stands
        more = {"number": 0, "severity": severity, "zone": ZONES[rule.word], "since": since}
        trend = self.trends(np.array([series.place], np.int32))[series.place]
        return self._written(series, self._moment(series, Kind.FIRING, at, **more), trend)

    def gone(self, before: Notice, at: float) -> Notice:
        """The end of the alert of a series that left the fleet."""
        return sentence.ended(key_of(before), before, self.number(), at, GONE)

    def _series_of(self, notice: Notice) -> Series | None:
        return None if is_blind(notice) else self._fleet.series.get(key_of(notice))

    def _over(self, series: Series, before: Notice, at: float) -> Notice:
        if self._lifecycle.rules(series.place, State.FIRING):
            return sentence.ended(series.key, before, self.number(), at, UNWANTED)
        row = row_of(self._fleet, series)
        more = {"number": self.number(), "severity": before.severity, "since": before.since}
        zone, reason = max(row.zone, Zone.BELOW), self._reason(series.place, row, before)
        return sentence.notice(row, self._moment(series, Kind.RESOLVED, at, zone=zone, reason=reason, **more))

    def _reason(self, place: int, row: Row, before: Notice) -> str:
        """That the limit changed, where the same usage would still be an alert by the limit before."""
        if row.usage is None or not before.limit:
            return ""
        fleet, by_then = self._fleet, row.usage / before.limit
        stays = {
            Zone.BELOW: by_then < fleet.low[place] * (1 + MARGIN),
            Zone.ABOVE: by_then > fleet.high[place] * (1 - MARGIN),
        }.get(ZONES[before.zone], by_then >= fleet.critical[place] * (1 - MARGIN))
        return sentence.limit_changed(before.limit, row.limit, row.unit) if stays else ""

    def _written(self, series: Series, moment: Moment, trend: Trend | None) -> Notice:
        return sentence.notice(row_of(self._fleet, series), moment, trend)

    def _moment(self, series: Series, kind: Kind, at: float, **more: Any) -> Moment:
        return Moment(
            alert=series.key.id,
            kind=kind,
            at=at,
            account_name=self.names.get(series.key.account, ""),
            tags=series.ruling.tags,
            links=self.config.links.of(series.key),
            **more,
        )


def key_of(one: Notice) -> Key:
    """The key of the series that an alert is of."""
    return Key(*(one.labels[name] for name in Key._fields))


def _kind(before: Notice | None, severity: Severity, zone: Zone) -> Kind | None:
    """What a firing alert is beside what was told of it; None when it is the same."""
    if before is None:
        return Kind.FIRING
    was, now = (before.severity.rank, ZONES[before.zone]), (severity.rank, zone)
    if was == now:
        return None
    return Kind.WORSENED if now > was else Kind.EASED
