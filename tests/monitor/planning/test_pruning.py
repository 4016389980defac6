"""Metrics that an aggregate proves to be 0 are not read, and nothing is lost or late by that."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.fleet.columns import Floats
from monitor.fleet.fleet import Fleet
from monitor.fleet.ring_columns import NO_BOUND, NOT_READ, PRUNED_INTERVAL
from monitor.planning.pruning import batches
from tests.monitor.fleet.fleets import add, key
from tests.monitor.planning.simulation import (
    ADAPTIVE,
    DELAY,
    HISTORY,
    SUM_OF_STREAMS,
    Demand,
    Simulation,
)

HOURS = 60
PARTS = 30


def quiet(parts: int = PARTS, minutes: int = 6 * HOURS) -> Floats:
    """Throttled demand of parts that is always 0."""
    return np.zeros((parts, HISTORY + minutes), np.float32)


def simulation(
    throttled: Floats, bounded: bool = True, fails: Callable[[int], bool] = lambda minute: False
) -> Simulation:
    """Parts whose utilization is low, with this throttled demand."""
    return Simulation(Demand(np.full_like(throttled, 0.1), throttled, bounded), fails=fails)


def run(fleet: Simulation, minutes: int) -> Simulation:
    asyncio.run(fleet.run(minutes))
    return fleet


def test_parts_are_not_read_while_the_aggregate_is_0() -> None:
    fleet = run(simulation(quiet()), 5 * HOURS)
    assert fleet.reads[fleet.throttled_rows].tolist() == [1 + (5 * HOURS - 1) // PRUNED_INTERVAL] * PARTS
    assert fleet.reads[fleet.aggregate] >= 5 * HOURS - 1
    assert (fleet.throttled_through() >= 5 * HOURS - 1 - DELAY - ADAPTIVE.throttled - 1).all()


def test_minutes_that_are_proven_are_0_and_not_unknown() -> None:
    fleet = run(simulation(quiet()), 2 * HOURS)
    rings, minutes = fleet.fleet.rings, np.arange(fleet.now - 100, fleet.now - 10, dtype=np.int32)
    assert (rings.at(fleet.throttled_rows[:, None], minutes) == 0).all()


def test_throttled_demand_of_one_part_is_found_as_soon_as_it_is_visible() -> None:
    throttled = quiet()
    throttled[7, HISTORY + 100 : HISTORY + 130] = 5
    fleet = run(simulation(throttled), 100 + DELAY + 1)
    rings, row = fleet.fleet.rings, fleet.throttled_rows[7]
    run(fleet, 1)
    assert rings.latest_value[row] == 5
    before = fleet.reads[fleet.throttled_rows].copy()
    run(fleet, 20)
    read = fleet.reads[fleet.throttled_rows] - before
    assert read[7] == 20  # so that the others are known to be 0
    assert np.delete(read, 7).max() == 0


def test_another_part_that_begins_later_is_found_as_well() -> None:
    throttled = quiet()
    throttled[7, HISTORY + 100 : HISTORY + 200] = 5
    throttled[9, HISTORY + 150] = 3
    fleet = run(simulation(throttled), 150 + DELAY + 2)
    assert fleet.fleet.rings.latest_value[fleet.throttled_rows[9]] == 3


def test_parts_that_are_always_above_0_cost_no_more_than_without_an_aggregate() -> None:
    throttled = quiet(6, 3 * HOURS) + np.float32(1)
    reads = [run(simulation(throttled, bounded), 3 * HOURS).requested for bounded in (True, False)]
    aggregate = 3 * HOURS
    assert reads[0] <= reads[1] + aggregate


def test_unexplained_demand_is_looked_for_no_more_often_than_without_an_aggregate() -> None:
    fleet = simulation(quiet(20))
    fleet.throttled = np.vstack([fleet.throttled, np.ones((1, fleet.throttled.shape[1]), np.float32)])
    run(fleet, 3 * HOURS)  # of a part that is not in the fleet, such as a deleted one
    assert fleet.reads[fleet.throttled_rows].max() <= 3 * HOURS / ADAPTIVE.throttled + 15


def test_parts_are_read_as_ever_while_the_aggregate_is_not() -> None:
    fleet = run(simulation(quiet()), 2 * HOURS)
    row, before = fleet.aggregate, fleet.reads[fleet.throttled_rows].copy()
    fleet.fleet.rings.distrusted[row] = True
    run(fleet, HOURS)
    assert (fleet.reads[fleet.throttled_rows] - before >= HOURS / ADAPTIVE.throttled - 1).all()
    assert fleet.fleet.rings.cadence[row] == NOT_READ


def test_an_aggregate_that_a_part_exceeds_is_distrusted(caplog: pytest.LogCaptureFixture) -> None:
    throttled = quiet()
    fleet = simulation(throttled)
    run(fleet, HOURS)
    fleet.throttled = throttled.copy()
    fleet.throttled[:2, HISTORY + 70] = 4, -4  # so that the aggregate says 0
    run(fleet, 3 * HOURS)
    assert fleet.fleet.rings.distrusted[fleet.aggregate]
    assert "exceeds its aggregate" in caplog.text
    assert not fleet.fleet.rings.pruned[fleet.throttled_rows].any()


def test_an_aggregate_of_a_single_part_is_not_read() -> None:
    fleet = run(simulation(quiet(1)), HOURS)
    assert fleet.fleet.rings.cadence[fleet.aggregate] == NOT_READ
    assert fleet.reads[fleet.throttled_rows[0]] >= HOURS / ADAPTIVE.throttled


def test_the_aggregate_goes_with_its_last_part() -> None:
    fleet = Fleet()
    fleet.set_bounds(SUM_OF_STREAMS)
    keys = [key("a"), key("b")]
    for one in keys:
        add(fleet, one)
    cell = keys[0].cell
    assert len(fleet.metrics(cell)) == 5
    fleet.drop(keys[0])
    assert len(fleet.metrics(cell)) == 3
    fleet.drop(keys[1])
    assert not fleet.metrics(cell)
    add(fleet, keys[0])
    assert (fleet.rings.bound[list(fleet.metrics(cell).values())] != NO_BOUND).sum() == 1


def test_batches_keep_the_parts_of_an_aggregate_together() -> None:
    fleet = Fleet()
    rings = fleet.rings
    rows = np.array([rings.allocate() for _ in range(4000)], np.int32)
    rings.bound[rows[1000:]] = rows[np.arange(3000) % 700]
    found = [*batches(rings, rows)]
    assert sorted(np.concatenate(found).tolist()) == rows[1000:].tolist()
    bounds = [set(rings.bound[some].tolist()) for some in found]
    assert sum(map(len, bounds)) == 700
    assert len(found) > 1
    assert [*batches(rings, rows[:5])] == []


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0005, 0.01, 0.2]), st.sampled_from([0.0, 0.1]))
def test_pruned_values_are_true_and_throttling_is_found_as_early_as_without_pruning(
    seed: int, often: float, faults: float
) -> None:
    random, minutes = np.random.default_rng(seed), 3 * HOURS
    throttled = quiet(8, minutes)
    throttled[:, HISTORY:] = (random.random((8, minutes)) < often) * random.integers(1, 9, (8, minutes))
    fails = (random.random(minutes) < faults).tolist()
    fleet = simulation(throttled, fails=lambda minute: fails[minute])

    async def check() -> None:
        last_success: int | None = None
        for minute in range(minutes):
            await fleet.step()
            last_success = last_success if fails[minute] else minute
            if last_success is None:
                continue
            known = fleet.throttled_through()
            assert (known >= last_success - DELAY - 1 - 2 * ADAPTIVE.throttled - 1).all()
            for n, row in enumerate(fleet.throttled_rows.tolist()):
                through = np.arange(max(0, known[n] - 20), known[n] + 1, dtype=np.int32)
                values = fleet.fleet.rings.at(np.array([row], np.int32), through + fleet.now - minute - 1)
                assert values.tolist() == throttled[n, HISTORY + through].tolist()

    asyncio.run(check())
