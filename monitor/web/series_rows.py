"""Series as rows of the pages' tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite

from markupsafe import Markup

from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.history import SeriesHistory
from monitor.fleet.key import Key
from monitor.fleet.reach import Reach
from monitor.fleet.snapshot import Snapshot
from monitor.render.forecast_words import ForecastWords, forecast_words
from monitor.render.list_drawings import gauge, sparkline_drawing, time_to_limit
from monitor.render.text import OptionalNumber, format_rate, shorten
from rules.band import Zone

NOT_MEASURED = "-"  # how `format_range` writes a usage without a sample
MAX_ACCOUNT_LENGTH = 40  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTableRow:
    """One series as a row of a table.

    throttled: demand per second; None when unknown. since: when the alert of the series began, or without an
    alert when the series entered its zone, in epoch seconds; None when it entered over three hours ago.
    now: the current minute.
    """

    series: Series
    zone: Zone
    account: str
    usage: str
    limit: str
    utilization: OptionalNumber
    throttled: OptionalNumber
    since: int | None
    reach: Reach
    now: int
    history: SeriesHistory

    @property
    def key(self) -> Key:
        """The key of the series."""
        return self.series.key

    @property
    def name(self) -> str:
        """The resource's name, shortened."""
        return shorten(self.key.display_name)

    @property
    def signal_title(self) -> str:
        """The signal's title."""
        return self.series.settings.signal.title

    @property
    def reports_throttling(self) -> bool:
        """True if AWS publishes a metric of throttled demand for this signal."""
        return self.series.settings.signal.reports_throttling

    @property
    def throttled_text(self) -> str:
        """The throttled demand per second as text; `yes` where only its presence is known."""
        is_state = self.series.settings.signal.saturation_is_state
        return "yes" if is_state and self.throttled else format_rate(self.throttled or 0.0)

    @property
    def short_usage(self) -> str:
        """The usage as text, without its unit where the limit has the same unit."""
        if self.usage == NOT_MEASURED:
            return "not known"
        amount, _, unit = self.usage.partition(" ")
        return amount if unit == self.limit.partition(" ")[2] else self.usage

    @property
    def gauge(self) -> Markup:
        """A drawing of the utilization in the target band; empty if it is unknown."""
        is_known = self.utilization is not None
        return gauge(self.utilization or 0.0, self.series.settings.band) if is_known else Markup("")

    @property
    def sparkline(self) -> Markup:
        """A drawing of three hours of utilization."""
        return sparkline_drawing(self.history.utilization, self.history.throttled)

    @property
    def time_to_limit(self) -> Markup:
        """A drawing of the time to the limit."""
        return time_to_limit(self.reach, self.now)

    @property
    def forecast(self) -> ForecastWords:
        """The time to the limit in words."""
        return forecast_words(self.reach, self.now)


def series_rows(snapshot: Snapshot, fleet: Fleet, slots: Iterable[int], now: int) -> list[SeriesTableRow]:
    """Return the rows of the series at these slots, except series that left the fleet since the snapshot.

    now: the current minute, since the epoch. Call it on the event loop, because polls write the same data.
    """
    alert_starts = {alert.slot: alert.since for alert in snapshot.alerts}
    present = [series for slot in slots if (series := snapshot.series[slot]).key in fleet.series]
    histories = SeriesHistory.of_each(fleet, present, now)
    return [
        _row(snapshot, series, history, alert_starts)
        for series, history in zip(present, histories, strict=True)
    ]


def series_row(
    snapshot: Snapshot, fleet: Fleet, series: Series, now: int, alert_starts: Mapping[int, int]
) -> SeriesTableRow:
    """Return the row of one series. alert_starts: when the alert of a slot began, in epoch seconds."""
    return _row(snapshot, series, SeriesHistory.of(fleet, series, now), alert_starts)


def _row(
    snapshot: Snapshot, series: Series, history: SeriesHistory, alert_starts: Mapping[int, int]
) -> SeriesTableRow:
    slot, signal = series.slot, series.settings.signal
    zone = Zone(int(snapshot.zone[slot]))
    zone_minute = history.since(zone)
    usage, upper_bound, limit, throttled, utilization = (
        finite_or_none(column[slot])
        for column in (
            snapshot.usage,
            snapshot.upper_bound,
            snapshot.limit,
            snapshot.saturation,
            snapshot.utilization,
        )
    )
    return SeriesTableRow(
        series=series,
        zone=zone,
        account=shorten(
            snapshot.account_names.get(series.key.account, series.key.account), MAX_ACCOUNT_LENGTH
        ),
        usage=signal.unit.format_range(usage, upper_bound, bool(snapshot.bounded[slot])),
        limit=signal.unit.format(limit) if limit is not None else "unknown",
        utilization=utilization,
        throttled=throttled,
        since=alert_starts.get(slot) or (zone_minute * 60 if zone_minute else None),
        reach=snapshot.reach.of(slot),
        now=history.end,
        history=history,
    )


def finite_or_none(value: float) -> OptionalNumber:
    """Return a column's value as a float; None for NaN and infinities."""
    return float(value) if isfinite(value) else None
