"""The unitless features from which a forecast computes how probable it is that usage reaches a limit."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rules.analogs import BIN_MINUTES, BINS_PER_DAY, LEVEL_BINS, Analogs, Past
from rules.arrays import Flags, Floats

HORIZONS: Final = (60, 360, 1440, 4320)  # minutes
HORIZON_TEXTS: Final = {60: "1h", 360: "6h", 1440: "24h", 4320: "3d"}
# Bins between two past moments that are compared with now, by horizon.
MOMENT_BINS: Final = {60: 4, 360: 8, 1440: 12, 4320: 24}
MAX_UNLIKENESS: Final = np.float32(0.5)  # in spreads: moments whose usage differs more from now do not count
RISE_WIDTH: Final = np.float32(0.4)  # in spreads, around the needed rise: a rise in this range counts in part
MIN_SHARE: Final = np.float32(0.015)  # shares are scaled to [MIN_SHARE, 1 - MIN_SHARE]: finite odds
MAX_LOG_RATIO: Final = 4


@dataclass(frozen=True)
class Crossings:
    """The crossings of each series: bins in which usage was at or above the limit.

    bins_ago: how many bins ago the last crossing was. last_day, last_three_days: the number of crossings in
    the last 24 hours, and in the last three days.
    """

    bins_ago: NDArray[np.int32]
    last_day: NDArray[np.int64]
    last_three_days: NDArray[np.int64]

    @classmethod
    def of(cls, past: Past, limit: Floats) -> "Crossings":
        """Find the crossings of each series. Without any, `bins_ago` is the number of bins of the history."""
        above = past.usage >= limit
        bins = np.arange(len(above), dtype=np.int16)[:, None]
        last = np.where(above, bins, np.int16(-1)).max(axis=0).astype(np.int32)
        counts = [np.count_nonzero(above[-days * BINS_PER_DAY :], axis=0) for days in (1, 3)]
        return cls(len(above) - 1 - last, *counts)


class Sign(IntEnum):
    """The change of a feature when the limit is higher: it falls, stays or rises.

    The coefficient of a falling feature is at least 0, and of a rising feature at most 0, so that a higher
    limit is never more probable to be reached.
    """

    FALLS = -1
    STAYS = 0
    RISES = 1


# In the order of the values that `features` returns.
FEATURES: Final = {
    "share_of_analogs": Sign.FALLS,
    "share_of_unmoved_analogs": Sign.FALLS,
    "unmoved_analogs_above": Sign.FALLS,
    "share_of_rises": Sign.FALLS,
    "since_last_crossing": Sign.RISES,
    "crossings_in_last_day": Sign.FALLS,
    "crossings_in_last_three_days": Sign.FALLS,
    "growth": Sign.STAYS,
    "weekday": Sign.STAYS,
    "expected_rise": Sign.STAYS,
    "position": Sign.STAYS,
    "restlessness": Sign.STAYS,
    "uncertainty": Sign.STAYS,
}


def features(past: Past, limit: Floats, crossings: Crossings, horizon: int) -> tuple[Floats, Flags]:
    """Return FEATURES of some series, [feature, series], and flags of the series that have analogs.

    horizon: minutes, one of HORIZONS.
    """
    bins = horizon // BIN_MINUTES
    analogs = Analogs.of(past, bins)
    level, spread = past.level, past.spread
    moved, unmoved = analogs.mean(analogs.moved), analogs.mean(analogs.unmoved)
    width = analogs.deviation(analogs.unmoved) + np.float32(0.05) * spread
    values = (
        _log_odds(analogs.share_above(analogs.moved, limit)),
        _log_odds(analogs.share_above(analogs.unmoved, limit)),
        np.clip((unmoved - limit) / width, -6, 6),
        _log_odds(share_of_rises(past, limit, horizon)),
        np.log1p(crossings.bins_ago / np.float32(bins)),
        _log_frequency(crossings.last_day, BINS_PER_DAY),
        _log_frequency(crossings.last_three_days, 3 * BINS_PER_DAY),
        np.clip((past.daily_means[0] - past.daily_means[1]) / spread, -3, 3),
        np.clip((analogs.a_week_ago(analogs.unmoved) - unmoved) / spread, -4, 4),
        _signed_log((moved - level) / spread),
        np.clip((level - past.mean) / spread, -4, 4),
        _log_ratio(past.volatility_today, past.volatility, spread),
        _log_ratio(analogs.deviation(analogs.moved), past.volatility, spread),
    )
    return np.nan_to_num(np.stack(values)).astype(np.float32), analogs.has_analog


def share_of_rises(past: Past, limit: Floats, horizon: int) -> Floats:
    """Return the share of past moments after which usage rose by the present distance to the limit.

    A moment weighs the more, the nearer its usage was to the present usage; see MAX_UNLIKENESS.
    """
    step = MOMENT_BINS[horizon]
    steps_highest: Floats = past.usage.reshape(-1, step, past.usage.shape[1]).max(axis=1)
    highest = _highest_of_next(steps_highest, horizon // BIN_MINUTES // step)
    ends = np.arange(1, len(highest) + 1) * step
    levels = sum(past.usage[ends - back] for back in range(1, LEVEL_BINS + 1)) / np.float32(LEVEL_BINS)
    likeness = np.maximum(0, 1 - np.abs(levels - past.level) / (MAX_UNLIKENESS * past.spread))
    surplus = (highest - levels) - (limit - past.level)
    reaches = np.clip(np.float32(0.5) + surplus / (RISE_WIDTH * past.spread), 0, 1)
    likeness[~np.isfinite(surplus)] = 0
    shares: Floats = (likeness * np.nan_to_num(reaches)).sum(axis=0) / np.maximum(likeness.sum(axis=0), 1e-3)
    return shares


def _highest_of_next(values: Floats, count: int) -> Floats:
    """Return the highest of the next `count` values, for each value that `count` values follow."""
    size = len(values) - count
    highest = values[1 : size + 1].copy()
    for offset in range(2, count + 1):
        np.maximum(highest, values[offset : size + offset], out=highest)
    return highest


def _log_odds(shares: Floats) -> Floats:
    bounded = MIN_SHARE + (1 - 2 * MIN_SHARE) * shares
    odds: Floats = np.log(bounded / (1 - bounded))
    return odds


def _log_frequency(count: NDArray[np.int64], bins: int) -> Floats:
    frequency: Floats = np.log((count + np.float32(0.5)) / np.float32(bins))
    return frequency


def _signed_log(values: Floats) -> Floats:
    signed: Floats = np.sign(values) * np.log1p(np.minimum(np.abs(values), 20))
    return signed


def _log_ratio(values: Floats, others: Floats, spread: Floats) -> Floats:
    least = np.float32(1e-9) * spread
    ratio: Floats = np.clip(np.log((values + least) / (others + least)), -MAX_LOG_RATIO, MAX_LOG_RATIO)
    return ratio
