"""Trends: whether usages rise or fall, and for how long, despite noise.

The axes of arrays are [series, sample]. Many series are computed at once, as a thousand alerts can begin
together.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.fleet.columns import Flags

Float64s = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

MIN_SAMPLES = 5  # the fewest samples of a trend, and its shortest duration in minutes
SMOOTHING_REACH = 2  # samples before and after a sample that its smoothed value is made of
MIN_CHANGE = 0.02  # tolerance, as a share of the largest value
NOISE_FACTOR = (
    3  # tolerance, as a multiple of the median distance from the smoothed value; the greater applies
)
MIN_LATE_SHARE = (
    0.25  # share of the change that the second half of a trend has; with less, the trend has ended
)


class Trend(NamedTuple):
    """A lasting change of a usage. direction: `rising` or `falling`. minutes: the duration so far."""

    direction: str
    minutes: int


def find_trends(minutes: npt.ArrayLike, values: npt.ArrayLike) -> list[Trend | None]:
    """Return the trend at the end of each series, or None. values: NaN if a minute has no sample."""
    minute, value = np.asarray(minutes, np.int64), np.asarray(values, np.float64)
    trends: list[Trend | None] = [None] * len(value)
    enough = np.flatnonzero(np.isfinite(value).sum(axis=1) >= MIN_SAMPLES)
    if not enough.size:
        return trends
    minute, value, missing = _dense(minute[enough], value[enough])
    smooth = _smoothed(value)
    noise = _median(np.where(missing, np.nan, np.abs(value - smooth)))
    tolerance = np.maximum(NOISE_FACTOR * noise, MIN_CHANGE * np.abs(smooth).max(axis=1, keepdims=True))
    for direction, curve in (("falling", -smooth), ("rising", smooth)):
        duration = _duration(minute, curve, tolerance)
        for row in np.flatnonzero(duration).tolist():
            trends[enough[row]] = Trend(direction, int(duration[row]))
    return trends


def _dense(minute: Int64s, value: Float64s) -> tuple[Int64s, Float64s, Flags]:
    """Move the samples of each row to its right end, and fill the left with the first sample.

    Returns minutes, values, and `missing`: true where a value was filled in.
    """
    known = np.isfinite(value)
    order = np.argsort(known, axis=1, kind="stable")
    missing = ~np.take_along_axis(known, order, axis=1)
    first = missing.sum(axis=1, keepdims=True)
    order = np.where(missing, np.take_along_axis(order, first, axis=1), order)
    return np.take_along_axis(minute, order, axis=1), np.take_along_axis(value, order, axis=1), missing


def _smoothed(value: Float64s) -> Float64s:
    """Return the median of five samples around each sample. Comparisons are faster than sorting."""
    size = value.shape[1]
    around = np.pad(value, ((0, 0), (SMOOTHING_REACH, SMOOTHING_REACH)), mode="edge")
    a, b, c, d, e = (around[:, shift : shift + size] for shift in range(2 * SMOOTHING_REACH + 1))
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    smooth: Float64s = np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e))
    return smooth


def _median(values: Float64s) -> Float64s:
    """Return the median of each row, ignoring NaN. `np.nanmedian` is slow: it loops over the rows."""
    ascending = np.sort(values, axis=1)  # NaN last
    count = np.isfinite(values).sum(axis=1, keepdims=True)
    low, high = (np.take_along_axis(ascending, index, axis=1) for index in ((count - 1) // 2, count // 2))
    median: Float64s = (low + high) / 2
    return median


def _duration(minute: Int64s, curve: Float64s, tolerance: Float64s) -> Int64s:
    """Return the minutes for which each curve has been rising; 0 if it does not rise."""
    start = _beginning(curve, tolerance)
    duration = minute[:, -1:] - np.take_along_axis(minute, start, axis=1)
    half = (minute < minute[:, -1:] - duration / 2).sum(axis=1, keepdims=True)
    change, late_change = (
        curve[:, -1:] - np.take_along_axis(curve, since, axis=1) for since in (start, half)
    )
    rises = (duration >= MIN_SAMPLES) & (change > 2 * tolerance) & (late_change >= MIN_LATE_SHARE * change)
    risen: Int64s = np.where(rises, duration, 0)[:, 0]
    return risen


def _beginning(curve: Float64s, tolerance: Float64s) -> Int64s:
    """Return the index at which the last rise began: the last of the lowest values since the last fall."""
    lowest_after = np.minimum.accumulate(curve[:, ::-1], axis=1)[:, ::-1]
    fell = _last(curve > lowest_after + tolerance)  # the last index after which the curve falls
    since_fall = np.where(np.arange(curve.shape[1]) > fell, curve, np.inf)
    return _last(since_fall <= since_fall.min(axis=1, keepdims=True) + tolerance)


def _last(flags: Flags) -> Int64s:
    """Return the index of the last true value of each row; -1 if no value is true."""
    last: Int64s = flags.shape[1] - 1 - np.argmax(flags[:, ::-1], axis=1, keepdims=True)
    return np.where(flags.any(axis=1, keepdims=True), last, -1)
