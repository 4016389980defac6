"""Unusual pasts: holes, wrong clocks, limits that change back and forth, and renamed resources."""

import numpy as np
import pytest

from monitor.fleet.judge import judge
from monitor.forecast.history import RETAINED_BINS
from rules.analogs import BINS_PER_DAY
from rules.forecast import BINS
from tests.monitor.forecast.fortnights import answer_with, daily, fortnight

DAY_MINUTES = 24 * 60
RING_BINS = 12  # the newest bins, whose usage is recorded from the rings, not read as the past


async def test_holes_of_days_stay_missing_and_forecasts_use_the_other_days() -> None:
    async with fortnight() as setup:
        now = setup.now

    def with_holes(minute: int) -> float | None:
        days_ago = (now - minute) / DAY_MINUTES
        return None if 3 < days_ago < 5 or 8 < days_ago < 8.5 else daily(minute)

    async with fortnight(answer_with(with_holes)) as setup:
        near, far = setup.put("near", limit=79), setup.put("far", limit=500)
        await setup.read_past()
        usage = setup.usage(near)[:-RING_BINS]
        known = np.isfinite(usage)
        assert np.isnan(usage).sum() == pytest.approx(2.5 * BINS_PER_DAY, abs=15)
        assert (usage[known] > 15).all()
        assert setup.fleet.history_bins[near.slot] == pytest.approx(11.5 * BINS_PER_DAY, abs=20)
        assert setup.probability(near)[2] > 0.6
        assert setup.probability(far)[2] < 0.05


async def test_each_change_of_a_limit_renews_the_forecast_without_reading_the_past_again() -> None:
    async with fortnight() as setup:
        series = setup.put("a", limit=79)
        await setup.read_past()
        probabilities: dict[float, list[list[float]]] = {79.0: [], 500.0: []}
        for limit in (79.0, 500.0) * 4:
            setup.put("a", limit=limit)
            judge(setup.fleet, setup.now)
            await setup.forecaster.follow_judgement()
            probabilities[limit].append(setup.probability(series))
        at_79, at_500 = probabilities.values()
        assert all(probability == at_79[0] for probability in at_79)
        assert all(probability == at_500[0] for probability in at_500)
        assert at_79[0][2] > 0.7
        assert at_500[0][2] < 0.05
        assert len(setup.past_requests) == 1


async def test_a_renamed_resource_has_a_new_history_and_the_old_history_ends() -> None:
    async with fortnight(answer_with(daily)) as setup:
        old = setup.put("old", limit=79)
        await setup.read_past()
        usage_before_renaming = setup.usage(old)
        setup.fleet.drop(old.key)
        setup.fleet.reclaim()
        new = setup.put("new", limit=79, created_at=setup.now * 60.0 - 3600)
        assert new.slot == old.slot
        await setup.read_past()
        assert np.isfinite(usage_before_renaming).sum() > BINS - 20
        assert np.isfinite(setup.usage(new)).sum() <= 6
        assert np.isnan(setup.probability(new)).all()
        history = setup.forecaster.recorder.history
        assert len(history) == 2  # the old resource may return within hours
        history.advance(setup.now // 15 - 1 + RETAINED_BINS + 2)
        assert len(history) == 0


async def test_a_resource_created_anew_under_its_name_has_nothing_of_the_old_history() -> None:
    async with fortnight(answer_with(daily)) as setup:
        old = setup.put("a", limit=79)
        await setup.read_past()
        assert np.isfinite(setup.usage(old)).sum() > BINS - 20
        setup.fleet.drop(old.key)
        setup.fleet.reclaim()
        new = setup.put("a", limit=79, created_at=setup.now * 60.0 - 3600)
        assert new.slot == old.slot
        await setup.read_past()
        assert np.isfinite(setup.usage(new)).sum() <= 6
        assert np.isnan(setup.probability(new)).all()


async def test_a_series_removed_while_the_clock_was_ahead_is_forgotten_in_time() -> None:
    async with fortnight() as setup:
        series = setup.put("a", limit=79)
        await setup.read_past()
        recorder, last_bin = setup.forecaster.recorder, setup.now // 15 - 1
        await recorder.record(setup.now + 30 * DAY_MINUTES)
        setup.fleet.drop(series.key)
        setup.fleet.reclaim()
        await recorder.record(setup.now)
        assert len(recorder.history) == 1
        recorder.history.advance(last_bin + RETAINED_BINS + 2)
        assert len(recorder.history) == 0


@pytest.mark.parametrize("minutes_ahead", [2 * 60, 3 * DAY_MINUTES, 30 * DAY_MINUTES])
async def test_forecasts_recover_when_a_clock_that_was_ahead_is_corrected(minutes_ahead: int) -> None:
    async with fortnight() as setup:
        series = setup.put("near", limit=79)
        await setup.read_past()
        earlier_probability = setup.probability(series)
        await setup.forecaster.recorder.record(setup.now + minutes_ahead)
        await setup.forecaster.forecast_slots(np.array([series.slot], np.int32))
        await setup.read_past()
        assert setup.probability(series) == pytest.approx(earlier_probability, abs=0.05)
        assert setup.fleet.history_bins[series.slot] >= BINS - 20
        assert len(setup.past_requests) <= 2


@pytest.mark.parametrize("minutes_behind", [20, 2 * 60, 3 * DAY_MINUTES])
async def test_forecasts_recover_when_a_clock_that_was_behind_is_corrected(minutes_behind: int) -> None:
    async with fortnight() as setup:
        series = setup.put("near", limit=79)
        await setup.read_past()
        earlier_probability = setup.probability(series)
        await setup.forecaster.recorder.record(setup.now - minutes_behind)
        await setup.read_past()
        assert setup.probability(series) == pytest.approx(earlier_probability, abs=0.05)
        assert setup.fleet.history_bins[series.slot] >= BINS - 20
        assert len(setup.past_requests) <= 2


async def test_usage_missed_while_the_machine_slept_is_read_afterwards() -> None:
    async with fortnight() as setup:
        series = setup.put("near", limit=79)
        earlier = setup.now - 2 * DAY_MINUTES
        await setup.poll()
        await setup.forecaster.recorder.record(earlier)
        block, column = setup.forecaster.recorder.history.block_and_column(
            int(setup.forecaster.recorder.rows[series.slot])
        )
        block.is_read[column] = True
        await setup.read_past()
        assert len(setup.past_requests) == 1
        assert np.isfinite(setup.usage(series)).sum() > BINS - 20
