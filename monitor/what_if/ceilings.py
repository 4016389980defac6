"""The effective ceilings of series, without ceilings that another limit of the same resource explains.

Several limits of a resource may share one count of throttled demand, as bytes and records of a stream do.
Demand is throttled at the fullest limit, so the count says nothing about the ceilings of the other limits.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from monitor.fleet.fleet import Series
from monitor.fleet.key import Key
from monitor.fleet.snapshot import Snapshot
from monitor.what_if.selection import in_groups
from rules.arrays import Float64s
from rules.signals import Service


def own_ceilings(snapshot: Snapshot, services: Mapping[str, Service], utilization: Float64s) -> Float64s:
    """Return the effective ceiling of each slot; NaN if there is none, or another limit explains it.

    utilization: the highest utilization of each slot, by which the fullest limit is found.
    """
    ceiling = snapshot.reach.ceiling.astype(np.float64)
    slots = np.flatnonzero(np.isfinite(ceiling))
    if not slots.size:
        return ceiling
    known_utilization = np.nan_to_num(utilization)
    slots_by_key = _slots_by_key(snapshot, slots.tolist())
    for slot in slots.tolist():
        others = [
            slots_by_key[key]
            for key in _limits_with_shared_count(snapshot.series[slot], services)
            if key in slots_by_key
        ]
        if others and known_utilization[others].max() > known_utilization[slot]:
            ceiling[slot] = np.nan
    return ceiling


def _slots_by_key(snapshot: Snapshot, slots: Iterable[int]) -> dict[Key, int]:
    """Return the slots of all series of the services and cells of these slots, by the keys of the series."""
    account_region_services = {snapshot.groups[snapshot.group[slot]][:3] for slot in slots}
    slots_of_services = np.flatnonzero(
        in_groups(snapshot, (group[:3] in account_region_services for group in snapshot.groups))
    )
    return {snapshot.series[slot].key: slot for slot in slots_of_services.tolist()}


def _limits_with_shared_count(series: Series, services: Mapping[str, Service]) -> Iterator[Key]:
    """Yield the keys of other limits of the same resource that may explain the series' throttled demand."""
    key = series.key
    service = services.get(key.service)
    for name in sorted(service.inhibitors(key.signal) - {key.signal}) if service else ():
        yield Key(key.account, key.region, key.service, name, key.subject)
