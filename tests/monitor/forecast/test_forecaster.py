"""Forecasts of a fleet: none without two days of usage, new when a limit changes, equal for equal data."""

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.base import total
from monitor.exposition.exposition import Exposition
from monitor.fleet.fleet import Series
from monitor.fleet.judge import judge
from monitor.fleet.namespaces import NEVER
from monitor.fleet.rows import row_of
from monitor.forecast.forecaster import MAX_PROBABILITY, forecast_block
from monitor.forecast.history_block import BLOCK_SIZE, HistoryBlock
from monitor.forecast.peaks import expected_peaks
from rules.analogs import BINS_PER_DAY
from rules.band import Zone
from rules.demand_forecast import MAX_BINS_LATE, MAX_HOLE_BINS, without_short_holes
from rules.forecast import BINS, MIN_BINS
from tests.monitor.forecast.fortnights import Fortnight, daily, fortnight, metric

NOW = 1_933_333  # the number of a bin
Array = npt.NDArray[np.floating]

NAN = float("nan")


async def test_a_series_near_its_limit_each_day_will_probably_reach_it() -> None:
    async with fortnight() as setup:
        near, far, over = (
            setup.put("near", limit=79),
            setup.put("far", limit=500),
            setup.put("over", limit=10),
        )
        await setup.read_past()
        within_a_day = [setup.probability(series)[2] for series in (near, far, over)]
        assert within_a_day[0] > 0.7
        assert within_a_day[1] < 0.05
        assert within_a_day[2] == 1
        reach = setup.fleet.reach_minutes
        assert setup.now - 60 < reach[near.slot][0] <= reach[near.slot][1] <= reach[near.slot][2]
        assert reach[near.slot][2] <= setup.now + 3 * 1440
        assert (reach[far.slot] == NEVER).all()
        assert setup.fleet.history_bins[near.slot] >= BINS - 10


async def test_a_series_with_less_than_two_days_of_history_has_no_forecast() -> None:
    async with fortnight() as setup:
        series = setup.put("a", created_at=(setup.now - 1.2 * 1440) * 60)
        await setup.read_past()
        assert np.isnan(setup.probability(series)).all()
        assert (setup.fleet.reach_minutes[series.slot] == NEVER).all()
        assert setup.fleet.history_bins[series.slot] == pytest.approx(1.2 * 96, abs=2)


async def test_a_changed_limit_changes_the_forecast_at_once() -> None:
    async with fortnight() as setup:
        series = setup.put("a", limit=85)
        await setup.read_past()
        first_probability = setup.probability(series)
        setup.put("a", limit=2000)
        judge(setup.fleet, setup.now)
        await setup.forecaster.follow_judgement()
        assert setup.probability(series)[3] < first_probability[3]
        setup.put("a", limit=85)
        judge(setup.fleet, setup.now)
        await setup.forecaster.follow_judgement()
        assert setup.probability(series) == first_probability
        assert len(setup.past_requests) == 1


async def test_a_series_at_its_limit_has_reached_it_until_its_usage_falls() -> None:
    async with fortnight() as setup:
        series = setup.put("a", limit=85)
        await setup.read_past()
        earlier_probability = setup.probability(series)
        earlier_minutes = setup.fleet.reach_minutes[series.slot].tolist()
        setup.fleet.usage[series.slot], setup.fleet.minute[series.slot] = 90, setup.now
        await setup.forecaster.follow_judgement()
        assert setup.probability(series) == [1] * 4
        assert setup.fleet.reach_minutes[series.slot].tolist() == [setup.now] * 3
        await setup.forecaster.forecast_slots(np.array([series.slot], np.int32))
        assert setup.probability(series) == [1] * 4
        setup.fleet.usage[series.slot] = 20
        await setup.forecaster.follow_judgement()
        assert setup.probability(series) == earlier_probability
        assert setup.fleet.reach_minutes[series.slot].tolist() == earlier_minutes


async def test_a_series_that_fell_below_its_limit_minutes_ago_is_not_at_the_limit() -> None:
    async with fortnight() as setup:
        series = setup.put("a", limit=10)
        await setup.read_past()
        assert setup.probability(series) == [1] * 4
        setup.fleet.usage[series.slot] = 4
        await setup.forecaster.follow_judgement()
        assert setup.probability(series) == pytest.approx([MAX_PROBABILITY] * 4)
        reach = row_of(setup.fleet, series).reach
        assert reach.text(setup.now) == "99 % within 1h"


async def test_a_stale_usage_at_the_limit_does_not_replace_the_forecast() -> None:
    async with fortnight() as setup:
        series = setup.put("a", limit=85)
        await setup.read_past()
        earlier_probability = setup.probability(series)
        setup.fleet.usage[series.slot], setup.fleet.zone[series.slot] = 90, Zone.STALE
        await setup.forecaster.follow_judgement()
        assert setup.probability(series) == earlier_probability


