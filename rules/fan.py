"""The fan of a forecast: how high usage may be at each time ahead, by quantile.

Like the probabilities, it is made from the usage that followed the same time of day on earlier days
(`rules.analogs`); for usage that only grows, from its slopes (`rules.growth`). Arrays are [bin, series].
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rules.analogs import BIN_MINUTES, BINS_PER_DAY, Past, analog_days, moved_analog, weights
from rules.arrays import Floats
from rules.forecast import MIN_BINS
from rules.growth import MIN_DISTANCE, POINT_MINUTES, is_growing, points_of

FAN_QUANTILES: Final = (0.1, 0.25, 0.5, 0.75, 0.9)
ROUNDING: Final = 1e-6  # the error of a sum of shares


def usage_fan(history: NDArray[np.floating], bins: int = BINS_PER_DAY) -> Floats:
    """Return FAN_QUANTILES of the usage in each of the next bins, [quantile, bin, series].

    history: as for `rules.growth.growth`. NaN: unknown. Usage that was never below 0 stays at least 0.
    """
    with np.errstate(all="ignore"):
        past = Past(np.ascontiguousarray(history, np.float32))
        fan, points = _fan_of_analogs(past, bins), points_of(history)
        growing = is_growing(points)
        if growing.any():
            fan[:, :, growing] = _fan_of_slopes(points[:, growing], bins)
        fan[:, :, ~(np.isfinite(past.level) & (past.known_bins >= MIN_BINS))] = np.nan
        is_never_negative = ~(np.fmin.reduce(past.usage, axis=0) < 0)
    return np.where(is_never_negative, np.maximum(fan, 0), fan)


def _fan_of_analogs(past: Past, bins: int) -> Floats:
    """Return the weighted quantiles of the analogs; an analog counts in the bins where it is known."""
    days_ago = analog_days(bins, len(past.usage))
    paths = np.stack([moved_analog(past, ago, bins) for ago in days_ago])
    order = np.argsort(paths, axis=0)
    ordered = np.take_along_axis(paths, order, axis=0)
    weight = np.where(np.isfinite(ordered), weights(days_ago)[order], np.float32(0))
    share = weight.cumsum(axis=0) / weight.sum(axis=0)
    ranks = np.stack([(share >= quantile - ROUNDING).argmax(axis=0) for quantile in FAN_QUANTILES])
    fan: Floats = np.take_along_axis(ordered, ranks, axis=0)
    return fan


def _fan_of_slopes(points: Floats, bins: int) -> Floats:
    """Return the usage to which growth leads, by the quantiles of its slopes."""
    first, second = np.triu_indices(len(points), MIN_DISTANCE)
    slopes = (points[second] - points[first]) / ((second - first)[:, None] * np.float32(POINT_MINUTES))
    slopes_by_quantile = np.nanquantile(slopes, FAN_QUANTILES, axis=0)
    ahead = (np.arange(bins, dtype=np.float32) + 1) * BIN_MINUTES
    fan: Floats = (points[-1] + slopes_by_quantile[:, None, :] * ahead[None, :, None]).astype(np.float32)
    return fan
