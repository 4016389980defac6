"""The zone of a utilization in its target band, for arrays of any length."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rules.arrays import Flags, Floats
from rules.word_enum import WordEnum

Zones = npt.NDArray[np.int8]


class Zone(WordEnum):
    """The zone of a series; from `BELOW` on, the number is exported as `headroom_zone`. Higher is worse."""

    UNOBSERVABLE = -3
    STALE = -2
    BELOW = -1
    WITHIN = 0
    ABOVE = 1
    NEAR = 2
    SATURATED = 3


ZONES = {zone.word: zone for zone in Zone}


def excess(throttled: Floats, demand: Floats, rate: Floats, share: Floats) -> Floats:
    """Return the whole throttled demand per second if it is not tolerated, else 0; NaN where it is unknown.

    Less than `rate` per second, or less than a `share` of the whole demand of the minute, is tolerated. If
    the demand is unknown (NaN), the share does not apply.
    """
    tolerated = (throttled < rate) | (throttled < share * demand)
    return np.where(tolerated, np.float32(0), throttled)


def is_below(utilization: Floats, low: Floats) -> Flags:
    """Return which utilizations are below the band."""
    return utilization < low


def is_above(utilization: Floats, high: Floats) -> Flags:
    """Return which utilizations are above the band."""
    return utilization > high


def is_near(utilization: Floats, near: Floats) -> Flags:
    """Return which utilizations are near the limit."""
    return utilization >= near


def zones(utilization: Floats, saturated: Flags, low: Floats, high: Floats, near: Floats) -> Zones:
    """Return the zone of each series, from arrays of equal length.

    The band is [low, high], bounds included; from `near` on, a series is near its limit. `saturated`
    (throttled demand that is not tolerated, see `excess`) takes precedence over any utilization. Otherwise a
    missing utilization (NaN) is stale.
    """
    zone = is_above(utilization, high).astype(np.int8)
    zone += is_near(utilization, near)
    zone -= is_below(utilization, low)
    zone[np.isnan(utilization)] = Zone.STALE
    zone[saturated] = Zone.SATURATED
    return zone


def bounded_zones(lowest: Floats, highest: Floats, saturated: Flags, edges: Sequence[Floats]) -> Zones:
    """Return the zone that the bounds of a utilization prove; unobservable if they prove no zone.

    edges: low, high and near of the band.

    A lower bound above the band proves the zone in which it is; otherwise an upper bound in the band or below
    the band proves the zone in which it is. A missing bound (NaN) proves nothing; if both are missing, the
    series is stale. Bounds that contradict each other, as they may while points are arriving, prove nothing.
    """
    lower, upper = np.nan_to_num(lowest, nan=-np.inf), np.nan_to_num(highest, nan=np.inf)
    mildest, worst = (zones(bound, saturated, *edges) for bound in (lower, upper))
    is_proof = (worst <= Zone.WITHIN) & (mildest <= worst)
    proven_by_upper = np.where(is_proof, worst, np.int8(Zone.UNOBSERVABLE))
    proven = np.where(mildest > Zone.WITHIN, mildest, proven_by_upper)
    proven[np.isnan(lowest) & np.isnan(highest) & ~saturated] = Zone.STALE
    return proven
