"""The outlook of one series: its past forecasts, made again and compared, and one for another limit."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.fleet.columns import Floats, Indices, Ints
from monitor.fleet.outlook import Outlook, TrackRecord
from monitor.forecast.fan import RecentUsage, recent_usage
from monitor.forecast.history_block import HistoryBlock
from rules.analogs import BIN_MINUTES
from rules.demand_forecast import demand_forecast, without_short_holes
from rules.forecast import BINS, LIKELY, MIN_BINS
from rules.forecast_features import HORIZONS

AS_STORED: Final = 1 - 2.0**-10  # of a number: half floats, in which usage is kept, round it by less
STEP: Final = 60 // BIN_MINUTES  # bins between two forecasts that are made again; and what ends an episode
NO_TRACK: Final = TrackRecord()
NO_FORECAST, NO_ALARM = -2, -1  # instead of the number of a horizon


def outlook_from(block: HistoryBlock, column: int, limit: float, other: float | None) -> Outlook:
    """Return the outlook of a column, compared with a limit and for another one, if any."""
    recent = recent_usage(block, column)
    usage = without_short_holes(recent.usage[:, None])[:, 0]
    return Outlook(track_record(usage, limit), _probability(recent, usage, other))


def _probability(recent: RecentUsage, usage: Floats, limit: float | None) -> tuple[float, ...]:
    if limit is None or recent.is_stale:
        return ()
    found = demand_forecast(usage[:, None], np.array([limit], np.float32)).probability[0]
    return () if np.isnan(found).any() else tuple(round(one, 3) for one in found.tolist())


def track_record(usage: Floats, limit: float) -> TrackRecord:
    """Return how the forecasts of each hour of a fortnight came out.

    usage: of each quarter of an hour, [BINS], the oldest first; NaN is unknown.
    """
    moments, limit = np.arange(MIN_BINS, BINS, STEP), limit * AS_STORED
    alarms, begins = _alarms(usage, limit, moments), _episode_begins(usage, limit)
    comparison = _RecordBuilder()
    for moment, horizon in zip(moments.tolist(), alarms.tolist(), strict=True):
        comparison.end_before(moment)
        if horizon >= 0 and comparison.until is None:
            comparison.until = moment + HORIZONS[horizon] // BIN_MINUTES
        for begin in begins[(begins >= moment) & (begins < moment + STEP)].tolist():
            comparison.compare(begin, horizon != NO_FORECAST)
    comparison.end_before(BINS)
    return comparison.found


@dataclass
class _RecordBuilder:
    """The walk through a fortnight. until: the bin at which the present announcement ends; None without."""

    found: TrackRecord = NO_TRACK
    until: int | None = None

    def end_before(self, moment: int) -> None:
        """Count the announcement if its time is over: it did not come true."""
        if self.until is not None and self.until <= moment:
            self.found, self.until = self.found._replace(announced=self.found.announced + 1), None

    def compare(self, begin: int, has_forecast: bool) -> None:
        """Count that the limit was reached."""
        self.end_before(begin)
        came_true = self.until is not None
        counts = came_true, came_true, came_true or has_forecast
        self.found = TrackRecord(*(one + more for one, more in zip(self.found, counts, strict=True)))
        self.until = None


def _alarms(usage: Floats, limit: float, moments: Indices) -> Ints:
    """Return the number of the shortest horizon that is likely at each moment, NO_ALARM or NO_FORECAST.

    While usage is at the limit, there is nothing to forecast.
    """
    padded = np.concatenate([np.full(BINS, np.nan, np.float32), usage])
    histories = np.lib.stride_tricks.sliding_window_view(padded, BINS)[moments]
    probability = demand_forecast(histories.T, np.full(moments.size, limit, np.float32)).probability
    with np.errstate(invalid="ignore"):
        likely = probability >= LIKELY
    alarms = np.where(likely.any(axis=1), likely.argmax(axis=1), NO_ALARM)
    is_unknown = np.isnan(probability).all(axis=1) | (usage[moments - 1] >= limit)
    return np.where(is_unknown, NO_FORECAST, alarms).astype(np.int32)


def _episode_begins(usage: Floats, limit: float) -> Indices:
    """Return the bins in which usage reached the limit, after at least an hour below it."""
    at_limit = np.flatnonzero(usage >= limit)
    is_first = np.diff(at_limit, prepend=-STEP - 1) > STEP
    return at_limit[is_first]
