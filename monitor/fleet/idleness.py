"""Idle purchases: the one rule that judge, alerts and reports share.

A purchase is idle only if every series that shares it is known, below its band and not throttled: removing
shards that are idle by bytes but busy by records would throttle their producers.
"""

from collections.abc import Iterator

import numpy as np

from monitor.fleet.columns import Flags, Floats, Ints
from monitor.fleet.fleet import Fleet
from monitor.fleet.operations import NAN
from monitor.fleet.rings import NEVER
from rules.band import Zone, Zones

UNKNOWN_UTILIZATION = np.float32(np.inf)  # counts as busy


def find_idle(fleet: Fleet, zone: Zones, saturation: Floats) -> Flags:
    """Return which series have a purchased limit that is idle, by the judgement of all series."""
    found: Flags = fleet.paid[: zone.size] & (zone == Zone.BELOW) & ~(saturation > 0)
    members = fleet.purchases
    if members.starts.size:
        all_idle = np.logical_and.reduceat(found[members.slots], members.starts)
        found[members.slots] = np.repeat(all_idle, members.counts)
    return found


def busiest(fleet: Fleet, slots: Ints, minutes: Ints) -> Floats:
    """The highest utilization, at a minute each, of the series that share a purchase with each slot.

    It is divided by the lower bound of its band. UNKNOWN_UTILIZATION where a utilization is not known or
    demand was throttled; NaN where a slot shares its purchase with no other. The slot itself does not count.
    """
    found, members = np.full(slots.size, NAN), fleet.purchases
    sharing = np.flatnonzero(members.size[slots])
    if not sharing.size:
        return found
    own, size = slots[sharing], members.size[slots[sharing]]
    begins = np.cumsum(size) - size
    within = np.arange(size.sum()) - np.repeat(begins, size)
    others = members.slots[np.repeat(members.first[own], size) + within]
    busy = _busy(fleet, others, np.repeat(minutes[sharing], size))
    busy[others == np.repeat(own, size)] = NAN
    found[sharing] = np.fmax.reduceat(busy, begins)
    return found


def _busy(fleet: Fleet, slots: Ints, minutes: Ints) -> Floats:
    """Return utilization divided by the band's lower bound, in the last minute with a sample of each slot."""
    busy = np.full(slots.size, UNKNOWN_UTILIZATION)
    for some, at in _last_known(fleet, slots, minutes):
        slot = slots[some]
        judged = fleet.judged_at(slot, at)
        used, low = judged.utilization_upper_bound, judged.low
        calm = ~np.isnan(used) & ~(judged.throttled > 0) & (low > 0)
        busy[some[calm]] = used[calm] / low[calm]
    return busy


def _last_known(fleet: Fleet, slots: Ints, minutes: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield the indices of slots with the minute of their last sample that counts at their minute."""
    newest = fleet.usages.newest_minutes(fleet.rings, slots)
    at = np.maximum(np.minimum(minutes, newest), NEVER + 1)
    oldest = minutes - fleet.stale_after[slots]
    left = np.flatnonzero(at >= oldest).astype(np.int32)
    while left.size:
        known = ~np.isnan(fleet.usages.at(fleet.rings, slots[left], at[left]))
        yield left[known], at[left[known]]
        left = left[~known]
        at[left] -= 1
        left = left[at[left] >= oldest[left]]