async def test_a_new_series_in_a_reused_slot_has_no_forecast() -> None:
    async with fortnight() as setup:
        series = setup.put("a")
        await setup.read_past()
        assert np.isfinite(setup.probability(series)).all()
        setup.fleet.drop(series.key)
        setup.fleet.reclaim()
        successor = setup.put("b")
        assert successor.slot == series.slot
        await setup.forecaster.forecast_all()
        assert np.isnan(setup.probability(successor)).all()


async def test_forecasts_are_exported_with_their_horizons_and_percentiles() -> None:
    async with fortnight() as setup:
        setup.put("near", limit=79)
        setup.put("new", limit=79, created_at=setup.now * 60 - 3600)
        await setup.read_past()
        exposition = Exposition(setup.fleet)
        await exposition.publish({})
        text = b"".join(exposition.body.plain(b"")[1]).decode()
    lines = [line for line in text.splitlines() if line.startswith("headroom_limit_reach")]
    assert len(lines) == 4 + 3
    assert [line.split('horizon="')[1][:3] for line in lines[:4]] == ['1h"', '6h"', "24h", '3d"']
    assert all('resource="near"' in line for line in lines)
    assert text.count("# HELP headroom_limit_reach_probability") == 1
    percentiles = [line.split('percentile="')[1].split('"')[0] for line in lines[4:]]
    assert percentiles == ["10", "50", "90"]
    times = [float(line.split()[-1]) for line in lines[4:]]
    assert times == sorted(times)


async def test_demand_throttled_below_the_limit_makes_a_ceiling_for_forecasts() -> None:
    async with fortnight() as setup:
        unthrottled = setup.put("unthrottled", limit=300)
        throttled = setup.put("throttled", limit=300, throttled=total(metric("throttled", "SampleCount")))
        await setup.read_past()
        ceiling = setup.fleet.ceiling[throttled.slot]
        assert 0 < ceiling < 90
        assert np.isnan(setup.fleet.ceiling[unthrottled.slot])
        assert setup.probability(throttled)[3] > setup.probability(unthrottled)[3]


