"""Points of metrics that are no usage: read within the budget, counted, and not found is not 0."""

import time

import numpy as np
import pytest

from monitor.polling.metric_points import MetricPointReader
from monitor.topology.flow_points import POINTS, window
from tests.fake_cloudwatch import ErrorResponse
from tests.monitor.forecast.fortnights import CELL, answering, fortnight, metric

METRICS = [metric(name, period=300) for name in ("a", "b")]


async def test_points_of_five_minutes_are_read_and_sums_are_those_of_a_minute() -> None:
    async with fortnight(answering(lambda minute: 60.0)) as some:
        reader = MetricPointReader(some.fleet, lambda: {CELL: some.reader})
        points, failures = await reader.read(CELL, METRICS, window(int(time.time() // 60)))
        assert failures == []
        assert [points[one].tolist() for one in METRICS] == [[60.0] * POINTS] * 2
        assert some.telemetry.aws.metrics_by_account[CELL[0]] == 2


async def test_a_metric_without_points_is_unknown() -> None:
    async with fortnight(answering(lambda minute: None)) as some:
        reader = MetricPointReader(some.fleet, lambda: {CELL: some.reader})
        points, _ = await reader.read(CELL, METRICS[:1], window(int(time.time() // 60)))
        assert np.isnan(points[METRICS[0]]).all()


async def test_a_failed_read_returns_no_points_and_a_sentence() -> None:
    async with fortnight(lambda _: ErrorResponse("AccessDenied")) as some:
        reader = MetricPointReader(some.fleet, lambda: {CELL: some.reader})
        points, failures = await reader.read(CELL, METRICS, window(int(time.time() // 60)))
        assert points == {}
        assert len(failures) == 1 and "AccessDenied" in failures[0]


async def test_a_cell_that_is_not_open_has_no_points() -> None:
    async with fortnight() as some:
        reader = MetricPointReader(some.fleet, lambda: {})
        points, failures = await reader.read(CELL, METRICS, window(int(time.time() // 60)))
        assert points == {} and failures == ["it was not opened yet, or cannot be"]


@pytest.mark.parametrize("now", [30_000_000, 30_000_003, 30_000_004])
def test_the_window_ends_with_whole_points_that_are_not_late(now: int) -> None:
    minutes = window(now)
    assert len(minutes) == 180 and minutes.stop % 5 == 0
    assert 5 <= now - minutes.stop < 10
