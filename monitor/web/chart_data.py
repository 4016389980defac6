"""The data of the chart of a series in one range: past usage, limits, throttled demand and forecast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.fleet.fan import Fan
from monitor.fleet.history import SeriesHistory
from rules.analogs import BIN_MINUTES
from rules.arrays import Floats

ChartMinutes = NDArray[np.float64]  # since the epoch, with fractions

HOUR, DAY = 60, 24 * 60  # minutes
MAX_DISTANCE_FACTOR: Final = 1.5  # times the usual distance of two samples; beyond it, samples are missing


class ChartRange(NamedTuple):
    """A range of the chart; times are minutes.

    name: the range in the address.
    title: the text of its button.
    past, ahead: the time that is shown before and after now.
    step, step_ahead: the time that a point before and after now covers.
    fan_days: the days of past and of forecast that are read from the fan.
    tick: the time between two marks of the time axis.
    table_step: the time of one row of the table.
    points: the meaning of a point, in words.
    """

    name: str
    title: str
    past: int
    step: int
    ahead: int
    step_ahead: int
    fan_days: tuple[int, int]
    tick: int
    table_step: int
    points: str


DEFAULT_RANGE: Final = ChartRange(
    "3h", "3 h", 3 * HOUR, 1, 3 * HOUR, BIN_MINUTES, (1, 1), 30, 5, "each minute"
)
RANGES: Final[Mapping[str, ChartRange]] = {
    chart_range.name: chart_range
    for chart_range in (
        DEFAULT_RANGE,
        ChartRange(
            "24h", "24 h", DAY, BIN_MINUTES, DAY, BIN_MINUTES, (1, 1), 4 * HOUR, 30, "the highest of 15 min"
        ),
        ChartRange(
            "14d", "14 d", 14 * DAY, HOUR, 3 * DAY, 2 * HOUR, (14, 3), 2 * DAY, 8 * HOUR, "the highest of 1 h"
        ),
    )
}


class LimitSpan(NamedTuple):
    """A limit from the minute `begin` up to `end`. is_assumed: true if no reading of that time is stored."""

    begin: float
    end: float
    limit: float
    is_assumed: bool = False


class ThrottledSpan(NamedTuple):
    """Throttled demand per second, from the minute `begin` up to `end`; None: the amount is unknown."""

    begin: float
    end: float
    rate: float | None


class Gap(NamedTuple):
    """A time without data, from the minute `begin` up to `end`."""

    begin: float
    end: float


class PointsAhead(NamedTuple):
    """The points of a forecast. quantiles: of usage, [quantile, point]; NaN is unknown."""

    minutes: ChartMinutes
    quantiles: Floats


NO_POINTS: Final = PointsAhead(np.empty(0), np.empty((0, 0), np.float32))


@dataclass(frozen=True, kw_only=True)
class ChartData:
    """The content of a chart; times are minutes since the epoch, amounts are in the unit of the signal.

    now: the present minute. minutes, usage, upper_bound: the time, usage and upper bound of each point; NaN
    is unknown. limits, throttled: the oldest first.
    """

    range: ChartRange
    now: int
    minutes: ChartMinutes
    usage: Floats
    upper_bound: Floats
    limits: Sequence[LimitSpan]
    throttled: Sequence[ThrottledSpan]
    forecast: PointsAhead

    @property
    def start(self) -> int:
        """The first minute shown."""
        return self.now - self.range.past

    @property
    def end(self) -> int:
        """The last minute shown. It is the same without a forecast, so that the chart does not jump."""
        return self.now + self.range.ahead

    @property
    def has_forecast(self) -> bool:
        """True if the forecast is known at any point."""
        return bool(np.isfinite(self.forecast.quantiles).any())

    def limit_at(self, minute: float) -> float | None:
        """Return the limit in force in a minute; None if it is unknown."""
        spans = [span for span in self.limits if span.begin <= minute <= span.end]
        return spans[-1].limit if spans else None

    def throttled_at(self, begin: float, end: float) -> float | None:
        """Return the highest throttled demand between two minutes; 0 if there is none, None if unknown."""
        rates = [span.rate for span in self.throttled if span.begin < end and begin < span.end]
        return None if None in rates else max((rate for rate in rates if rate is not None), default=0.0)

    def gaps(self, patience: int) -> list[Gap]:
        """Return the times without data that are longer than the usual distance of two samples.

        patience: minutes after which the newest sample is overdue.
        """
        minutes = self.minutes[np.isfinite(self.usage)]
        if not minutes.size:
            return [Gap(self.start, self.now)]
        usual_distance = float(np.median(np.diff(minutes))) if minutes.size > 1 else float(self.range.step)
        max_distance = MAX_DISTANCE_FACTOR * usual_distance
        edges = [float(self.start), *minutes.tolist()]
        gaps = [Gap(begin, end) for begin, end in pairwise(edges) if end - begin > max_distance]
        newest = float(minutes[-1])
        if self.now - newest > max(patience, max_distance):
            gaps.append(Gap(newest, self.now))
        return gaps

    def connected_runs(self) -> list[list[int]]:
        """Return the indices of the known points, as runs within which no point is missing."""
        indices = np.flatnonzero(np.isfinite(self.usage))
        if not indices.size:
            return []
        usual_distance = float(np.median(np.diff(indices))) if indices.size > 1 else 1.0
        breaks = np.flatnonzero(np.diff(indices) > MAX_DISTANCE_FACTOR * usual_distance) + 1
        return [part.tolist() for part in np.split(indices, breaks)]


def minute_data(
    history: SeriesHistory,
    fan: Fan | None,
    limits: Sequence[LimitSpan],
    chart_range: ChartRange = DEFAULT_RANGE,
) -> ChartData:
    """Return the chart data of the last three hours with one point a minute."""
    minutes = np.arange(history.start, history.end + 1).astype(np.float64)
    rates = history.throttled
    spans = [
        ThrottledSpan(minute - 0.5, minute + 0.5, float(rate))
        for minute, rate in zip(minutes.tolist(), rates.tolist(), strict=True)
        if rate > 0
    ]
    return ChartData(
        range=chart_range,
        now=history.end,
        minutes=minutes,
        usage=history.usage,
        upper_bound=history.upper_bound,
        limits=limits,
        throttled=spans,
        forecast=_ahead(chart_range, history.end, fan),
    )


def long_data(
    chart_range: ChartRange,
    history: SeriesHistory,
    fan: Fan | None,
    limits: Sequence[LimitSpan],
    throttled: Sequence[ThrottledSpan],
) -> ChartData:
    """Return the chart data of a day or more; each point is the highest demand of a step in the fan's past.

    Where the fan's past is unknown, the usage in `history` is taken. throttled: from notices of alerts.
    """
    now, step = history.end, chart_range.step
    first = (now - chart_range.past) // BIN_MINUTES + 1
    bins = np.full(chart_range.past // BIN_MINUTES, np.nan, np.float32)
    if fan:
        _fill_unknown(bins, fan.past, fan.now // BIN_MINUTES - fan.past.size - first)
    recent, start = _recent_bins(history)
    _fill_unknown(bins, recent, start - first)
    usage = np.fmax.reduce(bins.reshape(-1, step // BIN_MINUTES), axis=1)
    minutes = first * BIN_MINUTES + (np.arange(usage.size) + 0.5) * step
    return ChartData(
        range=chart_range,
        now=now,
        minutes=np.minimum(minutes, now),
        usage=usage,
        upper_bound=np.full(usage.size, np.nan, np.float32),
        limits=limits,
        throttled=throttled,
        forecast=_ahead(chart_range, now, fan),
    )


def _fill_unknown(bins: Floats, values: Floats, offset: int) -> None:
    """Write values into unknown bins from an offset on; values outside the bins are ignored."""
    first, last = max(offset, 0), min(offset + values.size, bins.size)
    if first < last:
        target = bins[first:last]
        target[:] = np.where(np.isnan(target), values[first - offset : last - offset], target)


def _recent_bins(history: SeriesHistory) -> tuple[Floats, int]:
    """Return the highest usage of each quarter-hour of the history, and the number of the first one."""
    first = history.start // BIN_MINUTES
    size = history.end // BIN_MINUTES - first + 1
    padded = np.full(size * BIN_MINUTES, np.nan, np.float32)
    offset = history.start - first * BIN_MINUTES
    padded[offset : offset + history.usage.size] = history.usage
    return np.fmax.reduce(padded.reshape(size, BIN_MINUTES), axis=1), first


def _ahead(chart_range: ChartRange, now: int, fan: Fan | None) -> PointsAhead:
    """Return the points of the forecast within the chart."""
    if not fan or not fan.is_known:
        return NO_POINTS
    bins_per_point = chart_range.step_ahead // BIN_MINUTES
    size = fan.ahead.shape[1] // bins_per_point * bins_per_point
    highest: Floats = np.fmax.reduce(fan.ahead[:, :size].reshape(len(fan.ahead), -1, bins_per_point), axis=2)
    minutes: ChartMinutes = (
        fan.now + (np.arange(highest.shape[1], dtype=np.float64) + 0.5) * chart_range.step_ahead
    )
    shown = (minutes >= now) & (minutes <= now + chart_range.ahead)
    return PointsAhead(minutes[shown], highest[:, shown])


class ValueRow(NamedTuple):
    """A row of the table of values. at: the begin of the row's time, in epoch seconds. None is unknown."""

    at: float
    usage: float | None
    limit: float | None
    utilization: float | None
    throttled: float | None


def value_rows(data: ChartData) -> list[ValueRow]:
    """Return the rows of the table of values, the newest first, each with the highest usage of its time."""
    step = data.range.table_step
    rows = np.ceil((data.minutes - data.start) / step).astype(int) - 1
    numbers = sorted({*rows.tolist()}, reverse=True)
    return [_value_row(data, number, data.usage[rows == number]) for number in numbers]


def _value_row(data: ChartData, number: int, usage: Floats) -> ValueRow:
    begin, known = data.start + number * data.range.table_step, usage[np.isfinite(usage)]
    end = min(begin + data.range.table_step, data.now)
    limit, highest = data.limit_at(end), float(known.max()) if known.size else None
    utilization = highest / limit if highest is not None and limit else None
    return ValueRow(begin * 60.0, highest, limit, utilization, data.throttled_at(begin, end))