async def note_throttling(setup: Fortnight, *throttled: tuple[Series, float]) -> None:
    """Record series whose demand was throttled today at these utilizations, the lowest of the day."""
    recorder = setup.forecaster.recorder
    await recorder.record(setup.now)
    for series, utilization in throttled:
        block, column = recorder.history.block_and_column(int(recorder.rows[series.slot]))
        block.note_throttling(np.array([column]), block.last_bin // BINS_PER_DAY, np.array([utilization]))


async def test_only_the_fullest_of_the_limits_that_share_throttled_demand_have_a_ceiling() -> None:
    async with fortnight() as setup:
        count = total(metric("orders", "SampleCount"))
        half, full = setup.put("records", throttled=count), setup.put("bytes", throttled=count)
        as_full = setup.put("growth", throttled=count)
        alone = setup.put("alone", throttled=total(metric("alone", "SampleCount")))
        await note_throttling(setup, (half, 0.25), (full, 0.75), (as_full, 0.75), (alone, 0.5))
        await setup.forecaster.forecast_all()
        slots = [series.slot for series in (half, full, as_full, alone)]
        np.testing.assert_array_equal(setup.fleet.ceiling[slots], np.array([np.nan, 75, 75, 50], np.float32))
        peaks = await expected_peaks(setup.forecaster.recorder, np.array(slots, np.int32))
        np.testing.assert_array_equal(peaks.ceiling[slots], np.array([np.nan, 0.75, 0.75, 0.5], np.float32))
        np.testing.assert_array_equal(peaks.throttled_days[slots], [0, 1, 1, 1])
        assert row_of(setup.fleet, half).reach.ceiling is None


async def test_a_limit_has_no_ceiling_while_a_full_limit_explains_the_throttled_demand() -> None:
    async with fortnight() as setup:
        count = total(metric("orders", "SampleCount"))
        half, full = setup.put("records", throttled=count), setup.put("bytes", throttled=count)
        await note_throttling(setup, (half, 0.5))
        await setup.forecaster.forecast_all()
        assert setup.fleet.ceiling[half.slot] == 50
        await note_throttling(setup, (full, 1.0))
        await setup.forecaster.forecast_slots(np.array([full.slot], np.int32))
        assert np.isnan(setup.fleet.ceiling[[half.slot, full.slot]]).all()
        await note_throttling(setup, (full, 0.25))
        await setup.forecaster.forecast_slots(np.array([full.slot], np.int32))
        np.testing.assert_array_equal(
            setup.fleet.ceiling[[half.slot, full.slot]], np.array([50, np.nan], np.float32)
        )


def block_of(usage: Array) -> HistoryBlock:
    """A block whose first series has this usage, up to the bin NOW."""
    block = HistoryBlock(NOW)
    values = usage.astype(np.float32)[:, None]
    block.put(np.array([0]), NOW - len(usage) + 1, values, np.ones(values.shape, np.bool_))
    return block


def growing(rng: np.random.Generator) -> Array:
    return np.arange(BINS) * 0.05 + rng.random(BINS)


def spike(rng: np.random.Generator) -> Array:
    return np.where(np.arange(BINS) == rng.integers(BINS), 1e6, 1.0)


SHAPES: list[Callable[[np.random.Generator], Array]] = [
    growing,
    spike,
    lambda rng: np.full(BINS, NAN),
    lambda rng: np.zeros(BINS),
    lambda rng: np.full(BINS, 7.0),
    lambda rng: -np.arange(BINS).astype(np.float32),
    lambda rng: np.array([daily(15 * n) for n in range(BINS)]) + rng.random(BINS),
    lambda rng: rng.random(BINS) ** 8 * 1e9,  # mostly low, with a few high bins
    lambda rng: np.where(rng.random(BINS) < 0.3, NAN, 50),  # many holes
    lambda rng: np.r_[np.full(BINS // 2, 5.0), np.full(BINS - BINS // 2, 50.0)],  # one step up
    lambda rng: np.r_[np.full(BINS - MIN_BINS + 1, NAN), rng.random(MIN_BINS - 1)],  # too short a history
]


@given(st.sampled_from(SHAPES), st.integers(0, 1000), st.integers(0, MAX_BINS_LATE + 2))
@settings(deadline=None, max_examples=150)
def test_any_history_has_a_consistent_forecast_or_no_forecast_and_causes_no_warning(
    shape: Callable[[np.random.Generator], Array],
    seed: int,
    bins_late: int,
) -> None:
    usage = shape(np.random.default_rng(seed))
    block, columns = block_of(usage), np.array([0])
    block.advance(NOW + bins_late)
    highest = np.nanmax(np.abs(usage), initial=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        forecasts = [
            forecast_block(block, columns, np.array([factor * highest], np.float32))
            for factor in (0.5, 0.9, 1.0, 1.1, 2.0, 10.0)
        ]
        last_forecast_again = forecast_block(block, columns, np.array([10.0 * highest], np.float32))
    np.testing.assert_array_equal(forecasts[-1].probability, last_forecast_again.probability)
    np.testing.assert_array_equal(forecasts[-1].minutes, last_forecast_again.minutes)
    probabilities = np.concatenate([forecast.probability for forecast in forecasts])
    if bins_late > MAX_BINS_LATE:
        assert np.isnan(probabilities).all()
    known_probabilities = probabilities[np.isfinite(probabilities).all(axis=1)]
    assert ((known_probabilities >= 0) & (known_probabilities <= 1)).all()
    assert (np.diff(known_probabilities, axis=1) >= 0).all()
    assert (np.diff(known_probabilities, axis=0) <= 1e-6).all()
    minutes = np.concatenate([forecast.minutes for forecast in forecasts])
    times = minutes[(minutes != NEVER).all(axis=1)]
    assert (np.diff(times, axis=1) >= 0).all()
    assert (times >= 0).all()


def test_steady_growth_reaches_the_limit_at_the_extrapolated_time() -> None:
    block = block_of(np.arange(BINS) / 96)  # it grows by 1 a day
    forecast = forecast_block(block, np.array([0]), np.array([16.0], np.float32))
    assert forecast.minutes[0] / 1440 == pytest.approx([2, 2, 2], abs=0.2)
    assert forecast.probability[0][2] < 0.1
    assert forecast.probability[0][3] > 0.9


def test_short_holes_are_filled_and_long_holes_stay() -> None:
    usage = np.array([[1, NAN, NAN, 4, *[NAN] * (MAX_HOLE_BINS + 1), 5, NAN]], np.float16).T
    usage_without_short_holes = without_short_holes(usage)[:, 0]
    assert usage_without_short_holes[:4].tolist() == [1, 1, 1, 4]
    assert np.isnan(usage_without_short_holes[4 + MAX_HOLE_BINS])
    assert usage_without_short_holes[-2:].tolist() == [5, 5]


def test_series_that_share_a_block_do_not_affect_each_other() -> None:
    rng = np.random.default_rng(3)
    usage = rng.random((BINS, BLOCK_SIZE)).astype(np.float32) * np.geomspace(1e-3, 1e9, BLOCK_SIZE)
    block = HistoryBlock(NOW)
    all_columns = np.arange(BLOCK_SIZE)
    block.put(all_columns, NOW - BINS + 1, usage.astype(np.float32), np.ones(usage.shape, np.bool_))
    limit = usage.max(axis=0).astype(np.float32) * np.float32(1.05)
    forecast_of_all = forecast_block(block, all_columns, limit)
    for column in (0, 100, BLOCK_SIZE - 1):
        forecast_of_one = forecast_block(block, np.array([column]), limit[[column]])
        np.testing.assert_allclose(
            forecast_of_one.probability[0], forecast_of_all.probability[column], rtol=1e-5
        )


async def test_while_a_limit_is_doubted_there_is_no_forecast() -> None:
    async with fortnight() as setup:
        series = setup.put("a", limit=79)
        await setup.read_past()
        assert np.isfinite(setup.probability(series)).all()
        setup.fleet.limit_doubted[series.slot] = True
        await setup.forecaster.follow_judgement()
        assert np.isnan(setup.probability(series)).all()
        setup.fleet.limit_doubted[series.slot] = False
        await setup.forecaster.follow_judgement()
        assert np.isfinite(setup.probability(series)).all()
