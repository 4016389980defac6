"""Points of metrics that no series uses: they are counted for the bill, and a missing point is not 0."""

import time

import numpy as np
import pytest

from monitor.polling.metric_points import MetricPointReader
from monitor.topology.flow_points import POINTS, window
from tests.fake_cloudwatch import ErrorResponse
from tests.monitor.forecast.fortnights import CELL, answer_with, fortnight, metric

METRICS = [metric(name, period=300) for name in ("a", "b")]


async def test_points_of_five_minutes_are_read_and_their_sums_are_per_minute() -> None:
    async with fortnight(answer_with(lambda minute: 60.0)) as cell:
        reader = MetricPointReader(cell.fleet, lambda: {CELL: cell.reader})
        points, failures = await reader.read(CELL, METRICS, window(int(time.time() // 60)))
        assert failures == []
        assert [points[key].tolist() for key in METRICS] == [[60.0] * POINTS] * 2
        assert cell.telemetry.aws.metrics_by_account[CELL[0]] == 2


async def test_a_metric_without_points_has_nan_only() -> None:
    async with fortnight(answer_with(lambda minute: None)) as cell:
        reader = MetricPointReader(cell.fleet, lambda: {CELL: cell.reader})
        points, _ = await reader.read(CELL, METRICS[:1], window(int(time.time() // 60)))
        assert np.isnan(points[METRICS[0]]).all()


async def test_a_failed_read_returns_the_reason_instead_of_points() -> None:
    async with fortnight(lambda _: ErrorResponse("AccessDenied")) as cell:
        reader = MetricPointReader(cell.fleet, lambda: {CELL: cell.reader})
        points, failures = await reader.read(CELL, METRICS, window(int(time.time() // 60)))
        assert points == {}
        assert len(failures) == 1 and "AccessDenied" in failures[0]


async def test_a_cell_that_is_not_open_returns_the_reason_instead_of_points() -> None:
    async with fortnight() as cell:
        reader = MetricPointReader(cell.fleet, lambda: {})
        points, failures = await reader.read(CELL, METRICS, window(int(time.time() // 60)))
        assert points == {} and failures == ["it was not opened yet, or cannot be opened"]


@pytest.mark.parametrize("now", [30_000_000, 30_000_003, 30_000_004])
def test_the_window_ends_with_a_whole_point_at_least_five_minutes_ago(now: int) -> None:
    minutes = window(now)
    assert len(minutes) == 180 and minutes.stop % 5 == 0
    assert 5 <= now - minutes.stop < 10
