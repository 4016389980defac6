"""Forecasts and the look-back request past points of linked accounts, with the id of each account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from monitor.forecast.forecaster import Forecaster
from monitor.forecast.history import UsageHistory
from monitor.polling.history_reader import HistoryReader
from monitor.polling.metric_services import MetricServices
from monitor.polling.metric_source import MetricSource
from monitor.polling.watcher import Watcher
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.monitor.polling.linked_aws import FIRST, MONITORING, REGION, SECOND, LinkedAws, file_system
from tests.registries import REGISTRY

CELLS = (FIRST, REGION), (SECOND, REGION)
# The value of each point of an account, per minute, by account.
VALUES = {FIRST: 10.0, SECOND: 700.0, MONITORING: 99_999.0}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set test credentials, and remove the user's own AWS settings."""
    set_aws_environment(monkeypatch, CREDENTIALS)


class PastAws(LinkedAws):
    """A fake AWS that returns a point in each period of the requested time."""

    def _get_metric_data(self, **params: Any) -> Any:
        queries = params["MetricDataQueries"]
        self.queries.append(queries)
        start, end = (int(params[name].timestamp()) for name in ("StartTime", "EndTime"))
        results = []
        for query in queries:
            period = query["MetricStat"]["Period"]
            first = -(-start // period) * period  # the first multiple of `period` from `start` on
            times = range(first, end - period + 1, period)
            value = self.values[query.get("AccountId", MONITORING)]
            results.append(
                {
                    "Id": query["Id"],
                    "StatusCode": "Complete",
                    "Timestamps": [datetime.fromtimestamp(time, UTC) for time in times],
                    "Values": [value * period / 60] * len(times),
                }
            )
        return {"MetricDataResults": results}


@asynccontextmanager
async def two_accounts() -> AsyncIterator[tuple[PastAws, Watcher]]:
    """Yield an AWS with two linked accounts whose file systems share a name, and a watcher that ran once."""
    metrics = {account: [file_system("fs-1")] for account in (FIRST, SECOND)}
    aws = PastAws({FIRST: "shop", SECOND: "bank"}, metrics, values=VALUES)
    watcher = aws.watcher()
    try:
        await watcher.run_once(lambda done, steps: None)
        aws.queries.clear()
        yield aws, watcher
    finally:
        await watcher.close()


async def test_the_first_forecast_requests_a_fortnight_of_each_account() -> None:
    async with two_accounts() as (aws, watcher):
        clock = watcher.cells[CELLS[0]].cell.clock
        forecaster = Forecaster(
            watcher.fleet,
            UsageHistory(),
            lambda: clock.minute() * 60.0,
            lambda: {key: watched.reader for key, watched in watcher.cells.items()},
        )
        slots = np.arange(watcher.fleet.size, dtype=np.int32)
        watcher.fleet.limit[slots] = 1000.0
        await forecaster.read_and_forecast(slots)
        queries = [query for call in aws.queries for query in call]
        requested = [(query["AccountId"], query["MetricStat"]["Period"]) for query in queries]
        assert sorted(requested) == [(FIRST, 300), (SECOND, 300)]
        for key, series in watcher.fleet.series.items():
            if key.cell in CELLS and series.unobservable is None:
                block, column = forecaster.recorder.history.block_and_column(
                    int(forecaster.recorder.rows[series.slot])
                )
                usage, _ = block.usage_of(np.array([column], np.intp))
                known_usage = usage[np.isfinite(usage)]
                assert known_usage.size > 13 * 96  # the quarter-hours of thirteen days
                assert known_usage == pytest.approx(VALUES[key.account], rel=1e-2)


async def test_the_look_back_requests_the_past_of_each_account_once_and_returns_its_own_points() -> None:
    async with two_accounts() as (aws, watcher):
        minutes = range(30_000_000, 30_000_000 + 14 * 24 * 60)
        points = dict[int, set[float]]()
        for key in CELLS:
            metrics = watcher.fleet.metrics(key)
            reader = HistoryReader(
                MetricSource(watcher.cells[key].cell, MetricServices(REGISTRY.collectors)),
                watcher.fleet.rings,
                lambda rows, arrays: points.update({int(row): {*arrays[2].tolist()} for row in rows}),
                lambda count: None,
            )
            assert await reader.read(metrics, minutes) == []
            assert {value for row in metrics.values() for value in points[row]} == {VALUES[key[0]]}
        assert sorted(query["AccountId"] for call in aws.queries for query in call) == [FIRST, SECOND]
