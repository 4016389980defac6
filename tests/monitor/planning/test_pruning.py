"""Metrics that an aggregate proves to be 0 are not read, and no sample is lost or late because of that."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.fleet.fleet import Fleet
from monitor.fleet.ring_columns import NO_BOUND, NOT_READ, PRUNED_INTERVAL
from monitor.planning.pruning import batches
from rules.arrays import Floats
from tests.monitor.fleet.fleets import NOW, add, key
from tests.monitor.planning.simulation import (
    ADAPTIVE,
    DELAY,
    HISTORY,
    LATE_BY,
    SUM_OF_STREAMS,
    Demand,
    Publication,
    Simulation,
)

HOURS = 60  # minutes
PARTS = 30


def no_throttling(parts: int = PARTS, minutes: int = 6 * HOURS) -> Floats:
    """Return throttled demand of parts that is always 0, [part, minute]."""
    return np.zeros((parts, HISTORY + minutes), np.float32)


def simulation_of(
    throttled: Floats, has_aggregate: bool = True, fails: Callable[[int], bool] = lambda minute: False
) -> Simulation:
    """Return a simulation of parts with low utilization and this throttled demand."""
    return Simulation(Demand(np.full_like(throttled, 0.1), throttled, has_aggregate), fails=fails)


def run(simulation: Simulation, minutes: int) -> Simulation:
    asyncio.run(simulation.run(minutes))
    return simulation


def test_parts_are_not_read_while_the_aggregate_is_0() -> None:
    simulation = run(simulation_of(no_throttling()), 5 * HOURS)
    assert (
        simulation.reads[simulation.throttled_rows].tolist()
        == [1 + (5 * HOURS - 1) // PRUNED_INTERVAL] * PARTS
    )
    assert simulation.reads[simulation.aggregate] >= 5 * HOURS - 1
    assert (simulation.throttled_through() >= 5 * HOURS - 1 - DELAY - ADAPTIVE.throttled - 1).all()


def test_proven_minutes_are_0_and_not_unknown() -> None:
    simulation = run(simulation_of(no_throttling()), 2 * HOURS)
    rings, minutes = (
        simulation.fleet.rings,
        np.arange(simulation.now - 100, simulation.now - 10, dtype=np.int32),
    )
    assert (rings.at(simulation.throttled_rows[:, None], minutes) == 0).all()


def test_throttled_demand_of_one_part_is_found_as_soon_as_it_is_visible() -> None:
    throttled = no_throttling()
    throttled[7, HISTORY + 100 : HISTORY + 130] = 5
    simulation = run(simulation_of(throttled), 100 + DELAY + 1)
    rings, row = simulation.fleet.rings, simulation.throttled_rows[7]
    run(simulation, 1)
    assert rings.latest_value[row] == 5
    reads_before = simulation.reads[simulation.throttled_rows].copy()
    run(simulation, 20)
    reads_since = simulation.reads[simulation.throttled_rows] - reads_before
    assert reads_since[7] == 20  # as often as the aggregate, so that the other parts are known to be 0
    assert np.delete(reads_since, 7).max() == 0


def test_throttled_demand_is_found_if_the_point_of_the_aggregate_comes_later_than_usual() -> None:
    throttled = no_throttling()
    minute = HISTORY + 120
    throttled[7, minute] = 12
    publication = Publication.uniform(throttled.shape)
    of_wholes = Publication.uniform((2, throttled.shape[1]))
    of_wholes.delays[:, minute] += LATE_BY
    demand = Demand(
        np.full_like(throttled, 0.1), throttled, publication=replace(publication, of_wholes=of_wholes)
    )
    simulation = run(Simulation(demand), 120 + 1 + DELAY + LATE_BY + 1)
    row, late_minute = simulation.throttled_rows[7:8], np.array([NOW + 120], np.int32)
    assert simulation.fleet.rings.at(row, late_minute).tolist() == [12]


def test_throttled_demand_of_another_part_that_begins_later_is_found_too() -> None:
    throttled = no_throttling()
    throttled[7, HISTORY + 100 : HISTORY + 200] = 5
    throttled[9, HISTORY + 150] = 3
    simulation = run(simulation_of(throttled), 150 + DELAY + 2)
    assert simulation.fleet.rings.latest_value[simulation.throttled_rows[9]] == 3


def test_parts_that_are_always_above_0_are_requested_no_more_often_than_without_an_aggregate() -> None:
    throttled = no_throttling(6, 3 * HOURS) + np.float32(1)
    with_aggregate, without_aggregate = (
        run(simulation_of(throttled, has_aggregate), 3 * HOURS).requested for has_aggregate in (True, False)
    )
    requests_of_aggregate = 3 * HOURS
    assert with_aggregate <= without_aggregate + requests_of_aggregate


def test_unexplained_demand_is_looked_for_no_more_often_than_without_an_aggregate() -> None:
    simulation = simulation_of(no_throttling(20))
    # The added row is a part that is not in the fleet, such as a deleted stream.
    simulation.throttled = np.vstack(
        [simulation.throttled, np.ones((1, simulation.throttled.shape[1]), np.float32)]
    )
    run(simulation, 3 * HOURS)
    assert simulation.reads[simulation.throttled_rows].max() <= 3 * HOURS / ADAPTIVE.throttled + 15


def always_throttled(
    has_aggregate: bool, quiet_from: int = 12 * HOURS, minutes: int = 12 * HOURS
) -> Simulation:
    """Return a simulation in which one of 60 parts is throttled in nine of ten minutes.

    The points of the aggregate have delays and revisions of their own, so that it exceeds the sum of the
    known parts at first. quiet_from: the minute from which nothing is throttled.
    """
    random, throttled = np.random.default_rng(3), no_throttling(60, minutes + HOURS)
    throttled[7, HISTORY:] = random.random(minutes + HOURS) < 0.9
    throttled[7, HISTORY + quiet_from :] = 0
    publication = Publication.random(throttled.shape, random, independent_wholes=True)
    demand = Demand(np.full_like(throttled, 0.1), throttled, has_aggregate, publication=publication)
    return run(Simulation(demand), minutes)


def test_an_aggregate_that_is_mostly_unexplained_costs_no_more_than_none() -> None:
    with_aggregate, without_aggregate = (
        always_throttled(has_aggregate).requested for has_aggregate in (True, False)
    )
    assert with_aggregate <= without_aggregate


def test_throttling_is_found_within_its_interval_while_no_part_is_looked_for() -> None:
    simulation, minute = always_throttled(has_aggregate=True, minutes=6 * HOURS), 6 * HOURS
    rings = simulation.fleet.rings
    assert rings.part_searches.paused(simulation.now)
    simulation.throttled[9, HISTORY + minute] = 3
    visible_after = 1 + int(simulation.publication.delays[9, HISTORY + minute])
    run(simulation, visible_after + ADAPTIVE.throttled + 1)
    assert rings.at(simulation.throttled_rows[9:10], np.array([NOW + minute], np.int32)) > 0


def test_an_aggregate_that_was_mostly_unexplained_prunes_again_once_it_is_0() -> None:
    simulation = always_throttled(has_aggregate=True, quiet_from=4 * HOURS, minutes=6 * HOURS)
    assert simulation.fleet.rings.pruned[simulation.throttled_rows].all()
    assert simulation.fleet.rings.cadence[simulation.aggregate] <= 1
    reads_before = simulation.reads[simulation.throttled_rows].copy()
    run(simulation, HOURS)
    assert (simulation.reads[simulation.throttled_rows] - reads_before).max() <= 1


def test_parts_are_read_at_their_own_cadence_while_the_aggregate_is_distrusted() -> None:
    simulation = run(simulation_of(no_throttling()), 2 * HOURS)
    row, reads_before = simulation.aggregate, simulation.reads[simulation.throttled_rows].copy()
    simulation.fleet.rings.distrusted[row] = True
    run(simulation, HOURS)
    assert (
        simulation.reads[simulation.throttled_rows] - reads_before >= HOURS / ADAPTIVE.throttled - 1
    ).all()
    assert simulation.fleet.rings.cadence[row] == NOT_READ


def test_an_aggregate_that_a_part_exceeds_is_distrusted(caplog: pytest.LogCaptureFixture) -> None:
    throttled = no_throttling()
    simulation = simulation_of(throttled)
    run(simulation, HOURS)
    simulation.throttled = throttled.copy()
    simulation.throttled[:2, HISTORY + 70] = 4, -4  # the aggregate is their sum: 0
    run(simulation, 3 * HOURS)
    assert simulation.fleet.rings.distrusted[simulation.aggregate]
    assert "exceeds its aggregate" in caplog.text
    assert not simulation.fleet.rings.pruned[simulation.throttled_rows].any()


def test_an_aggregate_of_a_single_part_is_not_read() -> None:
    simulation = run(simulation_of(no_throttling(1)), HOURS)
    assert simulation.fleet.rings.cadence[simulation.aggregate] == NOT_READ
    assert simulation.reads[simulation.throttled_rows[0]] >= HOURS / ADAPTIVE.throttled


def test_the_aggregate_is_dropped_with_its_last_part() -> None:
    fleet = Fleet()
    fleet.set_bounds(SUM_OF_STREAMS)
    keys = [key("a"), key("b")]
    for stream in keys:
        add(fleet, stream)
    cell = keys[0].cell
    assert len(fleet.metrics(cell)) == 5  # two of each stream, and the aggregate
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
    batch_list = [*batches(rings, rows)]
    assert sorted(np.concatenate(batch_list).tolist()) == rows[1000:].tolist()
    bounds = [set(rings.bound[batch].tolist()) for batch in batch_list]
    assert sum(map(len, bounds)) == 700
    assert len(batch_list) > 1
    assert [*batches(rings, rows[:5])] == []


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0005, 0.01, 0.2]), st.sampled_from([0.0, 0.1]))
def test_pruned_values_are_correct_and_throttling_is_found_as_early_as_without_pruning(
    seed: int, throttled_share: float, failed_share: float
) -> None:
    random, minutes = np.random.default_rng(seed), 3 * HOURS
    throttled = no_throttling(8, minutes)
    throttled[:, HISTORY:] = (random.random((8, minutes)) < throttled_share) * random.integers(
        1, 9, (8, minutes)
    )
    fails = (random.random(minutes) < failed_share).tolist()
    simulation = simulation_of(throttled, fails=lambda minute: fails[minute])

    async def check() -> None:
        last_success: int | None = None
        for minute in range(minutes):
            await simulation.step()
            last_success = last_success if fails[minute] else minute
            if last_success is None:
                continue
            known = simulation.throttled_through()
            assert (known >= last_success - DELAY - 1 - 2 * ADAPTIVE.throttled - 1).all()
            for n, row in enumerate(simulation.throttled_rows.tolist()):
                known_minutes = np.arange(max(0, known[n] - 20), known[n] + 1, dtype=np.int32)
                values = simulation.fleet.rings.at(
                    np.array([row], np.int32), known_minutes + simulation.now - minute - 1
                )
                assert values.tolist() == throttled[n, HISTORY + known_minutes].tolist()

    asyncio.run(check())
