"""The rule of idle purchases, which the judge, the alerts and the reports share.

A purchase is idle only if every series that shares it is known to be below its band and not throttled:
removing shards that are idle by bytes but busy by records would throttle their producers.
"""

from collections.abc import Iterator

import numpy as np

from monitor.fleet.fleet import Fleet
from monitor.fleet.namespaces import NEVER
from monitor.fleet.operations import NAN
from monitor.fleet.throttling import is_throttling_unknown
from rules.arrays import Flags, Floats, Ints
from rules.band import Zone, Zones

UNKNOWN_UTILIZATION = np.float32(np.inf)  # counts as busy


def find_idle(fleet: Fleet, zone: Zones, saturation: Floats) -> Flags:
    """Return which series belong to an idle purchase. zone, saturation: of all series, as judged."""
    idle: Flags = fleet.paid[: zone.size] & (zone == Zone.BELOW) & ~(saturation > 0)
    slots = np.flatnonzero(idle).astype(np.int32)
    idle[slots] = ~is_throttling_unknown(fleet, slots, saturation[slots])
    members = fleet.purchases
    if members.starts.size:
        all_idle = np.logical_and.reduceat(idle[members.slots], members.starts)
        idle[members.slots] = np.repeat(all_idle, members.counts)
    return idle


def highest_other_ratio_to_low(fleet: Fleet, slots: Ints, minutes: Ints) -> Floats:
    """Return how busy the busiest other series of each slot's purchase was in the slot's minute.

    That is its utilization divided by the lower bound of its band. UNKNOWN_UTILIZATION where
    another series has no known utilization, or may have been throttled; NaN where the purchase has no other
    series.
    """
    highest, members = np.full(slots.size, NAN), fleet.purchases
    sharing_indices = np.flatnonzero(members.count_by_slot[slots])
    if not sharing_indices.size:
        return highest
    sharing_slots, member_counts = slots[sharing_indices], members.count_by_slot[slots[sharing_indices]]
    starts = np.cumsum(member_counts) - member_counts
    offsets = np.arange(member_counts.sum()) - np.repeat(starts, member_counts)
    member_slots = members.slots[np.repeat(members.start_by_slot[sharing_slots], member_counts) + offsets]
    utilization = _relative_utilization(
        fleet, member_slots, np.repeat(minutes[sharing_indices], member_counts)
    )
    utilization[member_slots == np.repeat(sharing_slots, member_counts)] = NAN
    highest[sharing_indices] = np.fmax.reduceat(utilization, starts)
    return highest


def _relative_utilization(fleet: Fleet, slots: Ints, minutes: Ints) -> Floats:
    """Return each slot's utilization divided by the lower bound of its band.

    It is the utilization in the slot's last minute with a sample, up to its minute in `minutes`.
    """
    relative = np.full(slots.size, UNKNOWN_UTILIZATION)
    for indices, sampled_at in _last_samples(fleet, slots, minutes):
        sampled_slots = slots[indices]
        judged = fleet.judged_at(sampled_slots, sampled_at)
        utilization, low = judged.utilization_upper_bound, judged.low
        is_measured = ~np.isnan(utilization) & ~(judged.throttled > 0) & (low > 0)
        is_measured &= ~is_throttling_unknown(fleet, sampled_slots, judged.throttled)
        relative[indices[is_measured]] = utilization[is_measured] / low[is_measured]
    return relative


def _last_samples(fleet: Fleet, slots: Ints, minutes: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield indices of `slots`, with the minute of the last sample of each slot up to its minute.

    Slots whose last sample is stale by then are left out.
    """
    newest = fleet.usages.newest_minutes(fleet.rings, slots)
    sampled_at = np.maximum(np.minimum(minutes, newest), NEVER + 1)
    oldest = minutes - fleet.stale_after[slots]
    unresolved = np.flatnonzero(sampled_at >= oldest).astype(np.int32)
    while unresolved.size:  # go back a minute for slots without a sample in theirs
        known = ~np.isnan(fleet.usages.at(fleet.rings, slots[unresolved], sampled_at[unresolved]))
        yield unresolved[known], sampled_at[unresolved[known]]
        unresolved = unresolved[~known]
        sampled_at[unresolved] -= 1
        unresolved = unresolved[sampled_at[unresolved] >= oldest[unresolved]]
