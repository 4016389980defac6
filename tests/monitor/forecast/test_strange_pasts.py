"""Pasts as they are: with holes, clocks that jump, limits that flap, resources that are renamed or move."""

import numpy as np
import pytest

from monitor.fleet.judge import judge
from monitor.forecast.history import DEPARTED_FOR
from rules.analogs import DAY
from rules.forecast import BINS
from tests.monitor.forecast.fortnights import answering, daily, fortnight

MINUTES = 24 * 60
FIRST_HOUR = 12  # newest bins, which come from the rings and not from the first read


async def test_holes_of_days_stay_holes_and_the_other_days_are_forecast_by() -> None:
    async with fortnight() as clock:
        now = clock.now

    def with_holes(minute: int) -> float | None:
        days_ago = (now - minute) / MINUTES
        return None if 3 < days_ago < 5 or 8 < days_ago < 8.5 else daily(minute)

    async with fortnight(answering(with_holes)) as some:
        near, far = some.put("near", limit=79), some.put("far", limit=500)
        await some.read_past()
        usage = some.usage(near)[:-FIRST_HOUR]
        known = np.isfinite(usage)
        assert np.isnan(usage).sum() == pytest.approx(2.5 * DAY, abs=15)
        assert (usage[known] > 15).all()
        assert some.fleet.history_bins[near.slot] == pytest.approx(11.5 * DAY, abs=20)
        assert some.probability(near)[2] > 0.6
        assert some.probability(far)[2] < 0.05


async def test_a_limit_that_flaps_has_the_forecast_of_each_limit_at_once_and_reads_nothing_again() -> None:
    async with fortnight() as some:
        series = some.put("a", limit=79)
        await some.read_past()
        found: dict[float, list[list[float]]] = {79.0: [], 500.0: []}
        for limit in (79.0, 500.0) * 4:
            some.put("a", limit=limit)
            judge(some.fleet, some.now)
            await some.forecaster.follow_limits()
            found[limit].append(some.probability(series))
        low, high = found.values()
        assert all(one == low[0] for one in low)
        assert all(one == high[0] for one in high)
        assert low[0][2] > 0.7
        assert high[0][2] < 0.05
        assert len(some.past_requests) == 1


async def test_what_is_found_under_another_id_has_a_history_of_its_own_and_the_old_one_ends() -> None:
    async with fortnight(answering(daily)) as some:
        old = some.put("old", limit=79)
        await some.read_past()
        before = some.usage(old)
        some.fleet.drop(old.key)
        some.fleet.reclaim()
        new = some.put("new", limit=79, created_at=some.now * 60.0 - 3600)
        assert new.slot == old.slot
        await some.read_past()
        assert np.isfinite(before).sum() > BINS - 20
        assert np.isfinite(some.usage(new)).sum() <= 6
        assert np.isnan(some.probability(new)).all()
        history = some.forecaster.recorder.history
        assert len(history) == 2  # the old one may come back within hours
        history.advance(some.now // 15 - 1 + DEPARTED_FOR + 2)
        assert len(history) == 0


@pytest.mark.parametrize("ahead", [2 * 60, 3 * MINUTES, 30 * MINUTES])
async def test_a_clock_that_was_ahead_costs_no_forecast_once_it_is_right(ahead: int) -> None:
    async with fortnight() as some:
        series = some.put("near", limit=79)
        await some.read_past()
        before = some.probability(series)
        await some.forecaster.recorder.record(some.now + ahead)
        await some.forecaster.forecast_slots(np.array([series.slot], np.int32))
        await some.read_past()
        assert some.probability(series) == pytest.approx(before, abs=0.05)
        assert some.fleet.history_bins[series.slot] >= BINS - 20
        assert len(some.past_requests) <= 2


@pytest.mark.parametrize("back", [20, 2 * 60, 3 * MINUTES])
async def test_a_clock_that_was_behind_costs_no_forecast_once_it_is_right(back: int) -> None:
    async with fortnight() as some:
        series = some.put("near", limit=79)
        await some.read_past()
        before = some.probability(series)
        await some.forecaster.recorder.record(some.now - back)
        await some.read_past()
        assert some.probability(series) == pytest.approx(before, abs=0.05)
        assert some.fleet.history_bins[series.slot] >= BINS - 20
        assert len(some.past_requests) <= 2


async def test_what_a_machine_slept_through_is_read_afterwards() -> None:
    async with fortnight() as some:
        series = some.put("near", limit=79)
        earlier = some.now - 2 * MINUTES
        await some.poll()
        await some.forecaster.recorder.record(earlier)
        block, column = some.forecaster.recorder.history.place(
            int(some.forecaster.recorder.rows[series.slot])
        )
        block.is_read[column] = True
        await some.read_past()
        assert len(some.past_requests) == 1
        assert np.isfinite(some.usage(series)).sum() > BINS - 20
