"""From the same demand, a look-back and a running Headroom compute the same forecast."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collectors.base import Metric, Usage, total
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.judge import judge
from monitor.forecast.forecaster import MAX_PROBABILITY, Forecaster
from monitor.forecast.history import UsageHistory
from monitor.lookback.backtest import forecast_at
from monitor.lookback.replay import Judging, Replay
from monitor.lookback.sample_file import chunk_count
from monitor.lookback.ways import Way
from rules.alert_rules import Rule
from rules.analogs import BIN_MINUTES
from rules.forecast import BINS
from rules.signals import Band
from tests.monitor.fleet.fleets import SETTINGS, add, key
from tests.monitor.lookback.past import START, PointsInMemory

DAY, POLL_INTERVAL = 24 * 60, 120  # minutes
LIMIT = 1000.0
SMALLEST_HALF = float(np.finfo(np.float16).smallest_subnormal)
served, highest = Metric("AWS/Kinesis", "Served", "Sum"), Metric("AWS/Kinesis", "Highest", "Maximum")
# The zone `near` begins at the limit, so that look-back and forecaster compute the same probability.
AT_LIMIT = replace(SETTINGS, band=Band(near=1.0))


def fleet_of(count: int) -> tuple[Fleet, list[Series]]:
    """A fleet in which every second series has served demand, and the usage of every third is a maximum."""
    fleet, all_series = Fleet(), list[Series]()
    for number in range(count):
        name, formulas = f"stream-{number}", dict[str, Usage]()
        if number % 2 == 0:
            formulas["served"] = total(served.of(StreamName=name))
        if number % 3 == 2:
            formulas["usage"] = total(highest.of(StreamName=name))
        all_series.append(add(fleet, key(name), AT_LIMIT, **formulas))
    return fleet, all_series


def random_past(fleet: Fleet, minutes: range, seed: int) -> PointsInMemory:
    """Daily patterns with noise, growth, holes of minutes and of days, and throttled demand."""
    rng, points = np.random.default_rng(seed), dict[int, dict[int, float]]()
    minute_index = np.arange(len(minutes))
    for query, row in fleet.metrics(next(iter(fleet.series)).cell).items():
        noise = rng.random(minute_index.size) * rng.choice([0.0, 0.05, 0.3])
        utilization = (
            rng.uniform(0.1, 0.9)
            + 0.2 * np.sin(minute_index / DAY * 2 * np.pi)
            + noise
            + rng.choice([0, 0.1]) * minute_index / DAY
        )
        values = np.where(utilization > 0, utilization, 0) * LIMIT * (60 if b"Incoming" in query else 1)
        if b"Exceeded" in query:
            values = np.where(rng.random(minute_index.size) < rng.choice([0, 1e-3, 0.05]), 30_000.0, 0.0)
        has_point = rng.random(minute_index.size) >= rng.choice([0.0, 0.02])
        hole = rng.integers(minute_index.size)
        has_point[hole : hole + int(rng.choice([0, 40, 90, 2 * DAY]))] = False
        points[row] = {minutes.start + int(n): float(values[n]) for n in np.flatnonzero(has_point)}
    return PointsInMemory(minutes, points)


def write(fleet: Fleet, past: PointsInMemory, number: int) -> None:
    """Write a chunk of the past, and mark its minutes as read."""
    fleet.rings.write(*past.chunk(number))
    fleet.rings.mark_read(
        past.rows, min(past.minutes.start + (number + 1) * POLL_INTERVAL, past.minutes.stop) - 1
    )


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(607, 1, 5)  # throttled demand 27,000 times as high as usage
@given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from([2, 3, 5]))
async def test_lookback_and_forecaster_agree_on_the_same_samples(seed: int, count: int, days: int) -> None:
    minutes = range(
        START // POLL_INTERVAL * POLL_INTERVAL,
        START // POLL_INTERVAL * POLL_INTERVAL + days * DAY + 6 * BIN_MINUTES,
    )
    (fleet, series), (replayed_fleet, replayed_series) = fleet_of(count), fleet_of(count)
    past = random_past(fleet, minutes, seed)
    now = minutes.start
    forecaster = Forecaster(fleet, UsageHistory(), lambda: now * 60.0, dict)
    slots = np.array([each_series.slot for each_series in replayed_series], np.int32)
    judging = Judging([Way.in_force(replayed_fleet, "")], lambda _, rule: Rule(rule).severity, 60)
    replay = Replay(replayed_fleet, past, slots, judging)
    for number in range(chunk_count(minutes)):
        write(fleet, past, number)
        now = min(minutes.start + (number + 1) * POLL_INTERVAL, minutes.stop)
        judge(fleet, now)
        await forecaster.recorder.record(now)
        replay.advance(number)
    await forecaster.forecast_slots(np.arange(fleet.size, dtype=np.int32))
    expected = forecast_at(replay.quarter_hours, np.arange(count), np.array([replay.quarter_hours.count]))
    for index, each_series in enumerate(series):
        block, column = forecaster.recorder.history.block_and_column(
            int(forecaster.recorder.rows[each_series.slot])
        )
        demand, last_bin = block.usage_of(np.array([column], np.intp))
        bins = last_bin + 1 - replay.quarter_hours.count + np.arange(replay.quarter_hours.count)
        by_lookback_demand = replay.quarter_hours.demand[index]
        # The history has one scale for a series, so demand far below the highest is stored in coarser steps.
        step = np.nanmax(by_lookback_demand, initial=0) * SMALLEST_HALF
        np.testing.assert_allclose(demand[bins % BINS, 0], by_lookback_demand, rtol=0, atol=step)
        # Only the forecaster distinguishes a limit reached now (probability 1) from one reached minutes ago.
        probability, by_lookback = (
            np.minimum(values, MAX_PROBABILITY)
            for values in (fleet.reach_probability[each_series.slot], expected[index, 0])
        )
        assert probability == pytest.approx(by_lookback, abs=1e-3, nan_ok=True)
