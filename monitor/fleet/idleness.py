"""Idle purchases: the one rule that judge, alerts and reports share.

A purchase is idle only if every series that shares it is known to be below its band and not throttled:
removing shards that are idle by bytes but busy by records would throttle their producers.
"""

from collections.abc import Iterator

import numpy as np

from monitor.fleet.columns import Flags, Floats, Ints
from monitor.fleet.fleet import Fleet
from monitor.fleet.operations import NAN
from monitor.fleet.rings import NEVER
from monitor.fleet.throttling import is_unknown
from rules.band import Zone, Zones

UNKNOWN_UTILIZATION = np.float32(np.inf)  # counts as busy


def find_idle(fleet: Fleet, zone: Zones, saturation: Floats) -> Flags:
    """Return which series have a purchased limit that is idle, by the judgement of all series."""
    found: Flags = fleet.paid[: zone.size] & (zone == Zone.BELOW) & ~(saturation > 0)
    slots = np.flatnonzero(found).astype(np.int32)
    found[slots] = ~is_unknown(fleet, slots, saturation[slots])
    members = fleet.purchases
    if members.starts.size:
        all_idle = np.logical_and.reduceat(found[members.slots], members.starts)
        found[members.slots] = np.repeat(all_idle, members.counts)
    return found


def busiest(fleet: Fleet, slots: Ints, minutes: Ints) -> Floats:
    """Return, for each slot and its minute, the highest utilization of the other series of its purchase.

    Each utilization is divided by the lower bound of its band. UNKNOWN_UTILIZATION where one is not known or
    demand was, or may have been, throttled; NaN where the slot shares its purchase with no other series.
    """
    highest, members = np.full(slots.size, NAN), fleet.purchases
    sharing = np.flatnonzero(members.size[slots])
    if not sharing.size:
        return highest
    sharing_slots, size = slots[sharing], members.size[slots[sharing]]
    begins = np.cumsum(size) - size
    within = np.arange(size.sum()) - np.repeat(begins, size)
    member_slots = members.slots[np.repeat(members.first[sharing_slots], size) + within]
    busy = _busy(fleet, member_slots, np.repeat(minutes[sharing], size))
    busy[member_slots == np.repeat(sharing_slots, size)] = NAN
    highest[sharing] = np.fmax.reduceat(busy, begins)
    return highest


def _busy(fleet: Fleet, slots: Ints, minutes: Ints) -> Floats:
    """Return utilization divided by the band's lower bound, in the last minute with a sample of each slot."""
    busy = np.full(slots.size, UNKNOWN_UTILIZATION)
    for indices, sampled_at in _last_known(fleet, slots, minutes):
        sampled = slots[indices]
        judged = fleet.judged_at(sampled, sampled_at)
        used, low = judged.utilization_upper_bound, judged.low
        calm = ~np.isnan(used) & ~(judged.throttled > 0) & (low > 0)
        calm &= ~is_unknown(fleet, sampled, judged.throttled)
        busy[indices[calm]] = used[calm] / low[calm]
    return busy


def _last_known(fleet: Fleet, slots: Ints, minutes: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield the indices of slots with the minute of their last sample that counts at their minute."""
    newest = fleet.usages.newest_minutes(fleet.rings, slots)
    minute = np.maximum(np.minimum(minutes, newest), NEVER + 1)
    oldest = minutes - fleet.stale_after[slots]
    open_indices = np.flatnonzero(minute >= oldest).astype(np.int32)
    while open_indices.size:
        known = ~np.isnan(fleet.usages.at(fleet.rings, slots[open_indices], minute[open_indices]))
        yield open_indices[known], minute[open_indices[known]]
        open_indices = open_indices[~known]
        minute[open_indices] -= 1
        open_indices = open_indices[minute[open_indices] >= oldest[open_indices]]
