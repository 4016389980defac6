"""Converts usage and metrics of the last three hours to points of five minutes, which are comparable."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.history import usage_histories
from monitor.fleet.ring_columns import WINDOW
from rules.arrays import Float64s, Floats, Ints

POINT_MINUTES: Final = 5  # minutes of a point
POINTS: Final = WINDOW // POINT_MINUTES
PUBLICATION_DELAY: Final = 5  # minutes until the points of most namespaces are complete


def window(now: int) -> range:
    """Return the minutes that are compared at the minute `now`: only complete points."""
    stop = (now - PUBLICATION_DELAY) // POINT_MINUTES * POINT_MINUTES
    return range(stop - POINTS * POINT_MINUTES, stop)


def usage_points(fleet: Fleet, series: Iterable[Series], minutes: range) -> dict[int, Float64s]:
    """Return the mean usage in each point, by slot. Call it in the event loop, where polls write."""
    slots = np.array([one_series.slot for one_series in series], np.int32)
    if not slots.size:
        return {}
    at, usage = usage_histories(fleet, slots)
    return {slot: mean_points(at[row], usage[row], minutes) for row, slot in enumerate(slots.tolist())}


def mean_points(minutes: Ints, values: Floats, within: range) -> Float64s:
    """Return the mean of the values in each point; NaN where no value is known."""
    indices = (minutes - within.start) // POINT_MINUTES
    is_known = (indices >= 0) & (indices < POINTS) & np.isfinite(values)
    counts = np.bincount(indices[is_known], minlength=POINTS)
    sums = np.bincount(indices[is_known], values[is_known].astype(np.float64), minlength=POINTS)
    with np.errstate(invalid="ignore"):
        means: Float64s = sums / counts
    return means


def as_flow(points: Float64s) -> Float64s:
    """Return counts per minute as rates per second.

    A missing point counts as 0, as AWS publishes no point without traffic. If all are missing, the flow is
    NaN, as it is unknown.
    """
    known = np.isfinite(points)
    if not known.any():
        return np.full(points.size, np.nan)
    flow: Float64s = np.where(known, points, 0) / 60
    return flow


def newest(points: Float64s) -> float:
    """Return the newest known point; NaN if no point is known."""
    known = points[np.isfinite(points)]
    return float(known[-1]) if known.size else np.nan


def ratio(part: Float64s, whole: Float64s) -> float:
    """Return the sum of `part` divided by the sum of `whole`, over points known in both; NaN for x / 0."""
    known = np.isfinite(part) & np.isfinite(whole)
    total = float(whole[known].sum())
    return float(part[known].sum()) / total if total > 0 else np.nan
