"""The factor by which a peak may grow until it reaches its limit, and the limit that it needs then.

Demand that was throttled at a utilization u proves that there were peaks of 1/u within the minute, so the
lowest usage at which demand was throttled, the effective ceiling, stands for the limit where it is lower.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]


class Stress(NamedTuple):
    """The numbers of some series under a demand that is `factor` times their peak; NaN is unknown.

    breaks_at: the factor at which the peak reaches the limit or the effective ceiling; infinite where there
    is no usage. demand: in the unit of the limit. utilization: demand divided by the limit. is_broken: the
    asked factor is at least `breaks_at`; false where that is unknown.
    """

    breaks_at: Numbers
    demand: Numbers
    utilization: Numbers
    is_broken: Flags


def stress(peak: ArrayLike, limit: ArrayLike, ceiling: ArrayLike, factor: ArrayLike) -> Stress:
    """Return what a demand of `factor` times the peak does.

    peak: the highest demand, at least 0. limit: above 0. ceiling: the effective one; NaN where there is none.
    """
    peaks, limits = np.asarray(peak, np.float64), np.asarray(limit, np.float64)
    factors = np.asarray(factor, np.float64)
    reached = limits * share_of_limit(ceiling, limits)
    with np.errstate(divide="ignore", invalid="ignore"):
        breaks_at = np.where(np.isnan(reached), np.nan, np.divide(reached, peaks))
        demand = peaks * factors
        return Stress(breaks_at, demand, demand / limits, breaks_at <= factors)


def share_of_limit(ceiling: ArrayLike, limit: ArrayLike) -> Numbers:
    """Return the effective ceiling as a share of the limit; 1 where there is none, or none below it."""
    with np.errstate(invalid="ignore"):
        share = np.asarray(ceiling, np.float64) / np.asarray(limit, np.float64)
        return np.where((share > 0) & (share < 1), share, 1.0)


def needed_limit(demand: ArrayLike, target: ArrayLike, share: ArrayLike) -> Numbers:
    """Return the limit with which a demand is within its band again, and throttled at no peak of a minute.

    target: the utilization to aim for. share: see `share_of_limit`; it is taken to stay as it is.
    """
    usable = np.minimum(np.asarray(target, np.float64), np.asarray(share, np.float64))
    needed: Numbers = np.asarray(demand, np.float64) / usable
    return needed


def breaking_order(breaks_at: Numbers, utilization: Numbers, ids: NDArray[np.uint64]) -> Indices:
    """Return the order in which series break: the first first, of equal ones the fullest, then by their ids.

    Unknown factors come last.
    """
    fullest_first = -np.nan_to_num(utilization, nan=0.0, posinf=np.inf, neginf=0.0)
    return np.lexsort(
        (ids, fullest_first, np.nan_to_num(breaks_at, nan=np.inf, posinf=np.finfo(np.float64).max))
    )
