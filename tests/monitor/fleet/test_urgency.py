"""The order of urgency, which is the same for the columns of a fleet and for single series."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.fleet import Fleet
from monitor.fleet.query import Query, run_query
from monitor.fleet.rows import rows_of
from monitor.fleet.snapshot import Snapshot
from monitor.fleet.urgency import most_urgent
from rules.band import Zone
from tests.monitor.fleet.fleets import add, key, set_judgement

ZonesAndUsages = list[tuple[Zone, float]]
series_with_ties = st.lists(st.tuples(st.sampled_from(Zone), st.floats(0, 5000, width=32)), max_size=40)
series_without_ties = st.lists(
    st.tuples(st.sampled_from(Zone), st.integers(0, 5000)), max_size=40, unique=True
)


def fleet_of(zones_and_usages: ZonesAndUsages) -> Fleet:
    """Return a fleet with a series for each zone and usage."""
    fleet = Fleet()
    for number, (zone, usage) in enumerate(zones_and_usages):
        set_judgement(fleet, add(fleet, key(f"s{number}")), zone, usage=float(usage))
    return fleet


@given(series_with_ties, st.integers(1, 20))
def test_the_worst_zone_comes_first_then_the_highest_utilization_then_the_slot(
    zones_and_usages: ZonesAndUsages, limit: int
) -> None:
    snapshot = Snapshot.of(fleet_of(zones_and_usages), {})
    order = sorted(
        range(len(zones_and_usages)),
        key=lambda slot: (-zones_and_usages[slot][0], -snapshot.utilization[slot].item(), slot),
    )
    assert most_urgent(snapshot, np.ones(snapshot.zone.size, np.bool_), limit) == order[:limit]


@given(series_without_ties)
def test_pages_api_and_tables_have_the_same_order(zones_and_usages: ZonesAndUsages) -> None:
    fleet = fleet_of(zones_and_usages)
    snapshot = Snapshot.of(fleet, {})
    slots = most_urgent(snapshot, np.ones(snapshot.zone.size, np.bool_), 100)
    assert run_query(snapshot, Query()).slots == slots
    assert [row.key for row in rows_of(fleet)] == [snapshot.series[slot].key for slot in slots]
