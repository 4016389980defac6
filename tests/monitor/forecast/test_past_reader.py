"""The past of a series is read once, in few calls, and a failed read affects only its series."""

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from collectors.base import total
from monitor.fleet.fleet import Fleet
from monitor.forecast.history import UsageHistory
from monitor.forecast.past_metrics import METRICS_AT_ONCE
from monitor.forecast.past_reader import IDLE_INTERVAL, PastReader
from monitor.planning.budget import BilledAmounts, Budget
from monitor.planning.intervals import Intervals
from monitor.planning.planner import Planner
from monitor.planning.settings import BudgetTerms
from monitor.planning.spending import InMemorySpendingStore
from rules.forecast import BINS
from tests.fake_cloudwatch import Body, ErrorResponse, Query, Response, query_result
from tests.monitor.forecast.fortnights import (
    CELL,
    answer_with,
    daily,
    fortnight,
    metric,
    points_of,
    stream_name_of,
)


def highest_of_quarter(minute: int) -> float:
    """The highest of the three five-minute points of the quarter of an hour that begins with a minute."""
    return max(daily(minute + offset) for offset in (0, 5, 10))


async def test_a_fortnight_is_read_once_and_is_followed_by_the_last_hours() -> None:
    async with fortnight() as setup:
        series = setup.put("a")
        await setup.read_past()
        usage = setup.usage(series)
        first = (setup.now // 15 - BINS) * 15
        expected = [highest_of_quarter(first + 15 * number) for number in range(BINS)]
        assert np.isfinite(usage[8:]).all()
        np.testing.assert_allclose(usage[8:-12], expected[8:-12], rtol=2e-3)
        await setup.read_past()
        assert setup.requested_past_metrics == ["a"]
        (query,) = setup.past_requests[0]["MetricDataQueries"]
        assert query["MetricStat"]["Period"] == 300


async def test_the_past_of_each_metric_is_requested_once_and_counted_like_other_requests() -> None:
    async with fortnight() as setup:
        for number in range(23):
            setup.put(number)
        setup.put("sum", total(metric(0), metric(1)))
        await setup.poll()
        earlier_count = setup.telemetry.registry.get_sample_value(*REQUESTED_METRICS)
        await setup.read_past()
        later_count = setup.telemetry.registry.get_sample_value(*REQUESTED_METRICS)
        assert earlier_count is not None and later_count is not None
        assert sorted(map(int, setup.requested_past_metrics)) == [*range(23)]
        assert later_count - earlier_count == 2 * 23  # one poll, and the past
        assert len(setup.past_requests) == -(-23 // METRICS_AT_ONCE)


REQUESTED_METRICS = (
    "headroom_metrics_requested_total",
    {"aws_account": CELL[0], "aws_region": CELL[1], "aws_service": "kinesis"},
)


async def test_metrics_of_different_periods_add_up_to_one_usage() -> None:
    async with fortnight(answer_with(lambda minute: 6.0)) as setup:
        series = setup.put("hourly", total(metric("h", period=3600), metric("m"), metric("g", "Maximum")))
        await setup.read_past()
        usage = setup.usage(series)
        assert usage[8:-12] == pytest.approx(18, rel=1e-3)
        periods = [
            query["MetricStat"]["Period"]
            for body in setup.past_requests
            for query in body["MetricDataQueries"]
        ]
        assert sorted(periods) == [300, 300, 3600]


def answer_with_throttling(body: Body) -> Response:
    """Answer that half as much demand is throttled as is served."""
    values = {"a": 40.0, "served": 8.0, "throttled": 4.0}

    def value_of(query: Query, minute: int) -> float:
        return values[stream_name_of(query)]

    return {
        "MetricDataResults": [
            query_result(query, points_of(partial(value_of, query), query, body))
            for query in body["MetricDataQueries"]
        ]
    }


async def test_throttled_demand_is_read_for_provisioned_limits() -> None:
    async with fortnight(answer_with_throttling) as setup:
        throttled, served = total(metric("throttled")), total(metric("served"))
        paid_series = setup.put("a", paid=True, throttled=throttled, served=served)
        await setup.read_past()
        assert setup.usage(paid_series)[8:] == pytest.approx(60, rel=1e-3)
        assert sorted(setup.requested_past_metrics) == ["a", "served", "throttled"]


async def test_served_demand_is_not_read_for_limits_that_are_not_paid_for() -> None:
    async with fortnight(answer_with_throttling) as setup:
        setup.put("a", throttled=total(metric("throttled")), served=total(metric("served")))
        await setup.read_past()
        assert sorted(setup.requested_past_metrics) == ["a", "throttled"]


async def test_a_metric_that_is_zero_when_absent_is_zero_from_its_first_point_on() -> None:
    peak_minute = int(time.time() // 60) - 720  # half a day from both ends of the fortnight

    def once_a_day(minute: int) -> float | None:
        return 60.0 if (minute - peak_minute) % 1440 < 5 else None

    async with fortnight(answer_with(once_a_day)) as setup:
        series = setup.put("a", total(metric("a", zero_when_absent=True)))
        await setup.read_past()
        usage = setup.usage(series)
        first_known = np.flatnonzero(np.isfinite(usage))[0]
        assert usage[first_known] > 0
        assert np.isfinite(usage[first_known:-13]).all()
        assert (usage[first_known:-13] > 0).sum() == 14  # once a day


async def test_no_usage_from_before_the_creation_of_a_resource_is_stored() -> None:
    async with fortnight() as setup:
        series = setup.put("a", created_at=(setup.now - 3 * 1440) * 60.0)
        await setup.read_past()
        usage = setup.usage(series)
        assert np.isnan(usage[: -3 * 96 - 2]).all()
        assert np.isfinite(usage[-3 * 96 + 2 :]).all()


def asks_past_of_b(body: Body) -> bool:
    """Return whether a request asks for points of metric `b` of more than a day."""
    is_past = body["EndTime"] - body["StartTime"] > 86_400
    return is_past and "b" in map(stream_name_of, body["MetricDataQueries"])


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
async def test_a_denied_or_throttled_metric_affects_only_its_series(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(body: Body) -> Response:
        return ErrorResponse(code) if asks_past_of_b(body) else answer_normally(body)

    answer_normally = answer_with()
    async with fortnight(answer) as setup:
        other_series = [setup.put(number) for number in range(METRICS_AT_ONCE)]
        failing_series = setup.put("b")
        await setup.read_past()
        assert np.isfinite(setup.usage(failing_series)).sum() < 20  # the newest bins, from polls
        assert all(np.isfinite(setup.usage(series)[8:]).all() for series in other_series)
        assert np.isnan(setup.probability(failing_series)).all()
        request_count = len(setup.past_requests)
        await setup.read_past()  # the failed read is not tried again at once
        assert len(setup.past_requests) == request_count
    assert caplog.text.count("the usage of a fortnight cannot be read") == 1


async def test_a_rejected_metric_does_not_affect_other_metrics_of_the_request() -> None:
    def answer(body: Body) -> Response:
        return ErrorResponse("ValidationError") if asks_past_of_b(body) else answer_normally(body)

    answer_normally = answer_with()
    async with fortnight(answer) as setup:
        good, bad = setup.put("a"), setup.put("b")
        await setup.read_past()
        assert np.isfinite(setup.usage(good)[8:]).all()
        assert np.isfinite(setup.usage(bad)).sum() < 20


async def test_values_that_are_no_numbers_and_points_outside_the_request_are_left_out() -> None:
    def answer(body: Body) -> Response:
        points: Mapping[int, object] = {
            body["StartTime"] // 60 - 600: 1.0,
            body["EndTime"] // 60 + 600: 1.0,
            body["StartTime"] // 60 + 600: "NaN",
            body["StartTime"] // 60 + 660: 1e300,
            body["StartTime"] // 60 + 720: 600.0,
        }
        return {"MetricDataResults": [query_result(query, {**points}) for query in body["MetricDataQueries"]]}

    async with fortnight(answer) as setup:
        series = setup.put("a")
        await setup.read_past()
        usage = setup.usage(series)[:-12]
        assert usage[np.isfinite(usage)].tolist() == pytest.approx([600 / 5], rel=1e-3)


async def test_the_past_is_read_again_only_after_a_stop_of_hours(tmp_path: Path) -> None:
    path = tmp_path / "usage.history"
    async with fortnight(history=UsageHistory(path)) as setup:
        setup.put("a")
        await setup.read_past()
        await setup.forecaster.save()
    for hours_stopped, request_count in ((0, 0), (4, 1)):
        history = UsageHistory.read(path, setup.now // 15 + hours_stopped * 4)
        assert len(history) == 1
        async with fortnight(history=history) as restarted:
            series = restarted.put("a")
            await restarted.read_past()
            assert len(restarted.past_requests) == request_count
            assert np.isfinite(restarted.probability(series)).all()


async def test_after_a_restart_series_are_forecast_from_the_stored_past_as_soon_as_they_are_judged() -> None:
    async with fortnight() as setup:
        setup.put("a")
        await setup.read_past()
        history = setup.forecaster.recorder.history
    async with fortnight(history=history) as restarted:
        await restarted.forecaster.forecast_all()  # the fleet has no series yet
        series, unread = restarted.put("a"), restarted.put("b")
        await restarted.forecaster.forecast_new()
        assert restarted.fleet.history_bins[series.slot] == -1  # nothing was polled yet
        await restarted.poll()
        await restarted.forecaster.forecast_new()
        assert np.isfinite(restarted.probability(series)).all()
        assert restarted.fleet.history_bins[unread.slot] == -1
        assert not restarted.past_requests


async def test_a_series_without_metrics_is_forecast_from_recorded_usage_alone() -> None:
    async with fortnight() as setup:
        counted, measured = setup.put("counted", 40.0), setup.put("measured")
        await setup.poll()
        recorder, read_slots = setup.forecaster.recorder, list[int]()
        await recorder.record(setup.now)
        reader = PastReader(
            setup.fleet,
            recorder,
            lambda: {CELL: setup.reader},
            lambda slots: read_slots.extend(slots.tolist()),
        )
        await reader.read_all(np.array([counted.slot, measured.slot], np.int32))
        assert sorted(read_slots) == sorted([counted.slot, measured.slot])
        assert setup.requested_past_metrics == ["measured"]


async def test_the_past_is_read_only_if_the_budget_allows() -> None:
    def planner(dollars: float, fleet: Fleet) -> Planner:
        billed_metrics = count(0, 1000)  # the bill grows each time it is read
        budget = Budget(
            InMemorySpendingStore(),
            clock=lambda: 0.0,
            wall_clock=lambda: 0.0,
            billed=lambda: {CELL[0]: BilledAmounts(next(billed_metrics))},
        )
        budget.configure(BudgetTerms(dollars))
        return Planner(fleet, Intervals(1, 1, 1), budget=budget)

    for dollars, request_count in ((1e-9, 0), (1e6, 3)):
        async with fortnight(planner=partial(planner, dollars)) as setup:
            for number in range(3 * METRICS_AT_ONCE):
                setup.put(number)
            await setup.read_past()
            assert len(setup.past_requests) == request_count


async def test_a_series_that_is_added_while_the_reader_waits_is_read_at_once() -> None:
    async with fortnight() as setup:
        has_read, recorder = asyncio.Event(), setup.forecaster.recorder
        reader = PastReader(setup.fleet, recorder, lambda: {CELL: setup.reader}, lambda _: has_read.set())
        reader_task = asyncio.create_task(reader.run())
        await asyncio.sleep(0)  # until the reader has found no series and waits
        series = setup.put("a")
        await setup.poll()
        await recorder.bind(setup.now)
        async with asyncio.timeout(IDLE_INTERVAL / 2):
            await has_read.wait()
        reader_task.cancel()
        assert np.isfinite(setup.usage(series)[8:-12]).all()
