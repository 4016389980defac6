"""Counts, order and map over columns, held against plain loops."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet import Fleet
from monitor.snapshot import Snapshot
from monitor.web.tally import CELLS_SHOWN, counts, heat, worst
from rules.band import Zone
from tests.monitor.fleets import REGION, add, judged, key

Facts = list[tuple[Zone, float]]
facts = st.lists(st.tuples(st.sampled_from(Zone), st.floats(0, 5000, width=32)), max_size=40)


def snapshot_of(told: Facts, accounts: int = 3) -> Snapshot:
    fleet = Fleet()
    for number, (zone, usage) in enumerate(told):
        judged(fleet, add(fleet, key(f"s{number}", account=f"{number % accounts}")), zone, usage=usage)
    return Snapshot.of(fleet, {"0": "zero"})


@given(facts, st.integers(1, 20))
def test_the_worst_are_those_of_the_worst_zone_and_then_of_the_highest_utilization(
    told: Facts, most: int
) -> None:
    snapshot = snapshot_of(told)
    chosen = np.ones(snapshot.zone.size, np.bool_)
    order = sorted(range(len(told)), key=lambda n: (-told[n][0], -snapshot.utilization[n].item(), n))
    assert worst(snapshot, chosen, most) == order[:most]
    assert counts(snapshot, chosen) == {zone: Counter(zone for zone, _ in told)[zone] for zone in Zone}


@given(facts)
def test_the_map_shows_the_worst_zone_of_each_place(told: Facts) -> None:
    snapshot = snapshot_of(told)
    found = heat(snapshot, np.ones(snapshot.zone.size, np.bool_))
    shown = {row.account: row.zones for row in found.rows}
    for account in "012":
        zones = [zone for number, (zone, _) in enumerate(told) if str(number % 3) == account]
        assert shown.get(account) == ((max(zones).word,) if zones else None)


def test_only_the_worst_cells_are_shown_and_the_others_counted() -> None:
    zones = [Zone.WITHIN] * (CELLS_SHOWN + 5) + [Zone.SATURATED]
    snapshot = snapshot_of([(zone, 1.0) for zone in zones], accounts=len(zones))
    found = heat(snapshot, np.ones(len(zones), np.bool_))
    assert found.rows[0].account == str(len(zones) - 1) and found.more == 6


def test_what_nobody_may_see_is_on_the_map() -> None:
    found = heat(snapshot_of([(Zone.WITHIN, 1.0)]), np.ones(1, np.bool_), [("9", REGION, "sqs")])
    assert found.services == ("kinesis", "sqs")
    assert [(row.name, row.zones) for row in found.rows] == [
        ("zero", ("within", None)),
        ("9", (None, "not seen")),
    ]
