"""Trends: whether usages rise or fall, and for how long, despite noise.

The axes of arrays are [series, sample]. Many series are computed at once, as a thousand alerts can begin
together.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rules.arrays import Flags, Float64s, Int64s

MIN_SAMPLES = 5  # the fewest samples of a trend, and the fewest minutes that it lasts
SMOOTHING_REACH = 2  # a smoothed value is the median of a sample, the 2 before it and the 2 after it
# The tolerance for noise is the greater of two values: a share of the largest smoothed value, and a multiple
# of the median distance of the samples from their smoothed values.
MIN_CHANGE = 0.02
NOISE_FACTOR = 3
# If the second half of a trend has less than this share of the whole change, the trend has ended.
MIN_LATE_SHARE = 0.25


class Trend(NamedTuple):
    """A lasting change of a usage. direction: `rising` or `falling`. minutes: the duration so far."""

    direction: str
    minutes: int


def find_trends(minutes: npt.ArrayLike, values: npt.ArrayLike) -> list[Trend | None]:
    """Return the trend of each series up to its newest sample, or None. values: NaN for a missing sample."""
    minute, value = np.asarray(minutes, np.int64), np.asarray(values, np.float64)
    trends: list[Trend | None] = [None] * len(value)
    with_enough_samples = np.flatnonzero(np.isfinite(value).sum(axis=1) >= MIN_SAMPLES)
    if not with_enough_samples.size:
        return trends
    minute, value, filled_in = _move_samples_right(minute[with_enough_samples], value[with_enough_samples])
    smooth = _smooth(value)
    noise = _median(np.where(filled_in, np.nan, np.abs(value - smooth)))
    tolerance = np.maximum(NOISE_FACTOR * noise, MIN_CHANGE * np.abs(smooth).max(axis=1, keepdims=True))
    for direction, curve in (("falling", -smooth), ("rising", smooth)):
        duration = _duration(minute, curve, tolerance)
        for row in np.flatnonzero(duration).tolist():
            trends[with_enough_samples[row]] = Trend(direction, int(duration[row]))
    return trends


def _move_samples_right(minute: Int64s, value: Float64s) -> tuple[Int64s, Float64s, Flags]:
    """Move the samples of each row to its right end, and fill the left with the first sample.

    Returns the minutes, the values, and flags that are true where a value was filled in.
    """
    known = np.isfinite(value)
    source_index = np.argsort(known, axis=1, kind="stable")
    filled_in = ~np.take_along_axis(known, source_index, axis=1)
    first_known = filled_in.sum(axis=1, keepdims=True)
    source_index = np.where(filled_in, np.take_along_axis(source_index, first_known, axis=1), source_index)
    return (
        np.take_along_axis(minute, source_index, axis=1),
        np.take_along_axis(value, source_index, axis=1),
        filled_in,
    )


def _smooth(value: Float64s) -> Float64s:
    """Return the medians of each sample with its neighbours. Comparisons are faster than sorting."""
    size = value.shape[1]
    padded = np.pad(value, ((0, 0), (SMOOTHING_REACH, SMOOTHING_REACH)), mode="edge")
    a, b, c, d, e = (padded[:, shift : shift + size] for shift in range(2 * SMOOTHING_REACH + 1))
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
    start = _start_of_rise(curve, tolerance)
    duration = minute[:, -1:] - np.take_along_axis(minute, start, axis=1)
    middle = (minute < minute[:, -1:] - duration / 2).sum(axis=1, keepdims=True)
    change, late_change = (
        curve[:, -1:] - np.take_along_axis(curve, since, axis=1) for since in (start, middle)
    )
    rises = (duration >= MIN_SAMPLES) & (change > 2 * tolerance) & (late_change >= MIN_LATE_SHARE * change)
    rising_minutes: Int64s = np.where(rises, duration, 0)[:, 0]
    return rising_minutes


def _start_of_rise(curve: Float64s, tolerance: Float64s) -> Int64s:
    """Return the index at which the last rise began.

    A fall by more than the tolerance ends a rise, so only the values after the last such fall are searched.
    The rise begins at the last value that exceeds their minimum by at most the tolerance.
    """
    lowest_after = np.minimum.accumulate(curve[:, ::-1], axis=1)[:, ::-1]
    # The last index after which the curve falls by more than the tolerance.
    last_fall = _last_true(curve > lowest_after + tolerance)
    since_fall = np.where(np.arange(curve.shape[1]) > last_fall, curve, np.inf)
    return _last_true(since_fall <= since_fall.min(axis=1, keepdims=True) + tolerance)


def _last_true(flags: Flags) -> Int64s:
    """Return the index of the last true value of each row; -1 if no value is true."""
    last: Int64s = flags.shape[1] - 1 - np.argmax(flags[:, ::-1], axis=1, keepdims=True)
    return np.where(flags.any(axis=1, keepdims=True), last, -1)
