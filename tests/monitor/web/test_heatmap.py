"""Counts and heatmap computed over columns equal the results of plain loops."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.fleet import Fleet
from monitor.fleet.snapshot import Snapshot
from monitor.web.heatmap import MAX_HEATMAP_ROWS, build_heatmap
from monitor.web.overview import count_zones
from rules.band import Zone
from tests.monitor.fleet.fleets import REGION, add, key, set_judgement

ZonesAndUsages = list[tuple[Zone, float]]
zones_and_usages = st.lists(st.tuples(st.sampled_from(Zone), st.floats(0, 5000, width=32)), max_size=40)


def snapshot_of(series: ZonesAndUsages, accounts: int = 3) -> Snapshot:
    """Return a snapshot of series with these zones and usages, in several accounts."""
    fleet = Fleet()
    for number, (zone, usage) in enumerate(series):
        set_judgement(fleet, add(fleet, key(f"s{number}", account=f"{number % accounts}")), zone, usage=usage)
    return Snapshot.of(fleet, {"0": "zero"})


@given(zones_and_usages)
def test_each_zone_is_counted(series: ZonesAndUsages) -> None:
    snapshot = snapshot_of(series)
    counts = count_zones(snapshot, np.ones(snapshot.zone.size, np.bool_))
    assert counts == {zone: Counter(zone for zone, _ in series)[zone] for zone in Zone}


@given(zones_and_usages)
def test_the_heatmap_shows_the_worst_zone_of_each_service_and_cell(series: ZonesAndUsages) -> None:
    snapshot = snapshot_of(series)
    found = build_heatmap(snapshot, np.ones(snapshot.zone.size, np.bool_))
    shown = {
        row.account: [(service.worst, service.count) for service in row.services if service]
        for row in found.rows
    }
    for account in "012":
        zones = [zone for number, (zone, _) in enumerate(series) if str(number % 3) == account]
        assert shown.get(account) == ([(max(zones).word, zones.count(max(zones)))] if zones else None)


def test_only_the_worst_cells_are_shown_and_the_omitted_cells_are_counted() -> None:
    zones = [Zone.WITHIN] * (MAX_HEATMAP_ROWS + 5) + [Zone.SATURATED]
    snapshot = snapshot_of([(zone, 1.0) for zone in zones], accounts=len(zones))
    found = build_heatmap(snapshot, np.ones(len(zones), np.bool_))
    assert found.rows[0].account == str(len(zones) - 1) and found.omitted == 6


def test_services_that_were_never_read_are_on_the_heatmap() -> None:
    found = build_heatmap(snapshot_of([(Zone.WITHIN, 1.0)]), np.ones(1, np.bool_), [("9", REGION, "sqs")])
    assert found.services == ("kinesis", "sqs")
    assert [
        (row.name, tuple(service and service.worst for service in row.services)) for row in found.rows
    ] == [
        ("zero", ("within", None)),
        ("9", (None, "no data")),
    ]
