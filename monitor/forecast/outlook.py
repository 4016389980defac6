"""The outlook of one series: its past forecasts compared with its usage, and a forecast for another limit."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.fleet.outlook import Outlook, TrackRecord
from monitor.forecast.fan import RecentUsage, recent_usage
from monitor.forecast.history_block import HistoryBlock
from rules.analogs import BIN_MINUTES
from rules.arrays import Floats, Indices, Ints
from rules.demand_forecast import demand_forecast, without_short_holes
from rules.forecast import BINS, LIKELY, MIN_BINS
from rules.forecast_features import HORIZONS

ROUNDING: Final = 1 - 2.0**-10  # factor for limits; half floats may round usage down, by less than 2^-10
STEP: Final = 60 // BIN_MINUTES  # bins between two forecasts
# Bins; at least so many in a row in which usage is below the limit or unknown separate two episodes.
MIN_BINS_BETWEEN_EPISODES: Final = 60 // BIN_MINUTES
NO_TRACK: Final = TrackRecord()
NO_FORECAST, NO_ANNOUNCEMENT = -2, -1  # instead of the index of a horizon


def outlook_from(block: HistoryBlock, column: int, limit: float, other_limit: float | None) -> Outlook:
    """Return the outlook of a column: past forecasts for `limit`, a new one for `other_limit`, if given."""
    recent = recent_usage(block, column)
    usage = without_short_holes(recent.usage[:, None])[:, 0]
    return Outlook(track_record(usage, limit), _probability(recent, usage, other_limit))


def _probability(recent: RecentUsage, usage: Floats, limit: float | None) -> tuple[float, ...]:
    """Return the probability of reaching a limit within each of HORIZONS; empty if it is unknown."""
    if limit is None or recent.is_stale:
        return ()
    probability = demand_forecast(usage[:, None], np.array([limit], np.float32)).probability[0]
    return () if np.isnan(probability).any() else tuple(round(value, 3) for value in probability.tolist())


def track_record(usage: Floats, limit: float) -> TrackRecord:
    """Return the results of the forecasts of each hour of a fortnight.

    usage: the usage of each quarter-hour, [BINS], the oldest first; NaN is unknown.
    """
    moments, limit = np.arange(MIN_BINS, BINS, STEP), limit * ROUNDING
    horizons, begins = _announced_horizons(usage, limit, moments), _episode_begins(usage, limit)
    builder = _RecordBuilder()
    for moment, horizon in zip(moments.tolist(), horizons.tolist(), strict=True):
        builder.expire_announcement(moment)
        if horizon >= 0 and builder.until is None:
            builder.until = moment + HORIZONS[horizon] // BIN_MINUTES
        for begin in begins[(begins >= moment) & (begins < moment + STEP)].tolist():
            builder.count_reached(begin, horizon != NO_FORECAST)
    builder.expire_announcement(BINS)
    return builder.record


@dataclass
class _RecordBuilder:
    """Counts results in order of time.

    An announcement is a forecast that the limit is likely reached within a horizon. until: the bin at which
    the horizon of the present announcement ends; None without an announcement.
    """

    record: TrackRecord = NO_TRACK
    until: int | None = None

    def expire_announcement(self, moment: int) -> None:
        """Count the present announcement as false if it ends at the bin `moment` or earlier."""
        if self.until is not None and self.until <= moment:
            self.record = self.record._replace(announced_count=self.record.announced_count + 1)
            self.until = None

    def count_reached(self, begin: int, has_forecast: bool) -> None:
        """Count that the limit was reached in the bin `begin`; a present announcement came true."""
        self.expire_announcement(begin)
        is_announced, record = self.until is not None, self.record
        # Not counted as reached if nothing was announced and nothing could be forecast.
        self.record = TrackRecord(
            announced_count=record.announced_count + is_announced,
            came_true_count=record.came_true_count + is_announced,
            reached_count=record.reached_count + (is_announced or has_forecast),
        )
        self.until = None


def _announced_horizons(usage: Floats, limit: float, moments: Indices) -> Ints:
    """Return, for each moment, the index of the shortest likely horizon, NO_ANNOUNCEMENT or NO_FORECAST.

    moments: the bins at which the forecasts are made. A horizon is likely if the limit is likely reached
    within it. While usage is at the limit, there is no forecast.
    """
    padded = np.concatenate([np.full(BINS, np.nan, np.float32), usage])
    histories = np.lib.stride_tricks.sliding_window_view(padded, BINS)[moments]
    probability = demand_forecast(histories.T, np.full(moments.size, limit, np.float32)).probability
    with np.errstate(invalid="ignore"):
        likely = probability >= LIKELY
    horizons = np.where(likely.any(axis=1), likely.argmax(axis=1), NO_ANNOUNCEMENT)
    is_unknown = np.isnan(probability).all(axis=1) | (usage[moments - 1] >= limit)
    return np.where(is_unknown, NO_FORECAST, horizons).astype(np.int32)


def _episode_begins(usage: Floats, limit: float) -> Indices:
    """Return the bins in which usage reached the limit, after at least an hour below it."""
    at_limit = np.flatnonzero(usage >= limit)
    is_first = np.diff(at_limit, prepend=-MIN_BINS_BETWEEN_EPISODES - 1) > MIN_BINS_BETWEEN_EPISODES
    return at_limit[is_first]
