"""Metrics of usage are not read while the whole that they are part of cannot endanger their series."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.fleet.columns import Floats
from monitor.fleet.ring_columns import NOT_READ
from monitor.planning.intervals import MAX_INTERVAL
from monitor.planning.telemetry import planned_delays
from tests.monitor.fleet.fleets import ACCOUNT
from tests.monitor.planning.simulation import ADAPTIVE, DELAY, HISTORY, Demand, Simulation

HOURS = 60
HUGE = 1e9  # limit of the whole


def constant(*levels: float, minutes: int = 6 * HOURS) -> Floats:
    return np.repeat(np.array(levels, np.float32)[:, None], HISTORY + minutes, axis=1)


def fleet_of(usage: Floats, whole_limit: float | None = HUGE) -> Simulation:
    return Simulation(Demand(usage, bounded=False, has_whole=True, whole_limit=whole_limit))


def run(fleet: Simulation, minutes: int) -> Simulation:
    asyncio.run(fleet.run(minutes))
    return fleet


@pytest.mark.parametrize("whole_limit", [HUGE, None])
def test_parts_of_a_small_whole_are_read_once_an_hour(whole_limit: float | None) -> None:
    fleet = run(fleet_of(constant(*[0.01] * 20), whole_limit), 5 * HOURS)
    assert np.median(fleet.reads[fleet.usage_rows]) <= 10  # one proves that the namespace publishes
    assert fleet.longest_gap[fleet.usage_rows].max() == MAX_INTERVAL
    assert fleet.reads[fleet.whole] >= 5 * HOURS / ADAPTIVE.longest - 1
    assert planned_delays(fleet.fleet, 60)[ACCOUNT][1] <= 60 * ADAPTIVE.longest


def test_no_minute_of_a_part_is_lost() -> None:
    fleet = run(fleet_of(constant(*[0.01] * 5)), 5 * HOURS)
    for row in fleet.usage_rows.tolist():
        minutes = np.arange(fleet.now - 170, fleet.now - MAX_INTERVAL - DELAY - 1, dtype=np.int32)
        assert not np.isnan(fleet.fleet.rings.at(np.array([row], np.int32), minutes)).any()


def test_a_sample_of_a_safe_series_is_not_stale_between_two_reads() -> None:
    fleet = run(fleet_of(constant(*[0.01] * 5)), 3 * HOURS)
    assert (fleet.fleet.stale_after[:5] >= MAX_INTERVAL + 30).all()  # a request may fail


def test_a_part_that_crosses_its_edge_is_read_once_the_whole_shows_it() -> None:
    usage = constant(*[0.01] * 10)
    usage[3, HISTORY + 200 :] = 0.9
    fleet = run(fleet_of(usage), 200)
    while fleet.known_through()[3] < 200:
        run(fleet, 1)
    assert fleet.minute <= 200 + 1 + DELAY + ADAPTIVE.longest
    assert fleet.last_read[fleet.whole] == fleet.last_read[fleet.usage_rows[3]]


def test_a_part_of_a_large_whole_is_read_by_its_own_danger() -> None:
    fleet = run(fleet_of(constant(*[0.1] * 20)), 3 * HOURS)
    assert (fleet.reads[fleet.usage_rows] >= 3 * HOURS / ADAPTIVE.longest).all()


def test_a_large_whole_that_no_series_needs_is_read_once_an_hour() -> None:
    fleet = run(fleet_of(constant(*[0.1] * 20), whole_limit=None), 5 * HOURS)
    assert fleet.reads[fleet.whole] <= 12
    assert fleet.fleet.rings.cadence[fleet.whole] in (NOT_READ, ADAPTIVE.longest)


def test_a_whole_of_a_single_part_is_not_read_for_it() -> None:
    fleet = run(fleet_of(constant(0.1), whole_limit=None), 3 * HOURS)
    assert fleet.reads[fleet.whole] <= 1


def test_parts_are_read_as_ever_while_the_whole_is_not_known() -> None:
    fleet = run(fleet_of(constant(*[0.01] * 5)), 3 * HOURS)
    fleet.whole = -1  # nothing is published of it any more
    run(fleet, HOURS)
    before = fleet.reads[fleet.usage_rows].copy()
    run(fleet, HOURS)
    assert (fleet.reads[fleet.usage_rows] - before >= HOURS / ADAPTIVE.longest - 1).all()


def test_an_alert_has_a_safe_series_read_every_minute() -> None:
    usage = constant(*[0.01] * 5)
    demand = Demand(usage, bounded=False, has_whole=True, whole_limit=HUGE)
    fleet = run(Simulation(demand, alerting=lambda: np.array([2], np.int32)), HOURS)
    assert fleet.reads[fleet.usage_rows[2]] >= HOURS - 1


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.02, 0.05, 0.2]),
    st.sampled_from([0.0, 0.1]),
    st.sampled_from([HUGE, 300.0, None]),
)
def test_no_crossing_is_found_later_than_the_planned_delay(
    seed: int, level: float, faults: float, whole_limit: float | None
) -> None:
    random, minutes, number = np.random.default_rng(seed), 4 * HOURS, 5
    usage = random.uniform(0, level, (number, HISTORY + minutes)).astype(np.float32)
    jumps = random.random((number, HISTORY + minutes)) < 0.003
    jumps[:, : HISTORY + 30] = False  # who was near its edge is read often
    usage[jumps] = random.uniform(0.5, 2, np.count_nonzero(jumps))
    usage[random.random(usage.shape) < 0.01] = np.nan
    fails = (random.random(minutes) < faults).tolist()
    demand = Demand(np.nan_to_num(usage), bounded=False, has_whole=True, whole_limit=whole_limit)
    fleet = Simulation(demand, fails=lambda minute: fails[minute])
    above, found = fleet.above(), np.zeros((number, minutes), np.bool_)

    async def check() -> None:
        promised, failed = np.full(number, ADAPTIVE.longest), 0
        for minute in range(minutes):
            await fleet.step()
            failed = failed + 1 if fails[minute] else 0
            for n, known in enumerate(fleet.known_through().tolist()):
                found[n, : max(known + 1, 0)] = True
                unseen = np.flatnonzero(above[n, : minute + 1] & ~found[n, : minute + 1])
                assert not unseen.size or minute - unseen[0] <= DELAY + 1 + promised[n] + failed
            promised = np.maximum(promised - 1, np.maximum(fleet.fleet.cadence[:number], 1))

    asyncio.run(check())
