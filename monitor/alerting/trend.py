"""Whether a usage rises or falls, and since when: what the eye sees in a chart, noise left aside."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST = 5  # samples, and minutes, that make a trend
SMOOTHED = 5  # samples whose median stands for the one in their middle
SMALL = 0.02  # of the largest value: a change that nobody would call one
NOISE = 3  # times the usual distance from the smoothed value
STILL = 0.25  # of the whole change: what the second half of it must contribute, else it has ended


class Trend(NamedTuple):
    """A usage that has been rising or falling for so many minutes."""

    word: str
    minutes: int


def trend(minutes: npt.ArrayLike, values: npt.ArrayLike) -> Trend | None:
    """The trend at the end of a history, NaN where a minute is missing; None where there is none."""
    minute, value = np.asarray(minutes, np.int64), np.asarray(values, np.float64)
    known = np.isfinite(value)
    minute, value = minute[known], value[known]
    if minute.size < LEAST:
        return None
    smooth = _smoothed(value)
    tolerance = max(NOISE * _median(np.abs(value - smooth)), SMALL * float(np.abs(smooth).max()))
    for word, curve in (("rising", smooth), ("falling", -smooth)):
        begun = _begun(curve, tolerance)
        lasted = int(minute[-1] - minute[begun])
        change = curve[-1] - curve[begun]
        half = int(np.searchsorted(minute, minute[-1] - lasted / 2))
        if lasted >= LEAST and change > 2 * tolerance and curve[-1] - curve[half] >= STILL * change:
            return Trend(word, lasted)
    return None


def _smoothed(value: Floats) -> Floats:
    edge = SMOOTHED // 2
    around = np.concatenate([value[:1].repeat(edge), value, value[-1:].repeat(edge)])
    windows = np.stack([around[start : start + value.size] for start in range(SMOOTHED)])
    smooth: Floats = np.sort(windows, axis=0)[edge]
    return smooth


def _median(values: Floats) -> float:
    """As `np.median`, whose checks take four times as long as its work on so few values."""
    ascending = np.sort(values)
    return float(ascending[(values.size - 1) // 2] + ascending[values.size // 2]) / 2


def _begun(curve: Floats, tolerance: float) -> int:
    """Where the rise that leads to the end began: the last place that is about as low as it was before it."""
    lowest_after = np.minimum.accumulate(curve[::-1])[::-1]
    fell = np.flatnonzero(curve > lowest_after + tolerance)  # before it, it went down
    start = int(fell[-1]) + 1 if fell.size else 0
    low = np.flatnonzero(curve[start:] <= curve[start:].min() + tolerance)
    return start + int(low[-1])
