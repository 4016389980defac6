"""Metrics of parts are read once an hour while their total is too low for any part to leave its band."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.fleet.ring_columns import NOT_READ
from monitor.planning.intervals import MAX_INTERVAL
from monitor.planning.telemetry import planned_delays
from rules.arrays import Floats
from tests.monitor.fleet.fleets import ACCOUNT
from tests.monitor.planning.simulation import ADAPTIVE, DELAY, HISTORY, Demand, Simulation

HOURS = 60  # minutes
HUGE = 1e9  # a limit of the whole that its usage never nears


def constant(*levels: float, minutes: int = 6 * HOURS) -> Floats:
    """Return the utilization of series, each of which has one level all the time."""
    return np.repeat(np.array(levels, np.float32)[:, None], HISTORY + minutes, axis=1)


def simulation_of(usage: Floats, whole_limit: float | None = HUGE) -> Simulation:
    return Simulation(Demand(usage, has_aggregate=False, has_whole=True, whole_limit=whole_limit))


def run(simulation: Simulation, minutes: int) -> Simulation:
    asyncio.run(simulation.run(minutes))
    return simulation


@pytest.mark.parametrize("whole_limit", [HUGE, None])
def test_parts_of_a_small_whole_are_read_once_an_hour(whole_limit: float | None) -> None:
    simulation = run(simulation_of(constant(*[0.01] * 20), whole_limit), 5 * HOURS)
    # One part is read more often, as it proves that the namespace publishes.
    assert np.median(simulation.reads[simulation.usage_rows]) <= 10
    assert simulation.longest_gap[simulation.usage_rows].max() == MAX_INTERVAL
    assert simulation.reads[simulation.whole] >= 5 * HOURS / ADAPTIVE.longest - 1
    assert planned_delays(simulation.fleet, 60)[ACCOUNT][1] <= 60 * ADAPTIVE.longest


def test_no_minute_of_a_part_is_lost() -> None:
    simulation = run(simulation_of(constant(*[0.01] * 5)), 5 * HOURS)
    for row in simulation.usage_rows.tolist():
        minutes = np.arange(simulation.now - 170, simulation.now - MAX_INTERVAL - DELAY - 1, dtype=np.int32)
        assert not np.isnan(simulation.fleet.rings.at(np.array([row], np.int32), minutes)).any()


def test_a_sample_of_a_safe_series_is_not_stale_between_two_reads() -> None:
    simulation = run(simulation_of(constant(*[0.01] * 5)), 3 * HOURS)
    # A request may fail: a sample holds for longer than one interval.
    assert (simulation.fleet.stale_after[:5] >= MAX_INTERVAL + 30).all()


def test_a_part_that_crosses_its_edge_is_read_as_soon_as_the_whole_shows_it() -> None:
    usage = constant(*[0.01] * 10)
    usage[3, HISTORY + 200 :] = 0.9
    simulation = run(simulation_of(usage), 200)
    while simulation.known_through()[3] < 200:
        run(simulation, 1)
    assert simulation.minute <= 200 + 1 + DELAY + ADAPTIVE.longest
    assert simulation.last_read[simulation.whole] == simulation.last_read[simulation.usage_rows[3]]


def test_a_part_of_a_large_whole_is_read_by_its_own_danger() -> None:
    simulation = run(simulation_of(constant(*[0.1] * 20)), 3 * HOURS)
    assert (simulation.reads[simulation.usage_rows] >= 3 * HOURS / ADAPTIVE.longest).all()


def test_a_large_whole_that_no_series_needs_is_read_once_an_hour() -> None:
    simulation = run(simulation_of(constant(*[0.1] * 20), whole_limit=None), 5 * HOURS)
    assert simulation.reads[simulation.whole] <= 12
    assert simulation.fleet.rings.cadence[simulation.whole] in (NOT_READ, ADAPTIVE.longest)


def test_a_whole_of_a_single_part_is_not_read_for_this_part() -> None:
    simulation = run(simulation_of(constant(0.1), whole_limit=None), 3 * HOURS)
    assert simulation.reads[simulation.whole] <= 1


def test_parts_are_read_at_their_own_cadence_while_the_whole_is_unknown() -> None:
    simulation = run(simulation_of(constant(*[0.01] * 5)), 3 * HOURS)
    simulation.whole = -1  # no point of the whole is published any more
    run(simulation, HOURS)
    reads_before = simulation.reads[simulation.usage_rows].copy()
    run(simulation, HOURS)
    assert (simulation.reads[simulation.usage_rows] - reads_before >= HOURS / ADAPTIVE.longest - 1).all()


def test_a_safe_series_with_an_alert_is_read_every_minute() -> None:
    usage = constant(*[0.01] * 5)
    demand = Demand(usage, has_aggregate=False, has_whole=True, whole_limit=HUGE)
    simulation = run(Simulation(demand, alerting=lambda: np.array([2], np.int32)), HOURS)
    assert simulation.reads[simulation.usage_rows[2]] >= HOURS - 1


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.02, 0.05, 0.2]),
    st.sampled_from([0.0, 0.1]),
    st.sampled_from([HUGE, 300.0, None]),
)
def test_no_crossing_is_found_later_than_the_planned_delay(
    seed: int, level: float, failed_share: float, whole_limit: float | None
) -> None:
    random, minutes, series_count = np.random.default_rng(seed), 4 * HOURS, 5
    usage = random.uniform(0, level, (series_count, HISTORY + minutes)).astype(np.float32)
    jumps = random.random((series_count, HISTORY + minutes)) < 0.003
    jumps[:, : HISTORY + 30] = False  # else the series, lately near its edge, would be read often
    usage[jumps] = random.uniform(0.5, 2, np.count_nonzero(jumps))
    usage[random.random(usage.shape) < 0.01] = np.nan
    fails = (random.random(minutes) < failed_share).tolist()
    demand = Demand(np.nan_to_num(usage), has_aggregate=False, has_whole=True, whole_limit=whole_limit)
    simulation = Simulation(demand, fails=lambda minute: fails[minute])
    above, are_found = simulation.above(), np.zeros((series_count, minutes), np.bool_)

    async def check() -> None:
        promised, failed_minutes = np.full(series_count, ADAPTIVE.longest), 0
        for minute in range(minutes):
            await simulation.step()
            failed_minutes = failed_minutes + 1 if fails[minute] else 0
            for n, known in enumerate(simulation.known_through().tolist()):
                are_found[n, : max(known + 1, 0)] = True
                not_found = np.flatnonzero(above[n, : minute + 1] & ~are_found[n, : minute + 1])
                assert not not_found.size or minute - not_found[0] <= DELAY + 1 + promised[n] + failed_minutes
            promised = np.maximum(promised - 1, np.maximum(simulation.fleet.cadence[:series_count], 1))

    asyncio.run(check())
