"""The factor by which a peak may grow until it reaches its limit, and the limit that grown demand needs.

The effective ceiling is the lowest usage at which demand was throttled. If the ceiling is below the limit, it
stands for the limit: demand that was throttled at a utilization u proves that usage within the minute had
peaks of 1/u times its average.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rules.arrays import Flags, Float64s, Indices


class Stress(NamedTuple):
    """The numbers of some series under a demand that is `factor` times their peak; NaN is unknown.

    breaking_factor: the factor at which the peak reaches the limit or the effective ceiling; infinite if
        there is no usage.
    demand: in the unit of the limit.
    utilization: demand divided by the limit.
    is_broken: whether `factor` is at least `breaking_factor`; false if `breaking_factor` is unknown.
    """

    breaking_factor: Float64s
    demand: Float64s
    utilization: Float64s
    is_broken: Flags


def stress(
    peak: ArrayLike, limit: ArrayLike, ceiling: ArrayLike, factor: ArrayLike, share: ArrayLike = 1.0
) -> Stress:
    """Return the numbers of series whose demand, or a share of it, becomes `factor` times as high.

    peak: the highest demand, at least 0. limit: above 0. ceiling: the effective ceiling; NaN if there is
    none. share: the share of the demand that grows, from 0 to 1; NaN if it is unknown.
    """
    peaks, limits = np.asarray(peak, np.float64), np.asarray(limit, np.float64)
    factors, shares = np.asarray(factor, np.float64), np.asarray(share, np.float64)
    breaking_usage = limits * share_of_limit(ceiling, limits)
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.where(np.isnan(breaking_usage), np.nan, np.divide(breaking_usage, peaks))
        breaking_factor = np.where(shares == 1, growth, np.maximum(1 + (growth - 1) / shares, 0.0))
        demand = peaks * np.where(shares == 1, factors, 1 + shares * (factors - 1))
        return Stress(breaking_factor, demand, demand / limits, breaking_factor <= factors)


def share_of_limit(ceiling: ArrayLike, limit: ArrayLike) -> Float64s:
    """Return the effective ceiling as a share of the limit; 1 if no ceiling is below the limit."""
    with np.errstate(invalid="ignore"):
        share = np.asarray(ceiling, np.float64) / np.asarray(limit, np.float64)
        return np.where((share > 0) & (share < 1), share, 1.0)


def needed_limit(demand: ArrayLike, target: ArrayLike, share: ArrayLike) -> Float64s:
    """Return the limit at which a demand is within its band and no peak within a minute is throttled.

    target: the utilization to aim for. share: see `share_of_limit`; it is assumed not to change.
    """
    usable_share = np.minimum(np.asarray(target, np.float64), np.asarray(share, np.float64))
    needed: Float64s = np.asarray(demand, np.float64) / usable_share
    return needed


def breaking_order(breaking_factor: Float64s, utilization: Float64s, ids: NDArray[np.uint64]) -> Indices:
    """Return the order in which series break: by factor, then by falling utilization, then by id.

    Series with an unknown factor come last.
    """
    fullest_first = -np.nan_to_num(utilization, nan=0.0, posinf=np.inf, neginf=0.0)
    return np.lexsort(
        (ids, fullest_first, np.nan_to_num(breaking_factor, nan=np.inf, posinf=np.finfo(np.float64).max))
    )
