"""The demand in each quarter of an hour of past days, of which the backtest makes forecasts."""

import numpy as np
import numpy.typing as npt

from monitor.fleet.columns import Flags, Floats, Indices
from monitor.fleet.demand import as_kept, highest_by_bin, throttled_utilization
from monitor.fleet.judged import Judged
from rules.analogs import BIN_MINUTES, DAY
from rules.demand_forecast import CEILING_DAYS


class Quarters:
    """The quarters of an hour of some series, [series, quarter]. start: the minute in which the first begins.

    demand: the highest five minutes of each, as a running Headroom keeps them (see `monitor.fleet.demand`);
    NaN where nothing is known. target: at the end of each, the lowest demand that is near the limit, or at
    which demand was throttled in the fortnight before; NaN while usage proves that the limit is outdated.
    """

    def __init__(self, slots: Indices, minutes: range) -> None:
        self.slots, self.start = slots, -(-minutes.start // BIN_MINUTES) * BIN_MINUTES
        self.count = max(0, (minutes.stop - self.start) // BIN_MINUTES)
        self.demand: Floats = np.full((slots.size, self.count), np.nan, np.float32)
        self.target: Floats = np.full((slots.size, self.count), np.nan, np.float32)
        self._throttled_at: npt.NDArray[np.float16] = np.full((slots.size, CEILING_DAYS), np.nan, np.float16)

    def add(self, first: int, minutes: range, judged: Judged, demand: Floats, peaks: Flags) -> None:
        """Add minutes of the series from the `first` on, which end with a quarter, but for the last ones.

        judged, demand: they have all minutes of one series, then of the next. peaks: see `highest_by_bin`.
        """
        begin = max(minutes.start, self.start)
        bins = (min(minutes.stop, self.start + self.count * BIN_MINUTES) - begin) // BIN_MINUTES
        if bins <= 0:
            return
        inside = slice(begin - minutes.start, begin - minutes.start + bins * BIN_MINUTES)
        series, quarter = slice(first, first + peaks.size), self.quarter_of(begin)

        def of_series(numbers: Floats) -> Floats:
            return numbers.reshape(peaks.size, len(minutes))[:, inside]

        highest, _ = highest_by_bin(of_series(demand).T, peaks)
        self.demand[series, quarter : quarter + bins] = as_kept(highest).T
        throttled_at = of_series(throttled_utilization(judged)).reshape(peaks.size, bins, BIN_MINUTES)
        lowest = np.fmin.reduce(throttled_at, axis=2)
        ends = slice(BIN_MINUTES - 1, None, BIN_MINUTES)
        limit, near = of_series(judged.limit)[:, ends], of_series(judged.near)[:, ends]
        doubted = judged.doubted.reshape(peaks.size, len(minutes))[:, inside][:, ends]
        limit = np.where(doubted, np.float32(np.nan), limit)
        for number in range(bins):
            ceiling = self._ceiling(series, quarter + number, lowest[:, number])
            self.target[series, quarter + number] = np.fmin(near[:, number], ceiling) * limit[:, number]

    def _ceiling(self, series: slice, quarter: int, throttled_at: Floats) -> Floats:
        """Return the effective ceilings at the end of a quarter. throttled_at: its lowest utilizations."""
        day, first = divmod(self.start // BIN_MINUTES + quarter, DAY)
        of_days = self._throttled_at[series]
        of_day = of_days[:, day % CEILING_DAYS]
        of_day[:] = throttled_at if first == 0 else np.fmin(of_day, throttled_at.astype(np.float16))
        lowest: Floats = np.fmin.reduce(np.where(of_days > 0, of_days, np.nan), axis=1).astype(np.float32)
        return lowest

    def quarter_of(self, minute: int) -> int:
        """Return the number of the quarter of a minute."""
        return (minute - self.start) // BIN_MINUTES
