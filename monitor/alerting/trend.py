"""Whether usages rise or fall, and since when: what the eye sees in a chart, noise left aside.

Arrays are [series, sample] and of many series at once: a thousand alerts may begin in one judgement.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

LEAST = 5  # samples, and minutes, that make a trend
EDGE = 2  # samples before and after one that smooth it
SMALL = 0.02  # of the largest value: a change that nobody would call one
NOISE = 3  # times the usual distance from the smoothed value
STILL = 0.25  # of the whole change: what the second half of it must contribute, else it has ended


class Trend(NamedTuple):
    """A usage that has been rising or falling for so many minutes."""

    word: str
    minutes: int


def trends(minutes: npt.ArrayLike, values: npt.ArrayLike) -> list[Trend | None]:
    """The trend at the end of each history, NaN where a minute is missing; None where there is none."""
    minute, value = np.asarray(minutes, np.int64), np.asarray(values, np.float64)
    found: list[Trend | None] = [None] * len(value)
    enough = np.flatnonzero(np.isfinite(value).sum(axis=1) >= LEAST)
    if not enough.size:
        return found
    minute, value, missing = _dense(minute[enough], value[enough])
    smooth = _smoothed(value)
    noise = _median(np.where(missing, np.nan, np.abs(value - smooth)))
    tolerance = np.maximum(NOISE * noise, SMALL * np.abs(smooth).max(axis=1, keepdims=True))
    for word, curve in (("falling", -smooth), ("rising", smooth)):
        lasted = _lasted(minute, curve, tolerance)
        for row in np.flatnonzero(lasted).tolist():
            found[enough[row]] = Trend(word, int(lasted[row]))
    return found


def _dense(minute: Ints, value: Floats) -> tuple[Ints, Floats, Flags]:
    """The samples without gaps, at the right; the first one fills the left, where `missing` is true."""
    known = np.isfinite(value)
    order = np.argsort(known, axis=1, kind="stable")
    missing = ~np.take_along_axis(known, order, axis=1)
    first = missing.sum(axis=1, keepdims=True)
    order = np.where(missing, np.take_along_axis(order, first, axis=1), order)
    return np.take_along_axis(minute, order, axis=1), np.take_along_axis(value, order, axis=1), missing


def _smoothed(value: Floats) -> Floats:
    """Each sample as the median of the five around it, found by comparing: faster than sorting."""
    size = value.shape[1]
    around = np.pad(value, ((0, 0), (EDGE, EDGE)), mode="edge")
    a, b, c, d, e = (around[:, start : start + size] for start in range(2 * EDGE + 1))
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    smooth: Floats = np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e))
    return smooth


def _median(values: Floats) -> Floats:
    """Of each row, NaN left aside; as `np.nanmedian`, which takes them one by one."""
    ascending = np.sort(values, axis=1)  # NaN last
    count = np.isfinite(values).sum(axis=1, keepdims=True)
    low, high = (np.take_along_axis(ascending, one, axis=1) for one in ((count - 1) // 2, count // 2))
    median: Floats = (low + high) / 2
    return median


def _lasted(minute: Ints, curve: Floats, tolerance: Floats) -> Ints:
    """For how many minutes each curve has been rising; 0 where it is not."""
    begun = _begun(curve, tolerance)
    lasted = minute[:, -1:] - np.take_along_axis(minute, begun, axis=1)
    half = (minute < minute[:, -1:] - lasted / 2).sum(axis=1, keepdims=True)
    change, later = (curve[:, -1:] - np.take_along_axis(curve, since, axis=1) for since in (begun, half))
    rises = (lasted >= LEAST) & (change > 2 * tolerance) & (later >= STILL * change)
    risen: Ints = np.where(rises, lasted, 0)[:, 0]
    return risen


def _begun(curve: Floats, tolerance: Floats) -> Ints:
    """Where the rise that leads to the end began: the last place that is about as low as it was before it."""
    lowest_after = np.minimum.accumulate(curve[:, ::-1], axis=1)[:, ::-1]
    fell = _last(curve > lowest_after + tolerance)  # up to here, it went down
    rest = np.where(np.arange(curve.shape[1]) > fell, curve, np.inf)
    return _last(rest <= rest.min(axis=1, keepdims=True) + tolerance)


def _last(flags: Flags) -> Ints:
    """The last place of each row where it is true; -1 where there is none."""
    last: Ints = flags.shape[1] - 1 - np.argmax(flags[:, ::-1], axis=1, keepdims=True)
    return np.where(flags.any(axis=1, keepdims=True), last, -1)
