"""Forecasts when usage that only grows reaches its limit: storage, counts, budgets that drain.

Such usage has no daily pattern by which days could be compared. The probability that the limit is reached
within a horizon is the share of past rises, over periods as long as the horizon, that are at least the
present headroom. The time follows from the slopes between pairs of points (the Theil-Sen estimator). A single
outlier hardly changes the probability or the time.

Arrays are [point, series], as in `rules.analogs`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rules.analogs import BIN_MINUTES
from rules.arrays import Flags, Floats
from rules.forecast import QUANTILES, Forecast
from rules.forecast_features import HORIZONS

POINT_BINS: Final = 24  # bins of a point but the newest; a point is the highest usage of its bins
POINT_MINUTES: Final = POINT_BINS * BIN_MINUTES
NEWEST_BINS: Final = 4  # bins of the newest point, so that usage that fell is seen an hour later
MIN_POINTS: Final = 8  # known points: two days
MIN_DIRECTNESS: Final = np.float32(0.9)  # net growth divided by the sum of all rises and falls
MAX_STEP: Final = np.float32(0.5)  # share of the net growth that may lie between two neighbouring points
MIN_DISTANCE: Final = 4  # points between the two ends of a slope
MAX_HISTORIES: Final = 2  # no time is returned that is more than this many times the length of the history


def points_of(history: NDArray[np.floating]) -> Floats:
    """Return the highest usage of each six hours, [point, series]; the newest point is of the last hour only.

    history: [bin, series].
    """
    bins_by_point = history.reshape(-1, POINT_BINS, history.shape[1]).astype(np.float32)
    points: Floats = np.fmax.reduce(bins_by_point, axis=1)
    points[-1] = np.fmax.reduce(bins_by_point[-1, -NEWEST_BINS:], axis=0)
    return points


def is_growing(points: Floats) -> Flags:
    """Return which series only grow, and not in a single step."""
    filled, changes = _with_filled_gaps(points), np.zeros((1, points.shape[1]), np.float32)
    if len(points) > 1:
        changes = np.nan_to_num(np.diff(filled, axis=0))
    net_growth, total_change = changes.sum(axis=0), np.abs(changes).sum(axis=0)
    grows: Flags = (
        (net_growth > 0)
        & (net_growth >= MIN_DIRECTNESS * total_change)
        & (changes.max(axis=0) <= MAX_STEP * net_growth)
    )
    grows &= (np.isfinite(points).sum(axis=0) >= MIN_POINTS) & np.isfinite(points[-1])
    return grows


def growth(history: NDArray[np.floating], limit: NDArray[np.floating]) -> tuple[Flags, Forecast]:
    """Return which series only grow, and their forecasts, which are NaN for all other series.

    history: as for `rules.forecast.forecast`, but [bin, series]. limit: the limit of each series, above 0.
    """
    with np.errstate(all="ignore"):
        points, limits = points_of(history), limit.astype(np.float32)
        growing = is_growing(points) & (limits > 0)
        probability = np.full((limits.size, len(HORIZONS)), np.nan, np.float32)
        minutes = np.full((limits.size, len(QUANTILES)), np.nan, np.float32)
        if growing.any():
            growing_points, headroom = points[:, growing], (limits - points[-1])[growing]
            probability[growing] = _probability(growing_points, headroom)
            minutes[growing] = _minutes(growing_points, headroom)
    return growing, Forecast(probability, minutes)


def _probability(points: Floats, headroom: Floats) -> Floats:
    """Return the share of past rises over each horizon that would reach the limit, [series, horizon]."""
    shares = []
    for horizon in HORIZONS:
        distance = max(horizon // POINT_MINUTES, 1)
        rises = (points[distance:] - points[:-distance]) * np.float32(horizon / (distance * POINT_MINUTES))
        reaching_count = np.count_nonzero(rises >= headroom, axis=0)
        shares.append((reaching_count + 0.5) / (np.isfinite(rises).sum(axis=0) + 1))
    probability = np.fmax.accumulate(np.stack(shares), axis=0).T.astype(np.float32)
    probability[headroom <= 0] = 1
    return probability


def _minutes(points: Floats, headroom: Floats) -> Floats:
    """Return QUANTILES of the minutes until the limit is reached, [series, quantile]."""
    first, second = np.triu_indices(len(points), MIN_DISTANCE)
    slopes = (points[second] - points[first]) / ((second - first)[:, None] * np.float32(POINT_MINUTES))
    fast_to_slow = np.nanquantile(slopes, [1 - quantile for quantile in QUANTILES], axis=0)
    minutes = np.where(fast_to_slow > 0, headroom / fast_to_slow, np.nan).T.astype(np.float32)
    known_minutes = np.isfinite(points).sum(axis=0) * POINT_MINUTES
    median = QUANTILES.index(0.5)
    minutes[~(minutes[:, median] <= MAX_HISTORIES * known_minutes)] = np.nan
    minutes[headroom <= 0] = 0
    return minutes


def _with_filled_gaps(points: Floats) -> Floats:
    """Return the points; the last known point before it replaces a missing point."""
    known_places = np.where(np.isfinite(points), np.arange(len(points))[:, None], 0)
    return np.take_along_axis(points, np.maximum.accumulate(known_places, axis=0), axis=0)
