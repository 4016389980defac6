"""Idle purchases: the one rule that judge, alerts and reports share.

A purchase is idle only if every series that shares it is known to be below its band and not throttled:
removing shards that are idle by bytes but busy by records would throttle their producers.
"""

from collections.abc import Iterator

import numpy as np

from monitor.fleet.columns import Flags, Floats, Ints
from monitor.fleet.fleet import Fleet
from monitor.fleet.namespaces import NEVER
from monitor.fleet.operations import NAN
from monitor.fleet.throttling import is_unknown
from rules.band import Zone, Zones

UNKNOWN_UTILIZATION = np.float32(np.inf)  # counts as busy


def find_idle(fleet: Fleet, zone: Zones, saturation: Floats) -> Flags:
    """Return which series have a purchased limit that is idle, by the judgement of all series."""
    idle: Flags = fleet.paid[: zone.size] & (zone == Zone.BELOW) & ~(saturation > 0)
    slots = np.flatnonzero(idle).astype(np.int32)
    idle[slots] = ~is_unknown(fleet, slots, saturation[slots])
    members = fleet.purchases
    if members.starts.size:
        all_idle = np.logical_and.reduceat(idle[members.slots], members.starts)
        idle[members.slots] = np.repeat(all_idle, members.counts)
    return idle


def busiest(fleet: Fleet, slots: Ints, minutes: Ints) -> Floats:
    """Return, for each slot and its minute, the highest utilization of the other series of its purchase.

    Each utilization is divided by the lower bound of its band. UNKNOWN_UTILIZATION where another series has
    no known utilization, or may have been throttled; NaN where the purchase has no other series.
    """
    highest, members = np.full(slots.size, NAN), fleet.purchases
    sharing = np.flatnonzero(members.count_by_slot[slots])
    if not sharing.size:
        return highest
    sharing_slots, size = slots[sharing], members.count_by_slot[slots[sharing]]
    starts = np.cumsum(size) - size
    offsets = np.arange(size.sum()) - np.repeat(starts, size)
    member_slots = members.slots[np.repeat(members.start_by_slot[sharing_slots], size) + offsets]
    busy = _busy(fleet, member_slots, np.repeat(minutes[sharing], size))
    busy[member_slots == np.repeat(sharing_slots, size)] = NAN
    highest[sharing] = np.fmax.reduceat(busy, starts)
    return highest


def _busy(fleet: Fleet, slots: Ints, minutes: Ints) -> Floats:
    """Return utilization divided by the band's lower bound, in the last minute with a sample of each slot."""
    busy = np.full(slots.size, UNKNOWN_UTILIZATION)
    for indices, sampled_at in _last_known(fleet, slots, minutes):
        sampled = slots[indices]
        judged = fleet.judged_at(sampled, sampled_at)
        used, low = judged.utilization_upper_bound, judged.low
        is_measured = ~np.isnan(used) & ~(judged.throttled > 0) & (low > 0)
        is_measured &= ~is_unknown(fleet, sampled, judged.throttled)
        busy[indices[is_measured]] = used[is_measured] / low[is_measured]
    return busy


def _last_known(fleet: Fleet, slots: Ints, minutes: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield indices of slots, each with the minute of its last sample that still counts in its minute."""
    newest = fleet.usages.newest_minutes(fleet.rings, slots)
    minute = np.maximum(np.minimum(minutes, newest), NEVER + 1)
    oldest = minutes - fleet.stale_after[slots]
    unresolved = np.flatnonzero(minute >= oldest).astype(np.int32)
    while unresolved.size:
        known = ~np.isnan(fleet.usages.at(fleet.rings, slots[unresolved], minute[unresolved]))
        yield unresolved[known], minute[unresolved[known]]
        unresolved = unresolved[~known]
        minute[unresolved] -= 1
        unresolved = unresolved[minute[unresolved] >= oldest[unresolved]]
