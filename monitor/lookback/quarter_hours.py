"""The demand in each quarter-hour of past days: the history from which the backtest forecasts."""

import numpy as np
import numpy.typing as npt

from monitor.fleet.demand import highest_by_bin, rounded_as_stored, throttled_utilization
from monitor.fleet.judged import Judged
from rules.analogs import BIN_MINUTES, BINS_PER_DAY
from rules.arrays import Flags, Floats, Indices
from rules.demand_forecast import CEILING_DAYS


class QuarterHours:
    """Demand and target of series in quarter-hours, [series, quarter-hour].

    start: the first minute of the first quarter-hour. demand: the highest five-minute demand of each of them,
    rounded as a running Headroom stores it (see `monitor.fleet.demand`); NaN if unknown. target: the lowest
    demand that, at the end of the quarter-hour, is near the limit, or that was throttled in the fortnight
    before; NaN while usage proves that the limit is outdated.
    has_ceilings: false if samples are means of several minutes, whose utilization would be a false ceiling;
    `target` then does not consider throttled demand.
    """

    def __init__(self, slots: Indices, minutes: range, has_ceilings: bool = True) -> None:
        self._has_ceilings = has_ceilings
        self.slots, self.start = slots, -(-minutes.start // BIN_MINUTES) * BIN_MINUTES
        self.count = max(0, (minutes.stop - self.start) // BIN_MINUTES)
        self.demand: Floats = np.full((slots.size, self.count), np.nan, np.float32)
        self.target: Floats = np.full((slots.size, self.count), np.nan, np.float32)
        # The lowest utilization at which demand was throttled, by series and day.
        self._lowest_throttled: npt.NDArray[np.float16] = np.full(
            (slots.size, CEILING_DAYS), np.nan, np.float16
        )

    def add(self, first: int, minutes: range, judged: Judged, demand: Floats, peaks: Flags) -> None:
        """Add some minutes of consecutive series. first: the index in `slots` of the first one.

        minutes: they end with a quarter-hour, except at the last call. judged, demand: all minutes of the
        first series, then all of the next. peaks: true for each series whose usage is a maximum or a
        percentile (see `highest_by_bin`).
        """
        begin = max(minutes.start, self.start)
        count = (min(minutes.stop, self.start + self.count * BIN_MINUTES) - begin) // BIN_MINUTES
        if count <= 0:
            return
        whole_quarter_hours = slice(begin - minutes.start, begin - minutes.start + count * BIN_MINUTES)
        series, first_added = slice(first, first + peaks.size), self.quarter_hour_of(begin)

        def by_series(values: Floats) -> Floats:
            return values.reshape(peaks.size, len(minutes))[:, whole_quarter_hours]

        highest, _ = highest_by_bin(by_series(demand).T, peaks)
        self.demand[series, first_added : first_added + count] = rounded_as_stored(highest).T
        throttled = by_series(throttled_utilization(judged)).reshape(peaks.size, count, BIN_MINUTES)
        lowest_throttled = np.fmin.reduce(throttled, axis=2)
        if not self._has_ceilings:
            lowest_throttled[:] = np.nan
        last_minutes = slice(BIN_MINUTES - 1, None, BIN_MINUTES)
        known_limit = np.where(judged.limit_doubted, np.float32(np.nan), judged.limit)
        limit, near_edge = by_series(known_limit)[:, last_minutes], by_series(judged.near)[:, last_minutes]
        for index in range(count):
            quarter_hour = first_added + index
            ceiling = self._ceiling(series, quarter_hour, lowest_throttled[:, index])
            self.target[series, quarter_hour] = np.fmin(near_edge[:, index], ceiling) * limit[:, index]

    def _ceiling(self, series: slice, last: int, lowest_in_last: Floats) -> Floats:
        """Return, by series, the lowest utilization at which demand was throttled in the last CEILING_DAYS.

        last: the index of the last quarter-hour of these days. lowest_in_last: by series, the lowest
        utilization at which demand was throttled in that quarter-hour; NaN if none was.
        """
        day, quarter_hour_of_day = divmod(self.start // BIN_MINUTES + last, BINS_PER_DAY)
        by_day = self._lowest_throttled[series]
        today = by_day[:, day % CEILING_DAYS]
        lowest = lowest_in_last.astype(np.float16)
        today[:] = lowest if quarter_hour_of_day == 0 else np.fmin(today, lowest)
        lowest_throttled: Floats = np.fmin.reduce(np.where(by_day > 0, by_day, np.nan), axis=1).astype(
            np.float32
        )
        return lowest_throttled

    def quarter_hour_of(self, minute: int) -> int:
        """Return the index of the quarter-hour that contains a minute."""
        return (minute - self.start) // BIN_MINUTES
