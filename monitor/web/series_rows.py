"""Series as rows of the pages' tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite

from markupsafe import Markup

from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.history import SeriesHistory
from monitor.fleet.key import Key
from monitor.fleet.snapshot import Snapshot
from monitor.render.svg import utilization_bar, utilization_sparkline
from monitor.render.text import OptionalNumber, format_rate, shorten
from rules.band import Zone

MAX_ACCOUNT_LENGTH = 40  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTableRow:
    """One series as a row of a table.

    throttled: demand per second; None when unknown. since: when it entered its zone, in epoch seconds; None
    when that was over three hours ago. bar, sparkline: SVG drawings of the utilization.
    """

    series: Series
    zone: Zone
    account: str
    usage: str
    limit: str
    utilization: OptionalNumber
    throttled: OptionalNumber
    since: int | None
    bar: Markup
    sparkline: Markup

    @property
    def key(self) -> Key:
        """The key of the series."""
        return self.series.key

    @property
    def name(self) -> str:
        """The resource's name, shortened."""
        return shorten(self.key.shown)

    @property
    def title(self) -> str:
        """The signal's title."""
        return self.series.settings.signal.title

    @property
    def reports_throttling(self) -> bool:
        """True if AWS publishes a metric of throttled demand for this signal."""
        return self.series.settings.signal.reports_throttling

    @property
    def throttling(self) -> str:
        """The throttled demand per second as text; that there is some, where its amount is not known."""
        is_state = self.series.settings.signal.saturation_is_state
        return "yes" if is_state and self.throttled else format_rate(self.throttled or 0.0)


def series_rows(snapshot: Snapshot, fleet: Fleet, slots: Iterable[int], now: int) -> list[SeriesTableRow]:
    """Return the rows of the series at these slots, without those that left the fleet since the snapshot.

    now: the current minute, since the epoch. Call it on the event loop, as polls write what it reads.
    """
    alert_starts = {one.slot: one.since for one in snapshot.alerts}
    series = [snapshot.series[slot] for slot in slots]
    return [series_row(snapshot, fleet, one, now, alert_starts) for one in series if one.key in fleet.series]


def series_row(
    snapshot: Snapshot, fleet: Fleet, series: Series, now: int, alert_starts: Mapping[int, int]
) -> SeriesTableRow:
    """Return the row of one series. alert_starts: when the alert of a slot began, in epoch seconds."""
    slot, signal, band = series.slot, series.settings.signal, series.settings.band
    zone, utilization = Zone(int(snapshot.zone[slot])), finite_or_none(snapshot.utilization[slot])
    usage, upper_bound, limit, throttled = (
        finite_or_none(column[slot])
        for column in (snapshot.usage, snapshot.upper_bound, snapshot.limit, snapshot.saturation)
    )
    history = SeriesHistory.of(fleet, series, now)
    minute = history.since(zone)
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
        since=alert_starts.get(slot) or (minute * 60 if minute else None),
        bar=utilization_bar(utilization, band, zone.word),
        sparkline=utilization_sparkline(history.utilization, history.throttled, band),
    )


def finite_or_none(value: float) -> OptionalNumber:
    """Return a column's value as a float; None for NaN and infinities."""
    return float(value) if isfinite(value) else None
