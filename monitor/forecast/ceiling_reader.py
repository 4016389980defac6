"""Reads the single minutes of the past in which demand was throttled, as effective ceilings follow from them.

A mean of five minutes is lower than the highest of them, so the utilization of five minutes with throttled
demand would be a false ceiling.
"""

import logging
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from monitor.aws.failure import Failure
from monitor.aws.rate_limiter import RateLimiter
from monitor.fleet.demand import throttled_utilization
from monitor.fleet.fleet import Fleet
from monitor.forecast.history_block import REFILLED_BINS
from monitor.forecast.past_metrics import Metrics, PastMetrics, past_queries
from monitor.forecast.past_rings import PastRings
from monitor.forecast.recorder import DAY_MINUTES, NO_ROW, Recorder
from monitor.polling.past_points import POINT_MINUTES
from monitor.polling.reader import MetricReader
from rules.analogs import BIN_MINUTES
from rules.arrays import Floats, Ints, distinct_values

log = logging.getLogger(__name__)

MAX_CACHED_METRICS: Final = 32  # a fortnight of minutes of a metric takes 80 KiB
MAX_PERIOD: Final = 60  # minutes; the longest period of a metric
# Minutes after which found periods are dropped, as the past may have to be read again by then.
MAX_AGE: Final = REFILLED_BINS * BIN_MINUTES


class ThrottledPeriods(NamedTuple):
    """The five-minute periods of a series' past in which demand was throttled.

    found_at: the minute in which they were found. starts: the first minute of each period.
    with_earlier_points: the queries of the series' metrics that have a point before `minutes`.
    """

    found_at: int
    starts: Ints
    with_earlier_points: frozenset[bytes]

    @property
    def minutes(self) -> range:
        """The minutes from the first to the last period, in whole periods of all metrics."""
        first, last = int(self.starts[0]), int(self.starts[-1]) + POINT_MINUTES
        return range(first // MAX_PERIOD * MAX_PERIOD, -(-last // MAX_PERIOD) * MAX_PERIOD)

    @property
    def every_minute(self) -> Ints:
        """Each minute of the periods."""
        minutes = np.arange(POINT_MINUTES, dtype=np.int32)
        return np.repeat(self.starts, POINT_MINUTES) + np.tile(minutes, self.starts.size)


class CeilingReader:
    """Notes in the history at which utilization demand was throttled in the past.

    limiter: admits the requested metrics (see `PastMetrics`). max_series: the most series whose minutes are
    read.
    """

    def __init__(self, fleet: Fleet, recorder: Recorder, limiter: RateLimiter, max_series: int) -> None:
        self._fleet, self._recorder, self._max_series = fleet, recorder, max_series
        self._metrics = PastMetrics(fleet, limiter, 1, MAX_CACHED_METRICS)
        self._waiting: dict[int, ThrottledPeriods] = {}  # by the id of the series
        self._accepted_ids: set[int] = set()  # of all series whose minutes were found, at most `max_series`
        self._is_full = False

    def find(self, slot: int, past: PastRings, minutes: range, now: int) -> None:
        """Find the five-minute periods in which demand of a series was throttled; `read` reads their minutes.

        past: the points of the series' usage and throttled demand in `minutes`.
        """
        fleet = self._fleet
        starts = np.arange(minutes.start, minutes.stop, POINT_MINUTES, dtype=np.int32)
        throttled = fleet.throttled.at(past, np.full(starts.size, slot, np.int32), starts)
        # The demand of a single minute is at most that of all five.
        is_throttled = (throttled > 0) & (throttled * POINT_MINUTES >= fleet.tolerated_rate[slot])
        starts = starts[is_throttled & (starts + POINT_MINUTES > fleet.created[slot])]
        if starts.size and self._has_room(int(fleet.id[slot])):
            earlier = {
                query
                for row, query in self._queries(slot).items()
                if past.has_points(row, range(minutes.start, int(starts[0]) // MAX_PERIOD * MAX_PERIOD))
            }
            self._waiting[int(fleet.id[slot])] = ThrottledPeriods(now, starts, frozenset(earlier))

    def _has_room(self, series_id: int) -> bool:
        """Return whether the minutes of another series may be read; log once if not."""
        if series_id in self._accepted_ids or len(self._accepted_ids) < self._max_series:
            self._accepted_ids.add(series_id)
            return True
        if not self._is_full:
            log.warning(
                "of more than %d series with throttled demand in the past, only the first have "
                "effective ceilings that follow from it",
                self._max_series,
            )
        self._is_full = True
        return False

    def is_waiting(self, slot: int) -> bool:
        """Return whether minutes of a series were found, but not read yet."""
        return int(self._fleet.id[slot]) in self._waiting

    def drop_expired(self, now: int) -> None:
        """Forget periods that were found long ago, as the past of the series may have to be read again."""
        self._waiting = {
            series_id: periods
            for series_id, periods in self._waiting.items()
            if abs(now - periods.found_at) < MAX_AGE
        }

    async def read(self, slot: int, reader: MetricReader, now: int) -> list[Failure]:
        """Read the minutes that were found for a series, and note the utilization; return the failures.

        The series still waits if some points could not be read, or the budget does not allow it.
        """
        series_id, row = int(self._fleet.id[slot]), int(self._recorder.rows[slot])
        periods, metrics = self._waiting[series_id], self._queries(slot)
        failures, points = await self._metrics.read(reader, metrics, periods.minutes, now)
        is_same = self._fleet.id[slot] == series_id and self._recorder.rows[slot] == row != NO_ROW
        if not is_same or self._queries(slot) != metrics:
            self._waiting.pop(series_id, None)
        elif points.keys() >= metrics.keys():
            self._note(slot, row, periods, points)
            self._waiting.pop(series_id, None)
        return failures

    def _queries(self, slot: int) -> Metrics:
        """Return the metrics by which the throttled minutes of a series are judged."""
        fleet = self._fleet
        formulas = [fleet.usages.get(slot), fleet.throttled.get(slot), fleet.published_limits.get(slot)]
        if fleet.tolerated_share[slot] > 0:
            formulas.append(fleet.served.get(slot))
        queries: Metrics = {}
        for formula in formulas:
            queries |= past_queries(fleet, formula)
        return queries

    def _note(self, slot: int, row: int, periods: ThrottledPeriods, points: Mapping[int, Floats]) -> None:
        """Judge each minute of the periods, and note the lowest utilization of each day."""
        fleet, minutes = self._fleet, periods.every_minute
        past = PastRings(fleet.rings, periods.minutes.start, points, 1, periods.with_earlier_points)
        judged = fleet.with_rings(past).judged_at(np.full(minutes.size, slot, np.int32), minutes)
        utilization = throttled_utilization(judged)
        block, column = self._recorder.history.block_and_column(row)
        columns, days = np.array([column], np.intp), minutes // DAY_MINUTES
        for day in distinct_values(days).tolist():
            lowest = np.fmin.reduce(utilization[days == day], keepdims=True)
            block.note_throttling(columns, day, lowest)
