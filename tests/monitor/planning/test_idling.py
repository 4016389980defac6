"""The intervals at which idle metrics are read, and how soon a new point of an idle metric is found."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.cost.prices import LIST_PRICES, MINUTES_PER_MONTH
from monitor.planning.idling import IDLE_AFTER, LIST_DELAY, idle_cadences, max_idle_delay, requests_saved
from monitor.planning.intervals import MAX_INTERVAL
from rules.arrays import Floats
from tests.monitor.planning.simulation import ADAPTIVE, DELAY, HISTORY, Demand, Lists, Simulation
from tests.monitor.planning.test_planner import budget_of

MAX_USAGE_INTERVAL = ADAPTIVE.longest  # of metrics of usage that are not idle
HOUR = 60  # minutes


def usage_without_points(series: int, minutes: int) -> Floats:
    """Return the usage of series without points."""
    return np.full((series, HISTORY + minutes), np.nan, np.float32)


def run(simulation: Simulation, minutes: int) -> Simulation:
    asyncio.run(simulation.run(minutes))
    return simulation


@pytest.mark.parametrize(
    ("idle_for", "interval"),  # both in minutes
    [(0, 15), (14, 15), (15, 30), (44, 30), (45, 60), (105, 60), (100_000, 60), (-9, 15)],
)
def test_the_interval_of_an_idle_metric_doubles_after_each_request_without_a_point(
    idle_for: int, interval: int
) -> None:
    (cadence,) = idle_cadences(np.array([15], np.int32), np.array([idle_for], np.int32), 15)
    assert cadence == interval


@given(st.lists(st.integers(1, 2000), min_size=1), st.integers(0, 10**6), st.integers(0, 60))
def test_the_interval_of_an_idle_metric_is_lengthened_to_an_hour_at_most(
    cadences: list[int], idle_for: int, longest: int
) -> None:
    active_cadences = np.array(cadences, np.int32)
    lengthened = idle_cadences(active_cadences, np.full(active_cadences.size, idle_for, np.int32), longest)
    assert (lengthened >= active_cadences).all()
    assert (lengthened <= np.maximum(active_cadences, MAX_INTERVAL)).all()


def test_only_metrics_read_more_often_than_hourly_save_requests_when_idle() -> None:
    assert requests_saved(np.array([15] * 4, np.int32), 15) == pytest.approx(3)
    assert requests_saved(np.array([60, 1440], np.int32), 15) == 0


def test_with_lists_a_metric_without_points_is_read_once_an_hour() -> None:
    without_lists, with_lists = (
        run(Simulation(Demand(usage_without_points(3, 24 * HOUR), lists=lists)), 24 * HOUR)
        for lists in (None, Lists())
    )
    assert without_lists.reads[without_lists.usage_rows].tolist() == [96, 96, 96]
    assert max(with_lists.reads[with_lists.usage_rows]) <= 27
    assert max(with_lists.longest_gap[with_lists.usage_rows]) == MAX_INTERVAL
    assert (
        with_lists.longest_gap[with_lists.throttled_rows].max()
        <= without_lists.longest_gap[with_lists.throttled_rows].max()
    )


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(0, 4 * HOUR), min_size=1, max_size=6), st.integers(0, LIST_DELAY))
def test_the_first_new_point_of_an_idle_series_is_read_within_the_bound(
    active_from: list[int], delay: int
) -> None:
    usage = usage_without_points(len(active_from), 6 * HOUR)
    for row, minute in enumerate(active_from):
        usage[row, HISTORY + minute :] = 1.0
    simulation = Simulation(Demand(usage, lists=Lists(delay=delay)))
    found_at = np.full(len(active_from), -1)
    for minute in range(6 * HOUR):
        run(simulation, 1)
        are_new = (found_at < 0) & (simulation.known_through() >= np.array(active_from))
        found_at[are_new] = minute
    assert (found_at >= 0).all()
    assert (found_at - np.array(active_from) <= DELAY + 1 + max_idle_delay(MAX_USAGE_INTERVAL)).all()


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32), st.integers(60, 300))
def test_every_metric_is_read_at_least_once_an_hour_whatever_lists_return(seed: int, minutes: int) -> None:
    random = np.random.default_rng(seed)
    usage = usage_without_points(8, minutes)
    usage[random.random(usage.shape) < 0.002] = 0.3
    fails = random.random(minutes) < 0.05
    lists = Lists(fails=lambda minute: bool(fails[minute]))
    simulation = Simulation(Demand(usage, has_aggregate=False, lists=lists))
    run(simulation, minutes)
    assert simulation.longest_gap.max() <= MAX_INTERVAL
    assert (simulation.now - simulation.last_read).max() <= MAX_INTERVAL


def test_once_lists_fail_an_idle_metric_is_read_at_the_longest_interval_of_active_ones() -> None:
    lists = Lists(fails=lambda minute: minute > 6 * HOUR)
    simulation = Simulation(Demand(usage_without_points(2, 12 * HOUR), lists=lists))
    run(simulation, 9 * HOUR)
    reads_before = simulation.reads[simulation.usage_rows].copy()
    run(simulation, 2 * HOUR)
    assert (simulation.reads[simulation.usage_rows] - reads_before >= 2 * HOUR // MAX_USAGE_INTERVAL).all()


def test_a_metric_listed_without_a_new_point_is_read_at_the_longest_interval_of_active_ones() -> None:
    simulation = Simulation(Demand(usage_without_points(1, 12 * HOUR), lists=Lists(always_listed=(0,))))
    run(simulation, 12 * HOUR)
    assert simulation.longest_gap[simulation.usage_rows].max() <= MAX_USAGE_INTERVAL
    assert simulation.reads[simulation.usage_rows].max() <= 12 * HOUR / MAX_USAGE_INTERVAL + 2


def test_a_metric_becomes_idle_after_three_hours_without_a_point() -> None:
    usage = usage_without_points(2, 12 * HOUR)
    usage[0, : HISTORY + 60] = usage[1] = 0.1
    simulation = run(Simulation(Demand(usage, lists=Lists())), 60 + IDLE_AFTER)
    assert simulation.longest_gap[simulation.usage_rows].max() <= MAX_USAGE_INTERVAL
    run(simulation, 5 * HOUR)
    assert simulation.longest_gap[simulation.usage_rows[0]] == MAX_INTERVAL
    assert simulation.longest_gap[simulation.usage_rows[1]] <= MAX_USAGE_INTERVAL


def test_a_streamed_point_wakes_an_idle_metric_at_once() -> None:
    simulation = run(Simulation(Demand(usage_without_points(1, 12 * HOUR), lists=Lists())), 9 * HOUR)
    rings, row = simulation.fleet.rings, simulation.usage_rows
    assert rings.cadence[row].tolist() == [MAX_INTERVAL]
    rings.write_streamed(
        row, np.array([simulation.now - 1], np.int32), np.array([5.0], np.float32), simulation.now
    )
    simulation.planner.plan(simulation.now)
    assert rings.cadence[row].max() <= MAX_USAGE_INTERVAL


def test_the_same_points_lead_to_the_same_plan() -> None:
    usage = usage_without_points(5, 6 * HOUR)
    usage[2, HISTORY + 300 :] = 0.5
    first, second = (run(Simulation(Demand(usage, lists=Lists())), 6 * HOUR) for _ in range(2))
    assert first.reads.tolist() == second.reads.tolist()


def test_requests_stay_within_the_budget_with_idle_metrics_and_lists() -> None:
    dollars = 0.3

    usage = usage_without_points(12, 24 * HOUR)
    usage[:4] = 0.5
    simulation = run(
        Simulation(Demand(usage, lists=Lists()), budget=lambda simulation: budget_of(dollars, simulation)),
        24 * HOUR,
    )
    spent = simulation.requested * LIST_PRICES.metric
    assert spent <= dollars * (24 * HOUR / MINUTES_PER_MONTH + 0.02)
