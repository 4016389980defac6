"""The delays and costs that a planner guarantees for a whole fleet, checked minute by minute."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.cost.prices import LIST_PRICES, MINUTES_PER_MONTH
from monitor.fleet.fleet import Fleet
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import PRUNED_INTERVAL, WINDOW
from monitor.planning.allowance import minimum_dollars
from monitor.planning.budget import BilledAmounts, Budget
from monitor.planning.intervals import MAX_INTERVAL, Intervals
from monitor.planning.settings import BudgetTerms
from monitor.planning.spending import InMemorySpendingStore
from monitor.planning.telemetry import planned_delays
from monitor.polling.plan import REVISED_MINUTES
from rules.arrays import Floats, Ints
from rules.limits import Limit, LimitSource
from tests.monitor.fleet.fleets import ACCOUNT, NOW, SETTINGS, add, key
from tests.monitor.planning.simulation import ADAPTIVE, DELAY, HISTORY, Demand, Publication, Simulation

HOURS = 60  # minutes


def constant(*levels: float, minutes: int = 4 * HOURS) -> Floats:
    """Return the utilization of series, each of which has one level all the time."""
    return np.repeat(np.array(levels, np.float32)[:, None], HISTORY + minutes, axis=1)


def with_throttling(utilization: Floats, seed: int = 0) -> Demand:
    """Return demand that is throttled now and then, with an aggregate of the throttled demand."""
    random = np.random.default_rng(seed)
    throttled = (random.random(utilization.shape) < 0.003) * random.integers(1, 50, utilization.shape)
    return Demand(utilization, throttled.astype(np.float32))


def run(simulation: Simulation, minutes: int) -> Simulation:
    """Run a simulation for some minutes, and return it."""
    asyncio.run(simulation.run(minutes))
    return simulation


def test_a_series_with_low_usage_is_read_seldom_and_a_series_above_its_band_every_minute() -> None:
    simulation = run(Simulation(constant(0.1, 0.8)), 120)
    low, above = simulation.reads[simulation.usage_rows]
    assert low <= 120 / 5 + 1  # its metric may be the one that proves that its namespace publishes
    assert above >= 119


def test_throttled_demand_is_read_every_five_minutes_at_least() -> None:
    simulation = run(Simulation(constant(0.1, 0.1, 0.1)), 120)
    assert simulation.longest_gap[simulation.throttled_rows].tolist() == [5, 5, 5]


def test_a_series_with_an_alert_is_read_every_minute() -> None:
    simulation = run(Simulation(constant(0.1, 0.1), alerting=lambda: np.array([1], np.int32)), 60)
    assert simulation.reads[simulation.usage_rows[1]] >= 59


def test_a_jump_is_found_within_the_longest_interval() -> None:
    for jump in range(0, 30, 7):
        usage = constant(*[0.01] * 5)
        usage[:, HISTORY + 120 + jump :] = 1.0
        simulation = run(Simulation(Demand(usage)), 120 + jump)
        while (simulation.known_through() < 120 + jump).any():
            run(simulation, 1)
        assert simulation.minute <= 120 + jump + 1 + DELAY + ADAPTIVE.longest


def test_no_minute_is_lost_however_seldom_a_series_is_read() -> None:
    simulation = run(Simulation(constant(0.1, 0.2, 0.3)), 100)
    rings = simulation.fleet.rings
    for row in simulation.usage_rows.tolist():
        minutes, _ = rings.history(row)
        assert (np.diff(minutes) == 1).all()
        assert minutes.size >= HISTORY - ADAPTIVE.longest - DELAY - 1


def test_a_series_without_new_points_is_read_at_the_longest_interval() -> None:
    usage = constant(0.1, 0.9, minutes=6 * HOURS)
    usage[:, HISTORY - 100 :] = np.nan
    simulation = run(Simulation(usage), 6 * HOURS)
    assert simulation.longest_gap[simulation.throttled_rows].tolist() == [ADAPTIVE.throttled] * 2
    assert simulation.longest_gap[simulation.usage_rows].max() == ADAPTIVE.longest
    assert simulation.reads[simulation.usage_rows].min() <= 6 * HOURS / ADAPTIVE.longest + 2


def test_metrics_of_a_late_namespace_are_requested_once_in_a_fifth_of_the_delay_at_most() -> None:
    simulation = Simulation(constant(0.1, 0.8))
    rings = simulation.fleet.rings
    rings.delay[: rings.size] = 25  # minutes in which points may still come and change
    run(simulation, 4 * HOURS)
    low, above = simulation.reads[simulation.usage_rows]
    assert low <= 4 * HOURS / 5 + 1
    assert above <= 4 * HOURS / 5 + 1  # not more often than once in a fifth of the delay
    assert simulation.reads[simulation.throttled_rows].max() <= 4 * HOURS / ADAPTIVE.throttled + 1


@pytest.mark.parametrize("interval", [1, 5])
def test_equal_intervals_request_everything_at_every_poll(interval: int) -> None:
    simulation = Simulation(constant(0.1, 0.8), Intervals(interval, interval, interval))
    run(simulation, 30)
    # The simulation polls each minute; Headroom, every `interval` minutes.
    assert set(simulation.reads.tolist()) == {30}


def test_with_equal_intervals_no_rise_is_looked_for_and_new_series_have_the_interval() -> None:
    equal, adaptive = (
        Simulation(constant(0.1, 0.9), intervals) for intervals in (Intervals(5, 5, 5), ADAPTIVE)
    )
    for simulation in (equal, adaptive):
        run(simulation, 30)
    assert (adaptive.fleet.rises_through[:2] > 0).all()
    assert (equal.fleet.rises_through[:2] == NEVER).all()
    added = add(equal.fleet, key("new"), replace(SETTINGS, limit=Limit(1.0, LimitSource.API, 0.0)))
    asyncio.run(equal.planner.update(equal.now))
    assert equal.fleet.cadence[: equal.fleet.size].tolist() == [5, 5, 5]
    assert equal.fleet.rings.cadence[: equal.fleet.rings.size].max() == 0
    assert added.slot == 2


def budget_of(dollars: float, simulation: Simulation) -> Budget:
    """Return a budget that charges what a simulation requests."""

    def clock() -> float:
        return simulation.minute * 60.0

    budget = Budget(
        InMemorySpendingStore(), clock, clock, lambda: {ACCOUNT: BilledAmounts(simulation.requested)}
    )
    budget.configure(BudgetTerms(dollars))
    return budget


@pytest.mark.parametrize("has_aggregate", [False, True])
@pytest.mark.parametrize("dollars", [0.3, 0.5, 2, 20])
def test_requests_cost_no_more_than_the_budget(dollars: float, has_aggregate: bool) -> None:
    minutes = 6 * HOURS
    random = np.random.default_rng(4)
    usage = np.abs(random.normal(0.5, 0.2, (20, HISTORY + minutes))).astype(np.float32)
    demand = with_throttling(usage) if has_aggregate else usage
    simulation = run(Simulation(demand, budget=lambda simulation: budget_of(dollars, simulation)), minutes)
    months = minutes / MINUTES_PER_MONTH
    price = LIST_PRICES.metric
    assert simulation.requested * price <= dollars * (months + 0.01) + price


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.sampled_from([0.1, 0.5, 0.9]),
    st.floats(0.001, 5),
    st.booleans(),
)
def test_requests_of_any_fleet_cost_no_more_than_the_budget(
    seed: int, series: int, level: float, dollars: float, has_aggregate: bool
) -> None:
    minutes = 4 * HOURS
    random = np.random.default_rng(seed)
    usage = np.abs(random.normal(level, 0.2, (series, HISTORY + minutes))).astype(np.float32)
    demand = (
        with_throttling(usage, seed) if has_aggregate else Demand(usage, has_aggregate=False, has_whole=True)
    )
    simulation = run(Simulation(demand, budget=lambda simulation: budget_of(dollars, simulation)), minutes)
    price, metrics = LIST_PRICES.metric, simulation.fleet.rings.size
    minimum = minimum_dollars(metrics, LIST_PRICES)
    assert (
        simulation.requested * price <= max(dollars, minimum) * (minutes / MINUTES_PER_MONTH + 0.01) + price
    )


def test_a_budget_does_not_lengthen_the_interval_of_a_series_in_danger() -> None:
    simulation = run(
        Simulation(constant(*[0.1] * 30, 0.9), budget=lambda simulation: budget_of(1.5, simulation)), 240
    )
    assert simulation.reads[simulation.usage_rows[-1]] >= 239
    assert simulation.reads[simulation.usage_rows[0]] < 240 / ADAPTIVE.longest


def test_every_metric_is_read_in_time_in_a_day_with_faults() -> None:
    random = np.random.default_rng(1)
    walk = np.cumsum(random.normal(0, 0.01, (15, HISTORY + 24 * HOURS)), axis=1) + 0.3
    usage = np.clip(walk, 0, 1.2).astype(np.float32)
    usage[random.random(usage.shape) < 0.02] = np.nan

    def fails(minute: int) -> bool:
        return 300 <= minute < 310 or random.random() < 0.05

    simulation = run(Simulation(with_throttling(usage), fails=fails), 24 * HOURS)
    assert simulation.longest_gap[simulation.usage_rows].max() <= ADAPTIVE.longest + 12
    assert simulation.longest_gap[simulation.throttled_rows].max() <= PRUNED_INTERVAL + 12
    assert (simulation.last_read[simulation.usage_rows] >= simulation.now - ADAPTIVE.longest - 12).all()
    assert (simulation.throttled_through() >= 24 * HOURS - ADAPTIVE.throttled - 12).all()


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_the_same_samples_give_the_same_plan(seed: int) -> None:
    usage = np.random.default_rng(seed).uniform(0, 1, (4, HISTORY + 40)).astype(np.float32)
    first, second = (run(Simulation(with_throttling(usage, seed)), 40) for _ in range(2))
    plans = [
        simulation.fleet.rings.cadence[: simulation.fleet.rings.size].tolist()
        for simulation in (first, second)
    ]
    assert plans[0] == plans[1]
    assert first.requested == second.requested


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.1, 0.3]))
def test_no_crossing_is_found_later_than_the_planned_delay(seed: int, volatility: float) -> None:
    random = np.random.default_rng(seed)
    steps = np.cumsum(random.normal(0, volatility / 10, (4, HISTORY + 150)), axis=1)
    simulation = Simulation(with_throttling(np.clip(0.4 + steps, 0, 2).astype(np.float32), seed))
    above, are_found = simulation.above(), np.zeros((4, 150), np.bool_)

    async def check() -> None:
        promised: Ints = np.full(4, ADAPTIVE.longest, np.int32)
        for minute in range(150):
            await simulation.step()
            known = simulation.known_through()
            for n in range(4):
                are_found[n, : max(known[n] + 1, 0)] = True
                not_found = np.flatnonzero(above[n, : minute + 1] & ~are_found[n, : minute + 1])
                assert not not_found.size or minute - not_found[0] <= DELAY + 1 + promised[n]
            promised = np.maximum(simulation.fleet.cadence[:4], 1)

    asyncio.run(check())


def test_the_planned_delays_are_reported_by_account() -> None:
    simulation = run(Simulation(constant(*[0.1] * 98, 0.9, 0.9)), 30)
    assert planned_delays(simulation.fleet, 60) == {ACCOUNT: {0.5: 900, 0.99: 900, 1: 900}}
    endangered = run(Simulation(constant(*[0.9] * 3, 0.1)), 30)
    namespace_interval = 300.0  # the interval of the metric that proves that its namespace publishes
    assert planned_delays(endangered.fleet, 60)[ACCOUNT][0.5] == 60
    assert planned_delays(endangered.fleet, 60)[ACCOUNT][1.0] in (namespace_interval, 900)
    with_small_budget = run(
        Simulation(constant(*[0.1] * 30), budget=lambda simulation: budget_of(0.5, simulation)), 30
    )
    assert planned_delays(with_small_budget.fleet, 60)[ACCOUNT][1.0] > 900
    assert planned_delays(Fleet(), 60) == {}


def test_every_cadence_is_an_hour_when_the_budget_is_too_small(
    caplog: pytest.LogCaptureFixture,
) -> None:
    simulation = run(
        Simulation(constant(*[0.1] * 20), budget=lambda simulation: budget_of(0.001, simulation)), 10
    )
    assert simulation.fleet.rings.cadence[simulation.usage_rows].tolist() == [MAX_INTERVAL] * 20
    assert [record.getMessage() for record in caplog.records] == [
        "the budget of $0.001 a month is too small: 40 metrics, each requested once an hour, cost $1"
    ]


async def test_a_fleet_that_grows_tenfold_keeps_to_its_budget_and_all_metrics_are_read() -> None:
    minutes = 9 * HOURS
    simulation = Simulation(
        constant(*[0.1] * 10, minutes=minutes), budget=lambda simulation: budget_of(2, simulation)
    )
    await simulation.run(2 * HOURS)
    simulation.grow(constant(*[0.1] * 90, minutes=minutes))
    await simulation.run(7 * HOURS)
    months = minutes / MINUTES_PER_MONTH
    assert simulation.requested * LIST_PRICES.metric <= 2 * (months + 0.01) + LIST_PRICES.metric
    assert simulation.reads.min() >= 7 / 2
    assert simulation.longest_gap.max() <= 2 * MAX_INTERVAL


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_late_and_revised_points_are_stored_with_their_final_values(
    seed: int, independent_wholes: bool
) -> None:
    random, minutes = np.random.default_rng(seed), 4 * HOURS
    usage = np.clip(random.normal(0.5, 0.2, (5, HISTORY + minutes)), 0.01, 2).astype(np.float32)
    publication = Publication.random(usage.shape, random, independent_wholes=independent_wholes)
    demand = replace(with_throttling(usage, seed), publication=publication)
    simulation = run(Simulation(demand), minutes)
    settled = np.arange(minutes - WINDOW + 30, minutes - ADAPTIVE.longest - REVISED_MINUTES, dtype=np.int32)
    rings = simulation.fleet.rings
    for rows, final in (
        (simulation.usage_rows, simulation.usage * 60),
        (simulation.throttled_rows, simulation.throttled),
    ):
        stored = np.nan_to_num(rings.at(rows[:, None], NOW + settled))
        np.testing.assert_allclose(stored, final[:, HISTORY + settled], rtol=1e-5)
