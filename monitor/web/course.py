"""The course of a series in one range: its past, its limits, its throttled demand and what may follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.fleet.columns import Floats
from monitor.fleet.fan import Fan
from monitor.fleet.history import SeriesHistory
from rules.analogs import BIN_MINUTES

Minutes = NDArray[np.float64]  # since the epoch, and parts of them

HOUR, DAY = 60, 24 * 60  # minutes
USUAL_GAP: Final = 1.5  # times the usual distance of two samples, from which on some are missing between them


class ChartRange(NamedTuple):
    """A range of the chart; times are minutes.

    name: in the address. title: on its button. past, ahead: how much is shown. step, step_ahead: of a point.
    fan_days: for how many days the fan is asked, back and ahead. tick: between two marks of the time axis.
    table_step: of a row of the table. points: what a point is, in words.
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
    one.name: one
    for one in (
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
    """A limit from the minute `begin` up to `end`. is_assumed: no reading of that time is kept."""

    begin: float
    end: float
    limit: float
    is_assumed: bool = False


class ThrottledSpan(NamedTuple):
    """Throttled demand per second, from the minute `begin` up to `end`; None: it is not known how much."""

    begin: float
    end: float
    rate: float | None


class Gap(NamedTuple):
    """A time without data, from the minute `begin` up to `end`."""

    begin: float
    end: float


class PointsAhead(NamedTuple):
    """The points of a forecast. quantiles: of usage, [quantile, point]; NaN is unknown. Empty without one."""

    minutes: Minutes
    quantiles: Floats


NO_POINTS: Final = PointsAhead(np.empty(0), np.empty((0, 0), np.float32))


@dataclass(frozen=True, kw_only=True)
class Course:
    """The content of a chart; times are minutes since the epoch, amounts are in the unit of the signal.

    now: the minute. minutes, usage, bound: of each point; NaN is unknown. limits: the oldest first.
    throttled: the oldest first.
    """

    range: ChartRange
    now: int
    minutes: Minutes
    usage: Floats
    bound: Floats
    limits: Sequence[LimitSpan]
    throttled: Sequence[ThrottledSpan]
    forecast: PointsAhead

    @property
    def start(self) -> int:
        """The first minute shown."""
        return self.now - self.range.past

    @property
    def end(self) -> int:
        """The last minute shown: a while ahead, also without a forecast, so that pages do not jump."""
        return self.now + self.range.ahead

    @property
    def has_forecast(self) -> bool:
        """True if something can be said of the time ahead."""
        return bool(np.isfinite(self.forecast.quantiles).any())

    def limit_at(self, minute: float) -> float | None:
        """Return the limit in force in a minute; None if it is unknown."""
        found = [one for one in self.limits if one.begin <= minute <= one.end]
        return found[-1].limit if found else None

    def throttled_at(self, begin: float, end: float) -> float | None:
        """Return the highest throttled demand between two minutes: 0 without any, None if it is not known."""
        rates = [one.rate for one in self.throttled if one.begin < end and begin < one.end]
        return None if None in rates else max((one for one in rates if one is not None), default=0.0)

    def gaps(self, patience: int) -> list[Gap]:
        """Return the times without data, of more than the usual distance between two samples.

        patience: minutes after which the newest sample is overdue.
        """
        known = self.minutes[np.isfinite(self.usage)]
        if not known.size:
            return [Gap(self.start, self.now)]
        usual = float(np.median(np.diff(known))) if known.size > 1 else float(self.range.step)
        edges = [float(self.start), *known.tolist()]
        found = [Gap(a, b) for a, b in pairwise(edges) if b - a > USUAL_GAP * usual]
        newest = float(known[-1])
        if self.now - newest > max(patience, USUAL_GAP * usual):
            found.append(Gap(newest, self.now))
        return found

    def connected(self) -> list[list[int]]:
        """Return the numbers of the known points, those together between which none is missing."""
        known = np.flatnonzero(np.isfinite(self.usage))
        if not known.size:
            return []
        usual = float(np.median(np.diff(known))) if known.size > 1 else 1.0
        breaks = np.flatnonzero(np.diff(known) > USUAL_GAP * usual) + 1
        return [part.tolist() for part in np.split(known, breaks)]


def minute_course(
    history: SeriesHistory, fan: Fan | None, limits: Sequence[LimitSpan], chosen: ChartRange = DEFAULT_RANGE
) -> Course:
    """Return the course of the last three hours, minute by minute."""
    minutes = np.arange(history.start, history.end + 1).astype(np.float64)
    rates = history.throttled
    spans = [
        ThrottledSpan(minute - 0.5, minute + 0.5, float(rate))
        for minute, rate in zip(minutes.tolist(), rates.tolist(), strict=True)
        if rate > 0
    ]
    return Course(
        range=chosen,
        now=history.end,
        minutes=minutes,
        usage=history.usage,
        bound=history.upper_bound,
        limits=limits,
        throttled=spans,
        forecast=_ahead(chosen, history.end, fan),
    )


def long_course(
    chosen: ChartRange,
    history: SeriesHistory,
    fan: Fan | None,
    limits: Sequence[LimitSpan],
    throttled: Sequence[ThrottledSpan],
) -> Course:
    """Return the course of a day or more: the highest demand of each step that the past of forecasts has.

    What the past does not have yet comes from the last hours. throttled: as alerts told it.
    """
    now, step = history.end, chosen.step
    first = (now - chosen.past) // BIN_MINUTES + 1
    bins = np.full(chosen.past // BIN_MINUTES, np.nan, np.float32)
    if fan:
        _put(bins, fan.past, fan.now // BIN_MINUTES - fan.past.size - first)
    recent, start = _recent_bins(history)
    _put(bins, recent, start - first)
    usage = np.fmax.reduce(bins.reshape(-1, step // BIN_MINUTES), axis=1)
    minutes = first * BIN_MINUTES + (np.arange(usage.size) + 0.5) * step
    return Course(
        range=chosen,
        now=now,
        minutes=np.minimum(minutes, now),
        usage=usage,
        bound=np.full(usage.size, np.nan, np.float32),
        limits=limits,
        throttled=throttled,
        forecast=_ahead(chosen, now, fan),
    )


def _put(bins: Floats, values: Floats, place: int) -> None:
    """Put values where nothing is known yet, from a place on; those outside are left out."""
    first, last = max(place, 0), min(place + values.size, bins.size)
    if first < last:
        into = bins[first:last]
        into[:] = np.where(np.isnan(into), values[first - place : last - place], into)


def _recent_bins(history: SeriesHistory) -> tuple[Floats, int]:
    """Return the highest demand of each quarter of the last hours, and the number of the first quarter."""
    first = history.start // BIN_MINUTES
    size = history.end // BIN_MINUTES - first + 1
    padded = np.full(size * BIN_MINUTES, np.nan, np.float32)
    place = history.start - first * BIN_MINUTES
    padded[place : place + history.usage.size] = history.usage
    return np.fmax.reduce(padded.reshape(size, BIN_MINUTES), axis=1), first


def _ahead(chosen: ChartRange, now: int, fan: Fan | None) -> PointsAhead:
    """Return the points of the forecast that are shown."""
    if not fan or not fan.is_known:
        return NO_POINTS
    at_once = chosen.step_ahead // BIN_MINUTES
    size = fan.ahead.shape[1] // at_once * at_once
    highest: Floats = np.fmax.reduce(fan.ahead[:, :size].reshape(len(fan.ahead), -1, at_once), axis=2)
    minutes: Minutes = fan.now + (np.arange(highest.shape[1], dtype=np.float64) + 0.5) * chosen.step_ahead
    shown = (minutes >= now) & (minutes <= now + chosen.ahead)
    return PointsAhead(minutes[shown], highest[:, shown])


class ValueRow(NamedTuple):
    """A row of the table of values: from `at`, in epoch seconds. None is unknown."""

    at: float
    usage: float | None
    limit: float | None
    utilization: float | None
    throttled: float | None


def value_rows(course: Course) -> list[ValueRow]:
    """Return the rows of the table of values, the newest first: the highest of each part of the past."""
    step = course.range.table_step
    part = np.ceil((course.minutes - course.start) / step).astype(int) - 1
    return [_value_row(course, number, course.usage[part == number]) for number in sorted({*part.tolist()})][
        ::-1
    ]


def _value_row(course: Course, number: int, usage: Floats) -> ValueRow:
    begin, known = course.start + number * course.range.table_step, usage[np.isfinite(usage)]
    end = min(begin + course.range.table_step, course.now)
    limit, highest = course.limit_at(end), float(known.max()) if known.size else None
    utilization = highest / limit if highest is not None and limit else None
    return ValueRow(begin * 60.0, highest, limit, utilization, course.throttled_at(begin, end))
