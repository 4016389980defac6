"""The time until usage that only grows reaches a limit: storage, counts, budgets that drain.

Such usage has no daily pattern whose days could be compared. The probability is the share of past rises, over
times as long as the horizon, that would be enough now. The time follows from the slopes between all pairs of
points (Theil and Sen). A single outlier changes neither by much.

Arrays are [point, series], as in `rules.analogs`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rules.analogs import BIN_MINUTES, Flags, Floats
from rules.forecast import QUANTILES, Forecast
from rules.forecast_features import HORIZONS

POINT_BINS: Final = 24  # the highest usage of six hours is a point
POINT_MINUTES: Final = POINT_BINS * BIN_MINUTES
MIN_POINTS: Final = 8  # two days
MIN_DIRECTNESS: Final = np.float32(0.9)  # the growth, as a share of all rises and falls added up
MAX_STEP: Final = np.float32(0.5)  # the share of the growth that may come from one point to the next
MIN_DISTANCE: Final = 4  # from a point to another one, for their slope to count
MAX_HISTORIES: Final = 2  # a time beyond so many times the length of the history is not given


def points_of(history: NDArray[np.floating]) -> Floats:
    """Return the highest usage of each six hours, [point, series]. history: [bin, series]."""
    parts = history.reshape(-1, POINT_BINS, history.shape[1]).astype(np.float32)
    points: Floats = np.fmax.reduce(parts, axis=1)
    return points


def is_growing(points: Floats) -> Flags:
    """Return which series do nothing but grow, and not by one step."""
    filled, changes = _filled(points), np.zeros((1, points.shape[1]), np.float32)
    if len(points) > 1:
        changes = np.nan_to_num(np.diff(filled, axis=0))
    net, total = changes.sum(axis=0), np.abs(changes).sum(axis=0)
    grows: Flags = (net > 0) & (net >= MIN_DIRECTNESS * total) & (changes.max(axis=0) <= MAX_STEP * net)
    grows &= (np.isfinite(points).sum(axis=0) >= MIN_POINTS) & np.isfinite(points[-1])
    return grows


def growth(history: NDArray[np.floating], limit: NDArray[np.floating]) -> tuple[Flags, Forecast]:
    """Return which series do nothing but grow, and their forecast; NaN for others.

    history: as for `rules.forecast.forecast`, but [bin, series]. limit: of each series, above 0.
    """
    with np.errstate(all="ignore"):
        points, limits = points_of(history), limit.astype(np.float32)
        growing = is_growing(points) & (limits > 0)
        probability = np.full((limits.size, len(HORIZONS)), np.nan, np.float32)
        minutes = np.full((limits.size, len(QUANTILES)), np.nan, np.float32)
        if growing.any():
            chosen, headroom = points[:, growing], (limits - points[-1])[growing]
            probability[growing] = _probability(chosen, headroom)
            minutes[growing] = _minutes(chosen, headroom)
    return growing, Forecast(probability, minutes)


def _probability(points: Floats, headroom: Floats) -> Floats:
    """Return the share of the rises within each horizon that would reach the limit, [series, horizon]."""
    shares = []
    for horizon in HORIZONS:
        distance = max(horizon // POINT_MINUTES, 1)
        rises = (points[distance:] - points[:-distance]) * np.float32(horizon / (distance * POINT_MINUTES))
        enough = np.count_nonzero(rises >= headroom, axis=0)
        shares.append((enough + 0.5) / (np.isfinite(rises).sum(axis=0) + 1))
    probability = np.fmax.accumulate(np.stack(shares), axis=0).T.astype(np.float32)
    probability[headroom <= 0] = 1
    return probability


def _minutes(points: Floats, headroom: Floats) -> Floats:
    """Return QUANTILES of the time until the limit is reached, [series, quantile]."""
    first, second = np.triu_indices(len(points), MIN_DISTANCE)
    slopes = (points[second] - points[first]) / ((second - first)[:, None] * np.float32(POINT_MINUTES))
    fast_to_slow = np.nanquantile(slopes, [1 - quantile for quantile in QUANTILES], axis=0)
    minutes = np.where(fast_to_slow > 0, headroom / fast_to_slow, np.nan).T.astype(np.float32)
    known = np.isfinite(points).sum(axis=0) * POINT_MINUTES
    minutes[~(minutes[:, 1] <= MAX_HISTORIES * known)] = np.nan
    minutes[headroom <= 0] = 0
    return minutes


def _filled(points: Floats) -> Floats:
    """Return the points, a missing one with the value of the point before it."""
    known = np.where(np.isfinite(points), np.arange(len(points))[:, None], 0)
    return np.take_along_axis(points, np.maximum.accumulate(known, axis=0), axis=0)
