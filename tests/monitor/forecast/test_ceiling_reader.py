"""The utilization of the minutes in which demand was throttled in the past is read, and is a ceiling."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.base import total
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.metric_query import metric_query
from monitor.forecast.history import UsageHistory
from monitor.forecast.past_reader import PastReader, ReadLimits
from monitor.lookback.replay import Judging, Replay
from monitor.lookback.sample_file import chunk_count
from monitor.lookback.ways import Way
from monitor.planning.budget import BilledAmounts, Budget
from monitor.planning.intervals import Intervals
from monitor.planning.planner import Planner
from monitor.planning.settings import BudgetTerms
from monitor.planning.spending import InMemorySpendingStore
from rules.alert_rules import Rule
from tests.fake_cloudwatch import Body, ErrorResponse, Query, Response, query_result
from tests.monitor.forecast.fortnights import (
    CELL,
    DAY_MINUTES,
    Fortnight,
    fortnight,
    is_of_minutes,
    is_of_past,
    metric,
    stream_name_of,
)
from tests.monitor.lookback.past import PointsInMemory

LIMIT = 100.0


@dataclass
class Minutes:
    """The sums of metrics in each minute.

    start: the first minute that has points. sums: by metric and minute. default_sums: by metric, the sum in
    all minutes that are not in `sums`. default_sum: the default of metrics that are not in `default_sums`;
    None: no points.
    """

    start: int
    sums: Mapping[str, Mapping[int, float]]
    default_sums: Mapping[str, float]
    default_sum: float | None = 0.0

    def answer(self, body: Body) -> Response:
        """Answer as CloudWatch does: the sum of each period."""
        return {
            "MetricDataResults": [
                query_result(query, self._points(query, body)) for query in body["MetricDataQueries"]
            ]
        }

    def _points(self, query: Query, body: Body) -> dict[int, float]:
        period, name = query["MetricStat"]["Period"] // 60, stream_name_of(query)
        starts = range(body["StartTime"] // 60, body["EndTime"] // 60 - period + 1, period)
        sums_by_start = {start: self._known_sums(name, range(start, start + period)) for start in starts}
        return {start: sum(minute_sums) for start, minute_sums in sums_by_start.items() if minute_sums}

    def _known_sums(self, name: str, minutes: range) -> list[float]:
        """Return the sums of the minutes that have points."""
        sums, default_sum = self.sums.get(name, {}), self.default_sums.get(name, self.default_sum)
        values = (sums.get(minute, default_sum) for minute in minutes if minute >= self.start)
        return [value for value in values if value is not None]


def days_ago(days: float) -> int:
    """The first minute of the period of five minutes that contains the minute some days ago."""
    return int(time.time() // 60 - days * DAY_MINUTES) // 5 * 5


def one_peak(minute: int, usage: float = 48.0, throttled: float = 60.0) -> Minutes:
    """A usage of 20 per minute, in which one minute has a peak and throttled demand."""
    return Minutes(
        days_ago(20), {"usage": {minute: usage}, "throttled": {minute: throttled}}, {"usage": 20.0}
    )


def put(setup: Fortnight, **observed: Any) -> Series:
    """Add a series with throttled demand to a fleet."""
    options = {"throttled": total(metric("throttled"))} | observed
    return setup.put("a", total(metric("usage")), LIMIT, **options)


def ceiling(setup: Fortnight, series: Series) -> float:
    """The effective ceiling, in the unit of the usage."""
    return float(setup.fleet.ceiling[series.slot])


def requested_metrics(bodies: list[Body]) -> list[str]:
    """The names of the metrics in some requests."""
    return sorted(stream_name_of(query) for body in bodies for query in body["MetricDataQueries"])


def past_reader(setup: Fortnight, limits: ReadLimits) -> PastReader:
    """Return a reader of the past with other limits."""
    recorder = setup.forecaster.recorder
    return PastReader(setup.fleet, recorder, lambda: {CELL: setup.reader}, lambda _: None, limits)


async def read_with(reader: PastReader, setup: Fortnight) -> None:
    """Read the past of all series whose past is not read yet, and forecast all series."""
    await setup.poll()
    await setup.forecaster.forecast_all()
    await reader.read_all(np.arange(setup.fleet.size, dtype=np.int32))
    await setup.forecaster.forecast_all()


async def test_the_usage_of_a_minute_with_throttled_demand_in_the_past_is_the_ceiling() -> None:
    async with fortnight(one_peak(days_ago(5) + 3).answer) as setup:
        series = put(setup)
        await setup.read_past()
        # The mean of the five minutes, 25.6, would be a false ceiling.
        assert ceiling(setup, series) == pytest.approx(48, rel=1e-3)
        assert requested_metrics(setup.minute_requests) == ["throttled", "usage"]
        (body,) = setup.minute_requests
        assert body["EndTime"] - body["StartTime"] == 3600


async def test_minutes_are_requested_once_for_all_periods_and_counted_like_other_requests() -> None:
    minutes = [days_ago(12.5) + 1, days_ago(6) + 4, days_ago(0.5)]
    data = Minutes(
        days_ago(20),
        {
            "usage": dict(zip(minutes, (70.0, 40.0, 50.0), strict=True)),
            "throttled": dict.fromkeys(minutes, 9.0),
        },
        {"usage": 20.0},
    )
    async with fortnight(data.answer) as setup:
        series = put(setup)
        await setup.poll()
        earlier_count = setup.telemetry.registry.get_sample_value(*REQUESTED_METRICS)
        await setup.read_past()
        later_count = setup.telemetry.registry.get_sample_value(*REQUESTED_METRICS)
        assert earlier_count is not None and later_count is not None
        assert ceiling(setup, series) == pytest.approx(40, rel=1e-3)
        assert requested_metrics(setup.minute_requests) == ["throttled", "usage"]
        assert later_count - earlier_count == 3 * 2  # two metrics in a poll, of the fortnight, of the minutes


REQUESTED_METRICS = (
    "headroom_metrics_requested_total",
    {"aws_account": CELL[0], "aws_region": CELL[1], "aws_service": "kinesis"},
)


async def test_a_count_of_throttled_demand_that_series_share_is_requested_once() -> None:
    async with fortnight(one_peak(days_ago(5)).answer) as setup:
        throttled = total(metric("throttled"))
        for number in range(3):
            setup.put(number, throttled=throttled)
        await setup.read_past()
        assert requested_metrics(setup.minute_requests) == ["0", "1", "2", "throttled"]


async def test_no_minute_is_read_if_no_demand_was_throttled_or_all_throttled_demand_is_tolerated() -> None:
    async with fortnight(one_peak(days_ago(5), throttled=0).answer) as setup:
        put(setup)
        await setup.read_past()
        assert not setup.minute_requests
    async with fortnight(one_peak(days_ago(5), throttled=9).answer) as setup:
        series = put(setup)
        setup.fleet.tolerated_rate[series.slot] = 10
        await setup.read_past()
        assert not setup.minute_requests
        assert np.isnan(ceiling(setup, series))


async def test_throttled_demand_is_tolerated_by_its_share_of_each_minute() -> None:
    data = one_peak(days_ago(5), throttled=9)
    for served, expected in ((41.0, np.nan), (35.0, 48.0)):  # the share is 18 % and 20.5 %
        data.default_sums = {"usage": 20.0, "served": served}
        async with fortnight(data.answer) as setup:
            series = put(setup, served=total(metric("served")))
            setup.fleet.tolerated_share[series.slot] = 0.2
            await setup.read_past()
            assert requested_metrics(setup.minute_requests) == ["served", "throttled", "usage"]
            assert ceiling(setup, series) == pytest.approx(expected, rel=1e-3, nan_ok=True)


async def test_minutes_before_the_creation_of_a_resource_are_left_out() -> None:
    minute = days_ago(5) + 2
    for creation_minute, expected in ((minute + 1, np.nan), (minute, 48.0)):
        async with fortnight(one_peak(minute).answer) as setup:
            series = put(setup, created_at=creation_minute * 60.0)
            await setup.read_past()
            assert ceiling(setup, series) == pytest.approx(expected, rel=1e-3, nan_ok=True)


async def test_a_minute_without_usage_counts_as_throttled_but_not_as_a_ceiling() -> None:
    minute = days_ago(5)
    data = Minutes(days_ago(20), {"usage": {minute - 600: 5.0}, "throttled": {minute: 9.0}}, {}, None)

    async with fortnight(data.answer) as setup:
        usage, throttled = (total(metric(name, zero_when_absent=True)) for name in ("usage", "throttled"))
        series = setup.put("a", usage, throttled=throttled)
        await setup.read_past()
        highest = setup.forecaster.peaks.highest(setup.fleet.id[: setup.fleet.size])
        assert highest.throttled[series.slot]
        assert np.isnan(ceiling(setup, series))


async def test_minutes_are_not_read_again_after_a_restart(tmp_path: Path) -> None:
    data, path = one_peak(days_ago(5)), tmp_path / "usage.history"
    async with fortnight(data.answer, history=UsageHistory(path)) as setup:
        put(setup)
        await setup.read_past()
        await setup.read_past()
        assert len(setup.minute_requests) == 1
        await setup.forecaster.save()
    async with fortnight(data.answer, history=UsageHistory.read(path)) as restarted:
        series = put(restarted)
        await restarted.read_past()
        assert not restarted.minute_requests
        assert ceiling(restarted, series) == pytest.approx(48, rel=1e-3)


async def test_minutes_that_could_not_be_read_are_read_later_without_the_fortnight() -> None:
    data, fails = one_peak(days_ago(5)), True

    def answer(body: Body) -> Response:
        if fails and is_of_past(body) and is_of_minutes(body):
            return ErrorResponse("AccessDeniedException")
        return data.answer(body)

    async with fortnight(answer) as setup:
        series, reader = put(setup), past_reader(setup, ReadLimits(retry_interval=0))
        await read_with(reader, setup)
        assert np.isfinite(setup.probability(series)).all()
        assert np.isnan(ceiling(setup, series))
        fails = False
        await read_with(reader, setup)
        assert ceiling(setup, series) == pytest.approx(48, rel=1e-3)
        assert sorted(setup.requested_past_metrics) == ["throttled", "usage"]


async def test_minutes_that_could_not_be_read_are_read_by_the_next_process(
    tmp_path: Path,
) -> None:
    data, path = one_peak(days_ago(5)), tmp_path / "usage.history"

    def answer(body: Body) -> Response:
        is_denied = is_of_past(body) and is_of_minutes(body)
        return ErrorResponse("AccessDeniedException") if is_denied else data.answer(body)

    async with fortnight(answer, history=UsageHistory(path)) as setup:
        put(setup)
        await setup.read_past()
        await setup.read_past()
        assert len(setup.minute_requests) == 1  # the failed read is not tried again at once
        await setup.forecaster.save()
    async with fortnight(data.answer, history=UsageHistory.read(path)) as restarted:
        series = put(restarted)
        await restarted.read_past()
        assert ceiling(restarted, series) == pytest.approx(48, rel=1e-3)


async def test_minutes_are_read_only_if_the_budget_allows() -> None:
    data, billed_metrics = one_peak(days_ago(5)), 0

    def planner(fleet: Fleet) -> Planner:
        budget = Budget(
            InMemorySpendingStore(),
            clock=lambda: 0.0,
            wall_clock=lambda: 0.0,
            billed=lambda: {CELL[0]: BilledAmounts(billed_metrics)},
        )
        budget.configure(BudgetTerms(10.0))
        return Planner(fleet, Intervals(1, 1, 1), budget=budget)

    def answer(body: Body) -> Response:
        nonlocal billed_metrics
        if is_of_past(body):
            billed_metrics = 10**9  # more than the budget
        return data.answer(body)

    async with fortnight(answer, planner=planner) as setup:
        series = put(setup)
        await setup.read_past()
        assert sorted(setup.requested_past_metrics) == ["throttled", "usage"]
        assert not setup.minute_requests
        assert np.isnan(ceiling(setup, series))


async def test_minutes_of_a_limited_number_of_series_are_read_and_the_rest_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with fortnight(one_peak(days_ago(5)).answer) as setup:
        for number in range(3):
            setup.put(number, throttled=total(metric("throttled")))
        reader = past_reader(setup, ReadLimits(max_ceilings=1))
        await read_with(reader, setup)
        await read_with(reader, setup)
        assert requested_metrics(setup.minute_requests) == ["0", "throttled"]
        assert len(setup.past_requests) == 1
    assert caplog.text.count("of more than 1 series with throttled demand") == 1


def random_minutes(seed: int, minutes: range) -> Minutes:
    """Random usage and served demand, holes, and minutes and hours of throttled demand."""
    rng = np.random.default_rng(seed)
    size = len(minutes)
    throttled = np.where(rng.random(size) < rng.choice([0, 5e-4, 0.01]), rng.integers(1, 30, size), 0)
    burst = int(rng.integers(size))
    throttled[burst : burst + int(rng.choice([0, 3, 90]))] = 20
    throttled[-60:] = 0
    arrays = {"usage": rng.uniform(1, 140, size), "served": rng.uniform(0, 60, size), "throttled": throttled}
    sums = dict[str, dict[int, float]]()
    for name, values in arrays.items():
        has_point = rng.random(size) >= rng.choice([0.0, 0.1])
        sums[name] = {
            minutes.start + n: float(np.float32(values[n])) for n in np.flatnonzero(has_point).tolist()
        }
    return Minutes(minutes.start, sums, {}, None)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10_000), st.sampled_from([1, 3]), st.sampled_from([0, 8]), st.sampled_from([0, 0.3]))
async def test_the_ceiling_equals_the_ceiling_of_a_lookback_over_the_same_minutes(
    seed: int, days: int, tolerated_rate: float, tolerated_share: float
) -> None:
    end = days_ago(0.25) // 60 * 60
    minutes = range(end - days * DAY_MINUTES, end)
    data = random_minutes(seed, minutes)
    async with fortnight(data.answer) as setup, fortnight() as lookback_setup:
        for either_setup in (setup, lookback_setup):
            series = put(either_setup, served=total(metric("served")))
            either_setup.fleet.tolerated_rate[series.slot] = tolerated_rate
            either_setup.fleet.tolerated_share[series.slot] = tolerated_share
            either_setup.fleet.near[series.slot] = 1
        await setup.read_past()
        target = np.fmin(ceiling(setup, series), LIMIT)  # without a ceiling, the limit
        assert target == pytest.approx(lookback_target(lookback_setup, series, data, minutes), rel=1e-5)


def lookback_target(
    setup: Fortnight, series: Series, data: Minutes, minutes: range, has_ceilings: bool = True
) -> float:
    """Look back at the points of a series, and return `QuarterHours.target` of the last quarter-hour."""
    rows = setup.fleet.metrics(CELL)
    points = PointsInMemory(
        minutes, {rows[metric_query(metric(name))]: {**sums} for name, sums in data.sums.items()}
    )
    judging = Judging([Way.in_force(setup.fleet, "")], lambda _, rule: Rule(rule).severity, 60, has_ceilings)
    replay = Replay(setup.fleet, points, np.array([series.slot], np.int32), judging)
    for number in range(chunk_count(minutes)):
        replay.advance(number)
    return float(replay.quarter_hours.target[0, -1])


@pytest.mark.parametrize(("has_ceilings", "expected"), [(True, 48.0), (False, 90.0)])
async def test_a_lookback_of_means_of_five_minutes_has_no_ceilings(
    has_ceilings: bool, expected: float
) -> None:
    start = days_ago(2) // 60 * 60
    minutes = range(start, start + 600)
    data = Minutes(start, {"usage": dict.fromkeys(minutes, 48.0), "throttled": {start + 300: 9.0}}, {})
    async with fortnight() as setup:
        series = put(setup)
        target = lookback_target(setup, series, data, minutes, has_ceilings)
        assert target == pytest.approx(expected, rel=1e-3)
