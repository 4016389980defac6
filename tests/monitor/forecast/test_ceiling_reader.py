"""The utilization of the minutes in which demand was throttled in the past is read, and is a ceiling."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.base import total
from monitor.fleet.fleet import Fleet, Series
from monitor.forecast import ceiling_reader
from monitor.forecast.history import UsageHistory
from monitor.lookback.replay import Judging, Replay
from monitor.lookback.sample_file import chunk_count
from monitor.lookback.ways import Way
from monitor.planning.budget import Billed, Budget
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
    name_of,
)
from tests.monitor.lookback.past import PointsInMemory

Array = np.ndarray[Any, Any]
LIMIT = 100.0


@dataclass
class Minutes:
    """The sums of metrics of each minute; 0 in other minutes. start: the first minute that has points."""

    start: int
    sums: Mapping[str, Mapping[int, float]]
    otherwise: Mapping[str, float]

    def at(self, name: str, minute: int) -> float:
        """Return the sum of a metric in a minute."""
        return self.sums.get(name, {}).get(minute, self.otherwise.get(name, 0.0))

    def answer(self, body: Body) -> Response:
        """Answer as CloudWatch does: the sum of each period."""
        return {
            "MetricDataResults": [
                query_result(query, self._points(query, body)) for query in body["MetricDataQueries"]
            ]
        }

    def _points(self, query: Query, body: Body) -> dict[int, float]:
        period, name = query["MetricStat"]["Period"] // 60, name_of(query)
        starts = range(body["StartTime"] // 60, body["EndTime"] // 60 - period + 1, period)
        return {
            first: sum(self.at(name, minute) for minute in range(first, first + period))
            for first in starts
            if first >= self.start
        }


def days_ago(days: float) -> int:
    """The first minute of a five-minute period, so many days ago."""
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


def requested(bodies: list[Body]) -> list[str]:
    """The names of the metrics in some requests."""
    return sorted(name_of(query) for body in bodies for query in body["MetricDataQueries"])


async def test_the_usage_of_a_minute_with_throttled_demand_in_the_past_is_the_ceiling() -> None:
    async with fortnight(one_peak(days_ago(5) + 3).answer) as setup:
        series = put(setup)
        await setup.read_past()
        # The mean of the five minutes, 25.6, would be a false ceiling.
        assert ceiling(setup, series) == pytest.approx(48, rel=1e-3)
        assert requested(setup.minute_requests) == ["throttled", "usage"]
        (body,) = setup.minute_requests
        assert body["EndTime"] - body["StartTime"] == 3600
